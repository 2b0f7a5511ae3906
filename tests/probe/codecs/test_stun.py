"""STUN and TURN messages: published vectors, genuine captures, another implementation, and junk."""

from __future__ import annotations

import hashlib
import hmac
import struct
from pathlib import Path

import pytest
from aioice import stun as oracle
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import stun
from probe.codecs.stun import Address, Attribute, ErrorCode, Message, MessageClass, Method

VECTORS = Path(__file__).parents[2] / "data"
GENUINE = sorted(path.stem for path in (VECTORS / "stun").glob("*.hex"))
TID = bytes(range(12))
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"


def vector(name: str, of: str = "stun") -> bytes:
    """The bytes of a vector; its lines that begin with # say where it comes from."""
    lines = (VECTORS / of / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def message(*attributes: Attribute, kind: MessageClass = MessageClass.RESPONSE) -> Message:
    return Message(Method.BINDING, kind, TID, attributes)


def raw(*values: tuple[int, bytes]) -> Message:
    """As a server would send them, whatever the values are."""
    return message(*(Attribute(number, value, bytes(-len(value) % 4)) for number, value in values))


def integrity(data: bytes, key: bytes) -> bytes:
    """RFC 8489 section 14.5: what MESSAGE-INTEGRITY should hold, given the message up to it."""
    attributes = stun.parse(data).attributes
    before = data[: data.index(bytes.fromhex("00080014"))]
    assert any(attribute.type == 0x0008 for attribute in attributes)
    length = struct.pack("!H", len(before) - stun.HEADER_BYTES + 24)
    return hmac.new(key, before[:2] + length + before[4:], hashlib.sha1).digest()


# --- Vectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENUINE)
def test_every_vector_survives_byte_for_byte(name: str) -> None:
    assert stun.pack(stun.parse(vector(name))) == vector(name)


def test_rfc5769_request() -> None:
    data = vector("rfc5769-2.1-request")
    parsed = stun.parse(data)
    assert (parsed.method, parsed.message_class) == (Method.BINDING, MessageClass.REQUEST)
    assert parsed.transaction_id.hex() == "b7e7a701bc34d686fa87dfae"
    assert parsed.software == "STUN test client"
    assert parsed.value("USERNAME") == "evtj:h6vY"
    assert parsed.attributes[3].padding == b"   "  # not zeros, and kept
    assert Attribute(0x0024, bytes.fromhex("6e0001ff")) in parsed.attributes  # PRIORITY is not in the table
    assert parsed.value("MESSAGE-INTEGRITY") == integrity(data, PASSWORD)
    assert parsed.fingerprint_valid is True


@pytest.mark.parametrize(
    ("name", "ip"),
    [
        ("rfc5769-2.2-ipv4-response", "192.0.2.1"),
        ("rfc5769-2.3-ipv6-response", "2001:db8:1234:5678:11:2233:4455:6677"),
    ],
)
def test_rfc5769_responses(name: str, ip: str) -> None:
    data = vector(name)
    parsed = stun.parse(data)
    assert parsed.message_class is MessageClass.RESPONSE
    assert parsed.mapped_address == (ip, 32853)
    assert parsed.software == "test vector"
    assert parsed.value("MESSAGE-INTEGRITY") == integrity(data, PASSWORD)
    assert parsed.fingerprint_valid is True


def test_rfc5769_long_term_request() -> None:
    data = vector("rfc5769-2.4-long-term")
    parsed = stun.parse(data)
    assert parsed.value("USERNAME") == "マトリックス"
    assert (parsed.nonce, parsed.realm) == ("f//499k954d6OL34oL9FSTvy64sA", "example.org")
    key = hashlib.md5("マトリックス:example.org:TheMatrIX".encode()).digest()
    assert parsed.value("MESSAGE-INTEGRITY") == integrity(data, key)
    assert parsed.fingerprint_valid is None


@pytest.mark.parametrize(
    ("name", "size", "reason", "realm", "nonce", "software", "fingerprint"),
    [
        ("telegram", 92, "Unauthorized", "telegram.org", "eab06c6df6f2fbd0", "None", True),
        ("signal", 92, "Unauthorized", "signal.org", "2c5bace1829d269e", "None", True),
        ("viber", 84, "Unauthorized", "viber.com", "69f4ea104249bd1e", None, True),
        ("facebook", 104, "unauthorized", "turner.facebook", "bb031d61ccc1be82e24014435ed52f26fba62483", None, None),
        ("google", 80, "", "turn.l.google.com", "mah6oOtl36LF4mwK0awUYA==", None, None),
    ],
)
def test_genuine_relays_refuse_with_their_own_realm(
    name: str, size: int, reason: str, realm: str, nonce: str, software: str | None, fingerprint: bool | None
) -> None:
    data = vector(f"{name}-allocate-401")
    parsed = stun.parse(data)
    assert len(data) == size
    assert (parsed.method, parsed.message_class) == (Method.ALLOCATE, MessageClass.ERROR)
    assert (parsed.error_code, parsed.reason) == (401, reason)
    assert (parsed.realm, parsed.nonce, parsed.software) == (realm, nonce, software)
    assert parsed.fingerprint_valid is fingerprint
    assert parsed.mapped_address is None
    assert stun.answers(stun.allocate_request(parsed.transaction_id), parsed)


@pytest.mark.parametrize("name", ["telegram", "signal", "viber"])
def test_a_bit_altered_on_the_way_breaks_the_fingerprint(name: str) -> None:
    data = bytearray(vector(f"{name}-allocate-401"))
    data[30] ^= 1
    assert stun.parse(bytes(data)).fingerprint_valid is False


def test_other_dialects_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="promises 167 bytes, 155 follow"):
        stun.parse(vector("teams-allocate-401-cut", "msturn"))
    whole = bytearray(vector("teams-allocate-401-cut", "msturn"))
    struct.pack_into("!H", whole, 2, len(whole) - 20)
    with pytest.raises(ValueError, match="runs past the end"):  # its values are not padded
        stun.parse(bytes(whole))
    with pytest.raises(ValueError, match="The magic cookie of STUN is missing"):
        stun.parse(vector("request", "zoom"))


# --- What is sent, and what answers it ------------------------------------------------------------------------


def test_requests_are_those_of_the_apps() -> None:
    assert stun.binding_request(TID).hex() == "000100002112a442000102030405060708090a0b"
    assert stun.allocate_request(TID).hex() == "000300082112a442000102030405060708090a0b0019000411000000"


def test_only_a_response_of_the_same_transaction_and_method_answers() -> None:
    request = stun.binding_request(TID)
    assert stun.answers(request, Message(Method.BINDING, MessageClass.RESPONSE, TID))
    assert stun.answers(request, Message(Method.BINDING, MessageClass.ERROR, TID))
    assert not stun.answers(request, stun.parse(request))  # echoed
    assert not stun.answers(request, Message(Method.BINDING, MessageClass.INDICATION, TID))
    assert not stun.answers(request, Message(Method.ALLOCATE, MessageClass.RESPONSE, TID))
    assert not stun.answers(request, Message(Method.BINDING, MessageClass.RESPONSE, bytes(12)))


# --- Framing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "at least 20 bytes"),
        (bytes(19), "at least 20 bytes"),
        (b"\x80" + stun.binding_request(TID)[1:], "begins with two zero bits"),
        (bytes(20), "The magic cookie of STUN is missing"),
        (stun.binding_request(TID) + b"\0", "promises 0 bytes, 1 follow"),
        (stun.allocate_request(TID)[:-1], "promises 8 bytes, 7 follow"),
        (bytes.fromhex("010100022112a442") + TID + b"\0\0", "ends inside the header of an attribute"),
        (bytes.fromhex("010100042112a442") + TID + bytes.fromhex("80220001"), "0x8022 runs past the end"),
    ],
)
def test_framing_that_does_not_add_up_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        stun.parse(data)


@pytest.mark.parametrize("name", GENUINE)
def test_every_prefix_of_a_vector_is_refused(name: str) -> None:
    data = vector(name)
    for size in range(len(data)):
        with pytest.raises(ValueError, match=r"\.$"):
            stun.parse(data[:size])


def test_a_last_value_without_padding_is_read() -> None:
    data = bytes.fromhex("010100072112a442") + TID + bytes.fromhex("80220003") + b"abc"
    parsed = stun.parse(data)
    assert parsed.software == "abc"
    assert stun.pack(parsed) == data


# --- Values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAPPED-ADDRESS", Address("192.0.2.1", 1)),
        ("XOR-MAPPED-ADDRESS", Address("2001:db8::1", 65535)),
        ("XOR-PEER-ADDRESS", Address("192.0.2.1", 49152)),
        ("XOR-RELAYED-ADDRESS", Address("198.51.100.7", 50000)),
        ("ALTERNATE-SERVER", Address("2001:db8::2", 3478)),
        ("RESPONSE-ORIGIN", Address("203.0.113.1", 3478)),
        ("OTHER-ADDRESS", Address("203.0.113.2", 3479)),
        ("ERROR-CODE", ErrorCode(437, "Allocation Mismatch")),
        ("UNKNOWN-ATTRIBUTES", (0x0003, 0x7FFF)),
        ("LIFETIME", 600),
        ("REQUESTED-TRANSPORT", 17),
        ("REALM", "exämple.org"),
        ("MESSAGE-INTEGRITY", bytes(range(20))),
    ],
)
def test_each_value_survives(name: str, value: stun.Value) -> None:
    built = message(stun.attribute(name, value, TID))
    assert stun.parse(stun.pack(built)) == built
    assert built.value(name) == value
    assert len(stun.pack(built)) % 4 == 0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MAPPED-ADDRESS", b"\0\1\0", "at least 4 bytes"),
        ("MAPPED-ADDRESS", bytes.fromhex("00030d96c0000201"), "family 1 or 2, not 3"),
        ("MAPPED-ADDRESS", bytes.fromhex("00010d96c00002"), "does not match its family"),
        ("MAPPED-ADDRESS", bytes.fromhex("00020d96c0000201"), "does not match its family"),
        ("MAPPED-ADDRESS", bytes.fromhex("00010d96c000020100"), "does not match its family"),
        ("XOR-MAPPED-ADDRESS", bytes(21), "at most 20 bytes"),
        ("ERROR-CODE", b"\0\0\4", "at least 4 bytes"),
        ("ERROR-CODE", b"\0\0\2\0", "between 300 and 699"),
        ("ERROR-CODE", b"\0\0\4\x64", "between 300 and 699"),
        ("LIFETIME", b"\0\0\2", "4 bytes long"),
        ("REQUESTED-TRANSPORT", bytes(8), "4 bytes long"),
        ("UNKNOWN-ATTRIBUTES", bytes(3), "even length"),
    ],
)
def test_a_value_that_makes_no_sense_is_absent_and_its_message_stands(name: str, value: bytes, sentence: str) -> None:
    number = stun.TYPES[name]
    with pytest.raises(ValueError, match=sentence):
        stun.UNPACKS[number](value, TID)
    parsed = stun.parse(stun.pack(raw((number, value), (0x8022, b"coturn"))))
    assert parsed.value(name) is None
    assert parsed.software == "coturn"


def test_text_that_is_not_utf8_is_read_and_kept() -> None:
    data = stun.pack(raw((0x0014, b"caf\xe9")))
    assert stun.parse(data).realm == "caf�"
    assert stun.pack(stun.parse(data)) == data


def test_the_xored_address_is_preferred_and_the_first_of_two_counts() -> None:
    plain = stun.attribute("MAPPED-ADDRESS", Address("10.0.0.1", 1))
    first, second = (stun.attribute("XOR-MAPPED-ADDRESS", Address("192.0.2.1", port), TID) for port in (2, 3))
    assert message(plain).mapped_address == ("10.0.0.1", 1)
    assert message(plain, first, second).mapped_address == ("192.0.2.1", 2)


def test_an_error_code_in_a_success_is_none() -> None:
    refused = stun.attribute("ERROR-CODE", ErrorCode(401, "Unauthorized"))
    assert message(refused).error_code is None
    assert message(refused, kind=MessageClass.ERROR).error_code == 401


def test_a_fingerprint_that_is_not_last_or_not_whole_is_invalid() -> None:
    last = stun.parse(vector("viber-allocate-401")).attributes[-1]
    assert message(last, stun.attribute("SOFTWARE", "None")).fingerprint_valid is False
    assert raw((0x8028, b"")).fingerprint_valid is False


# --- Another implementation -----------------------------------------------------------------------------------

ADDRESSES = st.builds(Address, st.ip_addresses().map(str), st.integers(0, 65535))
TEXTS = st.text(max_size=40)
VALUES = {
    "MAPPED-ADDRESS": ADDRESSES,
    "XOR-MAPPED-ADDRESS": ADDRESSES,
    "XOR-RELAYED-ADDRESS": ADDRESSES,
    "RESPONSE-ORIGIN": ADDRESSES,
    "ERROR-CODE": st.builds(ErrorCode, st.integers(300, 699), TEXTS),
    "USERNAME": TEXTS,
    "REALM": TEXTS,
    "SOFTWARE": TEXTS,
    "LIFETIME": st.integers(0, 2**32 - 1),
}


@given(
    st.fixed_dictionaries({}, optional=VALUES),
    st.sampled_from(Method),
    st.sampled_from(MessageClass),
    st.binary(min_size=12, max_size=12),
)
def test_aioice_reads_what_we_build(
    values: dict[str, stun.Value], method: Method, kind: MessageClass, transaction_id: bytes
) -> None:
    attributes = tuple(stun.attribute(name, value, transaction_id) for name, value in values.items())
    data = stun.pack(Message(method, kind, transaction_id, attributes))
    theirs = oracle.parse_message(data)
    ours = stun.parse(data)
    assert (theirs.message_method.name, theirs.message_class.name) == (method.name, kind.name)
    assert theirs.transaction_id == ours.transaction_id == transaction_id
    for name, value in values.items():
        assert ours.value(name) == value
        assert theirs.attributes[name] == value
    theirs.add_fingerprint()
    assert stun.parse(bytes(theirs)).fingerprint_valid is True


def test_aioice_reads_our_requests() -> None:
    assert oracle.parse_message(stun.binding_request(TID)).message_method is oracle.Method.BINDING
    theirs = oracle.parse_message(stun.allocate_request(TID))
    assert theirs.attributes == {"REQUESTED-TRANSPORT": 0x11000000}


# --- Junk -----------------------------------------------------------------------------------------------------


def read_everything(data: bytes) -> None:
    """What a handshake does with a datagram: only ValueError may come of it, and only of parse."""
    try:
        parsed = stun.parse(data)
    except ValueError:
        return
    assert stun.pack(parsed) == data
    for name in stun.TYPES:
        parsed.value(name)
    _ = (parsed.error_code, parsed.reason, parsed.mapped_address, parsed.fingerprint_valid, parsed.response_origin)
    stun.answers(stun.binding_request(TID), parsed)


@given(st.binary(max_size=80))
def test_junk(data: bytes) -> None:
    read_everything(data)


@given(st.binary(max_size=2).map(lambda head: head.rjust(2, b"\0")), st.binary(max_size=80))
def test_junk_behind_a_good_header(kind: bytes, body: bytes) -> None:
    read_everything(kind + struct.pack("!HI", len(body), stun.COOKIE) + TID + body)


@given(st.sampled_from(GENUINE), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6))
def test_mutated_vectors(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(vector(name))
    for position, byte in changes:
        data[position % len(data)] = byte
    read_everything(bytes(data))
