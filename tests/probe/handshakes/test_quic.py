"""QUIC and HTTP/3: against a real caddy, aioquic's server with and without a socket, and against impostors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.packet import QuicPacketType, QuicProtocolVersion, pull_quic_header
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.handshakes.quic import OTHER_NAME
from probe.model import Expect, Grade, HttpFacts, IcmpFacts, Operation, QuicFacts, Step, TlsFacts
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, endpoint, instruments, shake
from tests.scripted import Icmp, ScriptedDialer, Udp, run
from tests.servers.caddy import Caddy
from tests.servers.certificates import Authority, Leaf
from tests.servers.quic import Change, QuicPeer, serving_quic

PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))
LEAF = PUBLIC.leaf("chat.example")
HOST = "203.0.113.4"
WHERE = endpoint("quic", "chat.example", 443, address=HOST)
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)


def tools(dialer: Any, **changes: Any) -> Any:
    trust = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})
    return instruments(dialer, **{"trust": trust, "wall_ms": lambda: NOW_MS, **changes})


def spoken(leaf: Leaf = LEAF, where: Any = WHERE, change: Change = lambda data: [data], **server: Any) -> Outcome:
    """A handshake with a server that has no socket, on a clock that does not wait."""
    peer = QuicPeer(leaf, change=change, **server)
    seen = run(shake(tools(peer), where))
    assert peer.closed
    return seen


def answered(*replies: Any, where: Any = WHERE) -> Outcome:
    """A handshake with something that gives the same replies to each datagram."""
    return run(shake(tools(ScriptedDialer({("udp", HOST, 443): Udp(always=replies)})), where))


def leaf_hash(leaf: Leaf) -> str:
    der = x509.load_pem_x509_certificate(leaf.certificate).public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


# --- Session against session ----------------------------------------------------------------------------------


def test_a_public_root_is_bound_and_the_pinned_authority_is_crypto() -> None:
    seen = spoken()
    assert (seen.failure, seen.grade, [each.step for each in seen.observations]) == (None, Grade.BOUND, [Step.QUIC])
    assert seen.last.quic == QuicFacts(sends=2, initial=True)
    facts = seen.last.tls
    assert facts is not None
    assert (facts.version, facts.alpn, facts.leaf_sha256) == ("TLSv1.3", "h3", leaf_hash(LEAF))
    assert facts.issuer_sha256
    pinned = spoken(OWN.leaf("chat.example"), replace(WHERE, ca="service"))
    assert pinned.grade is Grade.CRYPTO


@pytest.mark.parametrize("name", ["chat.example", ".".join(["x" * 62] * 4)])
def test_the_hello_is_whole_in_the_first_datagram(name: str) -> None:
    peer = QuicPeer(PUBLIC.leaf("chat.example"))
    run(shake(tools(peer), replace(WHERE, server_name=name)))
    assert len(peer.received[0]) == 1200
    (answer,) = run(_first_answer(QuicPeer(LEAF), peer.received[0]))
    # A server has the keys of the Handshake packets only once it has read the whole ClientHello.
    assert packet_types(answer) == [QuicPacketType.INITIAL, QuicPacketType.HANDSHAKE]


async def _first_answer(peer: QuicPeer, data: bytes) -> list[bytes]:
    await peer.send(data)
    return [await peer.receive()]


def packet_types(datagram: bytes) -> list[QuicPacketType]:
    found, position = [], 0
    while position < len(datagram) and datagram[position]:
        header = pull_quic_header(Buffer(data=datagram[position:]), host_cid_length=8)
        found.append(header.packet_type)
        position += header.packet_length
    return found


def test_a_page_is_a_step_of_its_own() -> None:
    page = ([(b":status", b"200"), (b"server", b"edge"), (b"location", b"https://x.example/y?z")], b"<title>Hi</title>")
    seen = spoken(where=replace(WHERE, expect=Expect(status=200, body="<title")), page=page)
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert [each.step for each in seen.observations] == [Step.QUIC, Step.HTTP]
    assert seen.last.http == HttpFacts(status=200, title="Hi", server="edge", location="https://x.example")
    assert seen.last.bytes_sent > 20
    refused = spoken(where=replace(WHERE, expect=Expect(status=200)), page=([(b":status", b"451")], b""))
    assert (refused.grade, refused.failure) == (None, "http_unexpected_status_code")
    assert (refused.last.step, refused.last.operation) == (Step.HTTP, Operation.VERIFY)


@pytest.mark.parametrize(
    ("headers", "failures"),
    [
        ([(b"server", b"edge")], {"unexpected_reply"}),
        ([(b":status", b"9" * 18)], {"http_request_failed", "unexpected_reply"}),
        ([(b":status", b"two hundred")], {"http_request_failed", "unexpected_reply"}),
        ([(b":status", b"200"), (b":status", b"200")], {"unexpected_reply"}),
    ],
)
def test_a_response_that_is_none_is_told_from_a_refusal(headers: list[tuple[bytes, bytes]], failures: set[str]) -> None:
    seen = spoken(where=replace(WHERE, expect=Expect(status=200)), page=(headers, b"x"))
    assert seen.failure in failures
    assert (seen.grade, seen.last.step, seen.last.http) == (None, Step.HTTP, None)


def test_a_body_without_end_is_read_up_to_a_bound() -> None:
    page = ([(b":status", b"200")], bytes(200_000))
    seen = spoken(where=replace(WHERE, expect=Expect(status=200)), page=page)
    assert seen.failure is None
    assert seen.last.bytes_received < 120_000


@pytest.mark.parametrize(
    ("leaf", "failure"),
    [
        (FORGER.leaf("chat.example"), "ssl_unknown_authority"),
        (OWN.leaf("chat.example"), "ssl_unknown_authority"),
        (PUBLIC.leaf("other.example"), "ssl_invalid_hostname"),
    ],
)
def test_a_certificate_that_is_refused_is_kept(leaf: Leaf, failure: str) -> None:
    seen = spoken(leaf)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, Operation.VERIFY)
    assert seen.last.tls is not None
    assert seen.last.tls.leaf_sha256 == leaf_hash(leaf)


@pytest.mark.parametrize(("authority", "contradicted"), [(Authority.create("Public root"), True), (FORGER, False)])
def test_a_copied_name_is_kept_as_a_contradiction(authority: Authority, contradicted: bool) -> None:
    seen = spoken(authority.leaf("chat.example"))
    assert seen.failure == "ssl_unknown_authority"
    assert seen.last.tls is not None
    assert seen.last.tls.contradicted is contradicted


def test_another_protocol_is_refused_with_an_alert() -> None:
    seen = spoken(alpn="smb")
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "ssl_failed_handshake", Operation.READ)
    assert seen.last.quic is not None
    assert seen.last.quic.close_code == 0x178
    assert seen.last.tls == TlsFacts(alert="no_application_protocol")


def test_a_code_that_no_record_holds_is_kept_as_the_largest() -> None:
    """Codes have 62 bits and Initials no secrets: a forged close would make a record that no collector takes."""
    seen = spoken(closing=2**62 - 1)
    assert (seen.grade, seen.failure) == (None, "unexpected_reply")
    assert seen.last.quic is not None
    assert seen.last.quic.close_code == 2**53 - 1


def test_lost_datagrams_are_sent_again_and_counted() -> None:
    seen = spoken(deaf=3)
    assert (seen.grade, seen.last.quic) == (Grade.BOUND, QuicFacts(sends=5, initial=True))


# --- Silence, and who is not the service ----------------------------------------------------------------------


def test_silence() -> None:
    seen = answered()
    assert (seen.failure, seen.last.operation, seen.last.tls) == (
        "generic_timeout_error",
        Operation.READ,
        TlsFacts(),
    )
    assert seen.last.quic is not None
    assert seen.last.quic.sends == seen.last.packets_sent > 4
    assert not seen.last.quic.initial
    assert 9.9 < seen.last.took_us / 1e6 < 10.1


def test_an_icmp_error_is_the_failure_but_not_the_end() -> None:
    refused = Icmp(ConnectionRefusedError(111, "x"), IcmpFacts(type=3, code=3, from_target=True))
    seen = answered(refused)
    assert (seen.failure, seen.last.icmp) == ("connection_refused", refused.facts)
    assert seen.last.packets_sent > 4


def version_negotiation(request: bytes, *versions: int) -> bytes:
    """RFC 9000, 17.2.1: the connection ids of the request, exchanged."""
    destination = request[6 : 6 + request[5]]
    rest = request[6 + request[5] :]
    source = rest[1 : 1 + rest[0]]
    ids = bytes([len(source)]) + source + bytes([len(destination)]) + destination
    return b"\x80\0\0\0\0" + ids + b"".join(version.to_bytes(4) for version in versions)


def test_versions_that_we_do_not_speak_are_kept() -> None:
    seen = answered(lambda request: version_negotiation(request, 0x1A2A3A4A, 0x6B3343CF))
    assert (seen.grade, seen.failure) == (None, "quic_incompatible_version")
    assert seen.last.quic is not None
    assert seen.last.quic.versions == ("0x1a2a3a4a", "0x6b3343cf")


def test_a_forged_list_of_versions_followed_by_the_genuine_answer_is_a_success() -> None:
    peers: list[QuicPeer] = []

    def forged(data: bytes) -> list[bytes]:
        return [version_negotiation(peers[0].received[0], 0x1A2A3A4A), data]

    peers.append(QuicPeer(LEAF, change=forged))
    seen = run(shake(tools(peers[0]), WHERE))
    assert seen.grade is Grade.BOUND
    assert seen.last.quic is not None
    assert seen.last.quic.versions == ("0x1a2a3a4a",)


@pytest.mark.parametrize(
    "impostor",
    [
        lambda request: request,
        lambda request: b"junk",
        lambda request: bytes(1200),
        lambda request: b"\x80\0\0\0\0\x04abcd\x00" + bytes(4),  # versions, to somebody else
        lambda request: b"\x40" + bytes(40),  # like a stateless reset
        lambda request: b"HTTP/1.1 302 Found\r\n\r\n",
    ],
)
def test_who_does_not_repeat_our_connection_id_says_nothing(impostor: Callable[[bytes], bytes]) -> None:
    seen = answered(impostor)
    assert (seen.grade, seen.failure) == (None, "generic_timeout_error")
    assert seen.last.quic is not None
    assert (seen.last.quic.initial, seen.last.quic.retry, seen.last.quic.versions) == (False, False, ())


def test_a_replayed_answer_is_not_ours() -> None:
    recorded: list[bytes] = []

    def record(data: bytes) -> list[bytes]:
        recorded.append(data)
        return [data]

    assert spoken(change=record).grade is Grade.BOUND
    seen = answered(*recorded)
    assert (seen.grade, seen.failure) == (None, "generic_timeout_error")
    assert seen.last.quic is not None
    assert seen.last.quic.unmatched > 0


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=80), place=st.integers(0, 1300), whole=st.booleans())
def test_whatever_comes_is_recorded_as_a_failure_of_the_vocabulary(data: bytes, place: int, whole: bool) -> None:
    def damaged(answer: bytes) -> list[bytes]:
        return [data] if whole else [answer[:place] + data + answer[place + len(data) :]]

    seen = spoken(change=damaged)
    assert seen.failure in (None, "generic_timeout_error", "unexpected_reply", "ssl_failed_handshake")


# --- The same address with another name -----------------------------------------------------------------------

OTHER = replace(WHERE, handshake="quic-other-name")


def test_another_name_is_asked_for_and_any_answer_to_it_counts() -> None:
    peer = QuicPeer(LEAF)
    seen = run(shake(tools(peer), OTHER))
    assert (seen.grade, [each.step for each in seen.observations]) == (Grade.BOUND, [Step.QUIC])
    assert spoken(where=OTHER, alpn="smb").grade is Grade.BOUND  # it closes at once: it answers
    assert answered(lambda request: version_negotiation(request, 7), where=OTHER).grade is Grade.BOUND


def test_who_is_silent_to_every_name_is_silent() -> None:
    assert answered(where=OTHER).failure == "generic_timeout_error"
    assert answered(lambda request: request, where=OTHER).grade is None


# --- Real servers ---------------------------------------------------------------------------------------------


@pytest.mark.needs("caddy")
async def test_caddy_over_http_3(caddy_server: Caddy, authority: Authority) -> None:
    where = endpoint(
        "quic", "chat.example", caddy_server.https_port, address=caddy_server.address,
        expect=Expect(status=200, body="hello"),
    )  # fmt: skip
    seen = await shake(tools(SocketDialer(), trust=Trust(authority.pem, {})), where)
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert [each.step for each in seen.observations] == [Step.QUIC, Step.HTTP]
    quic, http = seen.observations
    assert quic.tls is not None
    assert quic.tls.leaf_sha256 == leaf_hash(caddy_server.leaves["chat.example"])
    assert quic.quic is not None
    assert (quic.quic.initial, quic.quic.retry) == (True, False)
    assert http.http is not None
    assert (http.http.status, http.http.server) == (200, "Caddy")
    assert 1200 < quic.bytes_sent < 6000
    assert 0 < http.bytes_received < 3000


@pytest.mark.needs("caddy")
async def test_caddy_answers_another_name(caddy_server: Caddy, authority: Authority) -> None:
    where = endpoint("quic", "chat.example", caddy_server.https_port, address=caddy_server.address)
    seen = await shake(tools(SocketDialer()), replace(where, handshake="quic-other-name"))
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert OTHER_NAME not in caddy_server.leaves


async def test_a_retry_is_followed_and_kept() -> None:
    async with serving_quic(LEAF, retry=True) as port:
        where = endpoint("quic", "127.0.0.1", port, server_name="chat.example")
        seen = await shake(tools(SocketDialer()), where)
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert seen.last.quic is not None
    assert (seen.last.quic.retry, seen.last.quic.initial) == (True, True)


async def test_a_server_of_another_version_is_told_from_silence() -> None:
    async with serving_quic(LEAF, versions=[QuicProtocolVersion.VERSION_2]) as port:
        where = endpoint("quic", "127.0.0.1", port, server_name="chat.example")
        seen = await shake(tools(SocketDialer(), scale=0.2), where)
    assert (seen.grade, seen.failure) == (None, "quic_incompatible_version")
    assert seen.last.quic is not None
    assert seen.last.quic.versions == ("0x6b3343cf",)


async def test_nobody_there_is_refused() -> None:
    async with serving_quic(LEAF) as port:
        pass
    seen = await shake(tools(SocketDialer(), scale=0.2), endpoint("quic", "127.0.0.1", port, server_name="a.example"))
    assert seen.failure == "connection_refused"


@settings(max_examples=60, deadline=None)
@given(place=st.integers(14, 200), bits=st.integers(1, 255))
def test_what_repeats_our_connection_id_and_cannot_be_read_is_no_silence(place: int, bits: int) -> None:
    """The first 14 bytes of an Initial say that it is for us; behind them every bit is sealed, or says how."""

    def damaged(data: bytes) -> list[bytes]:
        return [data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :]]

    assert spoken(change=damaged).failure != "generic_timeout_error"


@pytest.mark.parametrize("kept", [14, 15, 30, 60])
def test_a_datagram_for_us_that_is_cut_is_no_silence(kept: int) -> None:
    seen = spoken(change=lambda data: [data[:kept]])
    assert (seen.failure, seen.last.operation) == ("unexpected_reply", Operation.DECODE)


def test_a_datagram_for_nobody_is_silence() -> None:
    """A connection id is random: who does not repeat ours did not read what we sent."""
    seen = spoken(change=lambda data: [data[:6] + bytes(8) + data[14:]])
    assert seen.failure == "generic_timeout_error"
    assert seen.last.quic is not None
    assert seen.last.quic.unmatched
