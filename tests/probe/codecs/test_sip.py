"""SIP messages: RFC 4475's torture, another implementation, what a rewriter leaves behind, and junk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import sip
from probe.codecs.sip import Message
from probe.codecs.sip_altered import NAMES, altered
from probe.model import Transport

VECTORS = Path(__file__).parents[2] / "data" / "sip"
CHANCE = bytes(range(sip.IDENTIFIER_BYTES))
OPTIONS = sip.options_request("sip.example", Transport.UDP, CHANCE)
REFUSED = {  # section 3.1.2 of RFC 4475, as far as it is the framing or the first line that is wrong
    "badvers": "begins with a method",
    "bigcode": "begins with a method",
    "clerr": "Content-Length promises 9999 bytes, 154 follow",
    "ltgtruri": "begins with a method",
    "lwsruri": "begins with a method",
    "lwsstart": "begins with a method",
    "mcl01": "one whole number",
    "ncl": "one whole number",
    "trws": "begins with a method",
}
TORTURE = sorted(path.stem for path in VECTORS.glob("*.dat"))


def vector(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def reply(request: bytes = OPTIONS, status: str = "200 OK", **changed: str | None) -> bytes:
    """A response with the request's own headers, as far as they are not changed (None: left out)."""
    copied = {"Via": "via", "From": "from", "To": "to", "Call-ID": "call_id", "CSeq": "cseq"}
    asked = sip.parse(request)
    lines = [f"SIP/2.0 {status}"]
    for name, key in copied.items():
        value = changed.get(key, asked.value(name.lower()))
        lines += [f"{name}: {value}"] if value is not None else []
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


# --- RFC 4475 ---------------------------------------------------------------------------------------------------


def test_the_vectors_are_the_rfcs() -> None:
    digests = {name: hashlib.sha256(vector(name)).hexdigest()[:16] for name in ("wsinv", "unreason", "noreason")}
    assert digests == {"wsinv": "d6f6cdee99cd0a1f", "unreason": "4f939d6ebf4817ee", "noreason": "07e11e470a69fffa"}
    assert len(TORTURE) == 48


@pytest.mark.parametrize("name", TORTURE)
def test_torture(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            sip.parse(vector(name))
    else:
        parsed = sip.parse(vector(name))
        assert parsed.method or parsed.status


def test_a_tortuous_invite() -> None:
    parsed = sip.parse(vector("wsinv"))
    assert (parsed.method, parsed.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert parsed.branches == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    assert (parsed.from_tag, parsed.cseq) == ("98asjd8", (9, "INVITE"))
    assert parsed.value("subject") == ""
    assert parsed.value("newfangledheader") == "newfangled value continued newfangled value"
    assert len(parsed.body) == 150


def test_every_character_that_a_method_may_have() -> None:
    parsed = sip.parse(vector("intmeth"))
    assert parsed.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert parsed.from_tag == "_token~1'+`*%!-."


def test_reasons_in_any_script_and_none() -> None:
    assert sip.parse(vector("unreason")).reason.startswith("= 2**3 * 5**2 но сто девяносто девять")
    assert (sip.parse(vector("noreason")).status, sip.parse(vector("noreason")).reason) == (100, "")


def test_what_follows_the_promised_length_is_left_out() -> None:
    assert sip.parse(vector("dblreq")).body == b""
    first = sip.length(vector("dblreq"))
    assert first is not None
    assert sip.parse(vector("dblreq")[first:]).method == "INVITE"


@given(
    st.lists(st.sampled_from([OPTIONS, sip.response(sip.parse(OPTIONS), "200 OK", b"\r\n\r\nbody")]), max_size=3),
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
def test_a_stream_gives_its_messages_however_it_is_cut(sent: list[bytes], sizes: list[int]) -> None:
    data = rest = b"\r\n\r\n".join(sent)
    whole = []
    while (size := sip.length(rest)) is not None:
        whole.append(rest[:size].lstrip(b"\r\n"))
        rest = rest[size:]
    messages, found = sip.MessageStream(), []
    for size in [*sizes, len(data)]:
        messages.feed(data[:size])
        data = data[size:]
        while (message := messages.next()) is not None:
            found.append(message)
    assert found == whole


def test_a_head_without_end_is_refused_at_its_bound() -> None:
    messages = sip.MessageStream()
    messages.feed(b"OPTIONS " + b"a" * sip.MAX_BYTES)
    with pytest.raises(ValueError, match="at most"):
        messages.next()


def test_numbers_beyond_their_bounds_are_absent() -> None:
    assert sip.parse(vector("scalar02")).cseq is None
    assert sip.parse(vector("scalarlg")).cseq is None


def test_a_response_that_went_through_two_hops_is_not_for_us() -> None:
    assert len(sip.parse(vector("bcast")).branches) == 2


# --- Requests ---------------------------------------------------------------------------------------------------


def test_the_request_byte_for_byte() -> None:
    assert OPTIONS.decode().split("\r\n") == [
        "OPTIONS sip:sip.example SIP/2.0",
        "Via: SIP/2.0/UDP anonymous.invalid;branch=z9hG4bK040506070809;rport",
        "Max-Forwards: 70",
        "From: <sip:anonymous@anonymous.invalid>;tag=0a0b0c0d",
        "To: <sip:sip.example>",
        "Call-ID: 0e0f10111213",
        "CSeq: 1 OPTIONS",
        "Contact: <sip:anonymous@anonymous.invalid>",
        "Accept: */*",
        "Content-Length: 0",
        "",
        "",
    ]


def test_a_register_has_no_contact_and_a_user_of_chance() -> None:
    parsed = sip.parse(sip.register_request("sip.example", Transport.TLS, CHANCE))
    assert (parsed.method, parsed.uri, parsed.values("contact")) == ("REGISTER", "sip:sip.example", [])
    assert parsed.value("to") == "<sip:00010203@sip.example>"
    assert (parsed.value("via") or "").startswith("SIP/2.0/TLS anonymous.invalid;")


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP, Transport.TLS])
@pytest.mark.parametrize("host", ["sip.example", "192.0.2.1", "2001:db8::1"])
def test_another_implementation_reads_our_requests(host: str, transport: Transport) -> None:
    for build, method in ((sip.options_request, "OPTIONS"), (sip.register_request, "REGISTER")):
        theirs = sipmessage.Message.parse(build(host, transport, CHANCE))
        assert isinstance(theirs, sipmessage.Request)
        assert (theirs.method, theirs.uri.host.strip("[]")) == (method, host)
        (via,) = theirs.via
        assert (via.transport, via.host, via.parameters["branch"]) == (
            transport.upper(),
            "anonymous.invalid",
            "z9hG4bK040506070809",
        )
        assert theirs.from_address.parameters["tag"] == "0a0b0c0d"
        assert (theirs.call_id, theirs.cseq.sequence, theirs.cseq.method) == ("0e0f10111213", 1, method)


def test_we_read_another_implementations_responses() -> None:
    theirs = sipmessage.Response(code=401, phrase="Unauthorized")
    asked = sipmessage.Message.parse(OPTIONS)
    theirs.via, theirs.from_address, theirs.to_address = asked.via, asked.from_address, asked.to_address
    theirs.call_id, theirs.cseq = asked.call_id, asked.cseq
    theirs.www_authenticate = sipmessage.AuthChallenge(
        scheme="Digest", parameters=sipmessage.AuthParameters(realm='a "quoted, realm', nonce="x")
    )
    ours = sip.parse(bytes(theirs))
    assert sip.answers(sip.parse(OPTIONS), ours)
    assert (ours.status, ours.realm) == (401, 'a "quoted, realm')


# --- Answers ----------------------------------------------------------------------------------------------------


def answered(data: bytes) -> bool:
    return sip.answers(sip.parse(OPTIONS), sip.parse(data))


def test_what_answers() -> None:
    assert answered(reply())
    assert answered(reply(status="483 Too Many Hops"))
    assert answered(reply(to="<sip:sip.example>;tag=server"))
    assert answered(reply(via="SIP/2.0/UDP x;received=192.0.2.7;rport=5;branch=z9hG4bK040506070809"))
    assert answered(reply().replace(b"Via:", b"v :").replace(b"Call-ID:", b"i:").replace(b"From:", b"F:"))


@pytest.mark.parametrize(
    "changed",
    [
        {"via": "SIP/2.0/UDP anonymous.invalid;branch=z9hG4bK04050607080a"},
        {"via": "SIP/2.0/UDP anonymous.invalid"},
        {"via": "SIP/2.0/UDP a;branch=z9hG4bK040506070809, SIP/2.0/UDP b;branch=z9hG4bK040506070809"},
        {"via": None},
        {"from": "<sip:anonymous@anonymous.invalid>;tag=0a0b0c0e"},
        {"from": "<sip:anonymous@anonymous.invalid;tag=0a0b0c0d>"},
        {"from": None},
        {"call_id": "0e0f10111214"},
        {"call_id": None},
        {"cseq": "2 OPTIONS"},
        {"cseq": "1 INVITE"},
        {"cseq": None},
    ],
)
def test_what_answers_somebody_else(changed: dict[str, str | None]) -> None:
    assert not answered(reply(**changed))


def test_a_request_is_no_answer() -> None:
    assert not answered(OPTIONS)


def test_a_header_that_comes_twice_counts_as_absent() -> None:
    assert not answered(reply().replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 OPTIONS\r\nCSeq: 1 OPTIONS"))


@pytest.mark.parametrize(
    ("challenge", "realm"),
    [
        ('Digest realm="sip.example", nonce="x"', "sip.example"),
        ('Digest nonce="a,realm=\\"no\\"", realm="yes"', "yes"),
        ("Digest realm=bare", "bare"),
        ("Digest nonce=x", None),
        ("Digest", None),
        ('Digest realm="open', '"open'),
    ],
)
def test_realms(challenge: str, realm: str | None) -> None:
    data = reply(status="401 No").replace(b"\r\n\r\n", f"\r\nWWW-Authenticate: {challenge}\r\n\r\n".encode())
    assert sip.parse(data).realm == realm
    assert sip.parse(data.replace(b"WWW-", b"Proxy-")).realm == realm


# --- Framing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "an empty line after its headers"),
        (b"SIP/2.0 200 OK\r\nVia: x\r\n", "an empty line after its headers"),
        (b"SIP/2.0 200 OK\nVia: x\n\n\r\n\r\n", "CR and LF together"),
        (b"SIP/2.0 200 OK\r\nVia: a\rb\r\n\r\n", "CR and LF together"),
        (b"SIP/2.0 200 OK\r\nno colon\r\n\r\n", "a name, a colon and a value"),
        (b"SIP/2.0 700 OK\r\n\r\n", "begins with a method"),
        (b"SIP/2.0 200\r\n\r\n", "begins with a method"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "begins with a method"),
        (b"SIP/2.0 200 OK\r\nl: 1\r\nContent-Length: 2\r\n\r\nxx", "one whole number"),
        (b"SIP/2.0 200 OK\r\nl: \xd9\xa1\r\n\r\nx", "one whole number"),
        (b"SIP/2.0 200 OK\r\n" + b"a: b\r\n" * 129 + b"\r\n", "at most 128 headers"),
        (b"SIP/2.0 200 OK\r\n\r\n" + bytes(65535), "at most 65535 bytes"),
    ],
)
def test_no_message(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        sip.parse(data)


def test_the_length_of_the_first_message_of_a_stream() -> None:
    two = b"\r\n\r\n" + vector("unreason") + OPTIONS
    first = 4 + len(vector("unreason"))
    assert sip.length(two) == first
    assert sip.parse(two[:first]).status == 200
    assert [sip.length(two[:cut]) for cut in range(first)] == [None] * first


@pytest.mark.parametrize("data", [b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n", b"x" * 65536, b"a b\r\nl: 65535\r\n\r\n"])
def test_a_stream_that_can_become_no_message(data: bytes) -> None:
    with pytest.raises(ValueError, match="A SIP message"):
        sip.length(data)


# --- What a rewriter leaves behind ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("", "", ()),
        ("UDP anonymous.invalid", "UDP 198.51.100.7:1024", ("via",)),
        ("<sip:anonymous@anonymous.invalid>\r\nAccept", "<sip:anonymous@198.51.100.7>\r\nAccept", ("contact",)),
        (
            "Max-Forwards: 70",
            "Max-Forwards: 69\r\nRecord-Route: <sip:198.51.100.7;lr>",
            ("max-forwards", "record-route"),
        ),
        ("Accept: */*\r\n", "", ("accept",)),
        ("Accept: */*", "Accept: */*\r\nX-From-198.51.100.7: yes", ("other",)),
        ("OPTIONS sip:sip.example SIP", "OPTIONS sip:203.0.113.9 SIP", ("start-line",)),
        ("\r\nCSeq", "\r\ncseq", ("layout",)),
        ("Content-Length: 0\r\n\r\n", "Content-Length: 2\r\n\r\nhi", ("body", "content-length")),
        ("SIP/2.0\r\n", "SIP/3.0\r\n", ("message",)),
    ],
)
def test_what_was_altered(old: str, new: str, parts: tuple[str, ...]) -> None:
    assert altered(OPTIONS, OPTIONS.decode().replace(old, new, 1).encode()) == parts


@given(st.binary(max_size=400))
def test_what_was_altered_never_tells_with_what(arrived: bytes) -> None:
    words = {*NAMES, "start-line", "body", "other", "layout", "message"}
    assert set(altered(OPTIONS, arrived)) <= words


# --- Junk -------------------------------------------------------------------------------------------------------

texts = st.lists(
    st.sampled_from([*b'"\\<>;,=: \t', *b"\r\n", 0, 0xFF, *b"aZ9"]).map(lambda byte: bytes([byte])), max_size=200
).map(b"".join)


@given(st.one_of(st.binary(max_size=300), texts))
def test_junk_is_refused_or_read(data: bytes) -> None:
    for read in (sip.parse, sip.length):
        try:
            read(data)
        except ValueError:
            continue


@given(texts.map(lambda text: text.replace(b"\r", b"").replace(b"\n", b"")))
def test_any_value_of_any_header_can_be_asked_for(value: bytes) -> None:
    names = (b"Via", b"From", b"CSeq", b"Call-ID", b"WWW-Authenticate")
    data = b"".join((b"SIP/2.0 401 x\r\n", *(name + b": " + value + b"\r\n" for name in names), b"\r\n"))
    parsed = sip.parse(data)
    assert isinstance(parsed, Message)
    assert not sip.answers(sip.parse(OPTIONS), parsed)
    assert parsed.realm is None or isinstance(parsed.realm, str)


@given(st.integers(0, len(OPTIONS) - 1), st.binary(min_size=1, max_size=3))
def test_a_damaged_reply_is_refused_or_answers_all_the_same(at: int, junk: bytes) -> None:
    data = reply()
    damaged = data[:at] + junk + data[at + len(junk) :]
    try:
        parsed = sip.parse(damaged)
    except ValueError:
        return
    if sip.answers(sip.parse(OPTIONS), parsed):
        for word in (b"z9hG4bK040506070809", b"0a0b0c0d", b"0e0f10111213", b"1 OPTIONS"):
            assert word in damaged.replace(b"\t", b" ")


def test_quotes_without_an_end_take_no_time() -> None:
    hostile = b"SIP/2.0 401 x\r\nVia: " + b'"\\' * 30_000 + b"\r\n\r\n"
    assert sip.parse(hostile).branches == [None]
