"""DTLS 1.2: against openssl, coturn, OpenSSL without a socket, and what is not the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.model import DtlsFacts, Grade, IcmpFacts, Operation, Step, TlsFacts
from probe.net.dialer import SocketDialer
from probe.secure.dtls import MTU, again, records
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, endpoint, instruments, shake
from tests.probe.codecs.test_stun import vector
from tests.scripted import Icmp, ScriptedDialer, Udp, run
from tests.servers.certificates import Authority, Leaf
from tests.servers.coturn import Coturn
from tests.servers.dtls import DtlsPeer, openssl_server

PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))
LEAF = PUBLIC.leaf("relay.example")
HOST = "203.0.113.4"
WHERE = endpoint("dtls", HOST, 443)
NAMED = replace(WHERE, server_name="relay.example")
HELLOS = pytest.mark.parametrize("handshake", ["dtls", "dtls-browser"])
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)
ALERT = bytes.fromhex("15fefd0000000000000000000202 28".replace(" ", ""))  # fatal, handshake_failure


def tools(dialer: Any, **changes: Any) -> Any:
    trust = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})
    return instruments(dialer, **{"trust": trust, "wall_ms": lambda: NOW_MS, **changes})


def spoken(peer: DtlsPeer, where: Any = WHERE) -> Outcome:
    """A handshake with a server that has no socket, on a clock that does not wait."""
    seen = run(shake(tools(peer), where))
    assert peer.closed
    return seen


def answered(*replies: Any, where: Any = WHERE) -> Outcome:
    """A handshake with something that gives the same replies to each datagram."""
    return run(shake(tools(ScriptedDialer({("udp", HOST, 443): Udp(always=replies)})), where))


# --- Session against session ----------------------------------------------------------------------------------


@HELLOS
@pytest.mark.parametrize("cookie", [True, False])
@pytest.mark.parametrize("asks", [True, False])
def test_a_handshake_that_completes_is_bound(handshake: str, cookie: bool, asks: bool) -> None:
    peer = DtlsPeer(LEAF, cookie=cookie, asks=asks)
    seen = spoken(peer, replace(WHERE, handshake=handshake))
    assert (seen.failure, seen.grade, [each.step for each in seen.observations]) == (None, Grade.BOUND, [Step.DTLS])
    facts = seen.last.dtls
    assert facts == DtlsFacts(sends=len(peer.received) - 1, hello_verify=cookie, server_hello=True)
    assert seen.last.tls is not None
    assert (seen.last.tls.version, seen.last.tls.hello_bytes) == ("DTLSv1.2", len(peer.received[0]))
    assert seen.last.tls.leaf_sha256


def test_every_handshake_shows_another_certificate_of_nobody() -> None:
    peers = [DtlsPeer(LEAF, asks=True) for _ in range(2)]
    assert [spoken(peer).grade for peer in peers] == [Grade.BOUND] * 2
    shown = [peer.shown for peer in peers]
    assert all(shown)
    keys = {one.public_key().public_numbers() for one in shown if one}  # type: ignore[union-attr]
    names = {one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for one in shown if one}
    assert (len(keys), names) == (2, {"WebRTC"})


@pytest.mark.parametrize(
    ("leaf", "where", "grade", "failure"),
    [
        (LEAF, NAMED, Grade.BOUND, None),
        (OWN.leaf("relay.example"), replace(NAMED, ca="service"), Grade.CRYPTO, None),
        (FORGER.leaf("relay.example"), NAMED, None, "ssl_unknown_authority"),
        (FORGER.leaf("relay.example"), replace(NAMED, ca="service"), None, "ssl_unknown_authority"),
        (PUBLIC.leaf("other.example"), NAMED, None, "ssl_invalid_hostname"),
        (FORGER.leaf("relay.example"), WHERE, Grade.BOUND, None),  # nothing was said of whose it must be
    ],
)
def test_a_certificate_is_verified_where_there_is_something_to_verify_by(
    leaf: Leaf, where: Any, grade: Grade | None, failure: str | None
) -> None:
    seen = spoken(DtlsPeer(leaf), where)
    assert (seen.grade, seen.failure) == (grade, failure)
    if failure:
        assert seen.last.operation is Operation.VERIFY
    assert seen.last.tls is not None
    assert seen.last.tls.leaf_sha256


@pytest.mark.parametrize(("authority", "contradicted"), [(Authority.create("Public root"), True), (FORGER, False)])
def test_a_copied_name_is_kept_as_a_contradiction(authority: Authority, contradicted: bool) -> None:
    seen = spoken(DtlsPeer(authority.leaf("relay.example")), NAMED)
    assert seen.failure == "ssl_unknown_authority"
    assert seen.last.tls is not None
    assert seen.last.tls.contradicted is contradicted


def test_what_is_lost_is_sent_again_on_our_schedule() -> None:
    peer = DtlsPeer(LEAF, cookie=False, deaf=3)
    seen = spoken(peer)
    assert (seen.grade, seen.failure) == (Grade.BOUND, None)
    assert 1.49 < seen.last.took_us / 1e6 < 1.6  # at 0, 0.5, 1 and 1.5 s
    numbers = [int.from_bytes(data[5:11]) for data in peer.received[:4]]
    assert numbers == [0, 8, 16, 24]


def test_a_lost_finished_is_sent_again_and_answered() -> None:
    """The server's last flight does not arrive; ours, sent again, makes it send its own again."""
    flights = iter([True, True, False])

    def change(data: bytes) -> list[bytes]:
        is_last = data[0] == 20 or records(data)[0][3:5] != b"\0\0"
        return [data] if not is_last or not next(flights, False) else []

    seen = spoken(DtlsPeer(LEAF, change=change))
    assert seen.failure in (None, "generic_timeout_error")
    assert seen.last.dtls is not None
    assert seen.last.dtls.sends > 3


# --- The hellos, and how they differ --------------------------------------------------------------------------


def hello_of(handshake: str, where: Any = WHERE) -> bytes:
    """The body of the first ClientHello, as it is in one datagram."""
    peer = DtlsPeer(LEAF)
    spoken(peer, replace(where, handshake=handshake))
    (record,) = records(peer.received[0])
    assert record[13] == 1
    assert record[1:3] == (b"\xfe\xfd" if handshake == "dtls" else b"\xfe\xff")
    return record[25:]


def parsed(hello: bytes) -> tuple[list[str], dict[int, str]]:
    """RFC 5246, 7.4.1.2 with a cookie: cipher suites and extensions, in order."""
    rest = hello[34:]
    for _ in ("session id", "cookie"):
        rest = rest[1 + rest[0] :]
    count = int.from_bytes(rest[:2])
    suites, rest = rest[2 : 2 + count], rest[2 + count :]
    rest = rest[1 + rest[0] + 2 :]
    extensions = {}
    while rest:
        length = int.from_bytes(rest[2:4])
        extensions[int.from_bytes(rest[:2])] = rest[4 : 4 + length].hex()
        rest = rest[4 + length :]
    return [suites[at : at + 2].hex() for at in range(0, count, 2)], extensions


GROUPS, SIGNATURES, SRTP, TICKET = 10, 13, 14, 35


def test_the_browsers_hello_is_chromes_but_for_what_openssl_decides() -> None:
    suites, ours = parsed(hello_of("dtls-browser"))
    genuine_suites, genuine = parsed(vector("chrome-126-client-hello", "dtls"))
    assert suites == genuine_suites
    assert set(ours) == set(genuine)
    assert ours[SRTP] == genuine[SRTP]
    differing = {kind for kind in ours if ours[kind] != genuine[kind]}
    assert differing == {GROUPS, SIGNATURES}
    assert list(ours) != list(genuine)  # the order, too


def test_the_other_hello_is_pions_but_for_what_openssl_decides() -> None:
    suites, ours = parsed(hello_of("dtls"))
    assert suites == ["c02b", "c02f", "cca9", "cca8", "c00a", "c014", "c02c", "c030"]  # pion/dtls v3, cipher_suite.go
    assert sorted(ours) == [10, 11, 13, 14, 23, 65281]  # flight1handler.go; there in the order 13 65281 10 11 14 23
    assert ours[SRTP] == "000600080007000100"  # pion/webrtc, constants.go
    assert TICKET not in ours


def test_a_name_is_sent_only_where_there_is_one() -> None:
    assert 0 not in parsed(hello_of("dtls"))[1]
    assert b"relay.example".hex() in parsed(hello_of("dtls", NAMED))[1][0]


@HELLOS
def test_the_hello_fits_one_datagram(handshake: str) -> None:
    long = replace(WHERE, server_name=".".join(["x" * 62] * 4), handshake=handshake)
    peer = DtlsPeer(LEAF)
    spoken(peer, long)
    assert 350 < len(peer.received[0]) < MTU


# --- The first answer -----------------------------------------------------------------------------------------

FIRST = replace(WHERE, handshake="dtls-hello")


@pytest.mark.parametrize(
    ("cookie", "facts"),
    [(True, DtlsFacts(hello_verify=True)), (False, DtlsFacts(server_hello=True))],
)
def test_the_first_answer_is_only_transport(cookie: bool, facts: DtlsFacts) -> None:
    peer = DtlsPeer(LEAF, cookie=cookie)
    seen = spoken(peer, FIRST)
    assert (seen.grade, seen.last.dtls) == (Grade.TRANSPORT, facts)
    assert len(peer.received) == 1


def test_a_handshake_that_is_cut_off_after_the_first_answer_says_so() -> None:
    first = iter([True])
    seen = spoken(DtlsPeer(LEAF, change=lambda data: [data] if next(first, False) else []))
    assert (seen.grade, seen.failure) == (None, "generic_timeout_error")
    assert seen.last.dtls is not None
    assert (seen.last.dtls.hello_verify, seen.last.dtls.server_hello) == (True, False)


# --- Silence, and who is not the service ----------------------------------------------------------------------


@pytest.mark.parametrize("where", [WHERE, FIRST])
def test_silence(where: Any) -> None:
    seen = answered(where=where)
    assert (seen.failure, seen.last.operation, seen.last.dtls) == (
        "generic_timeout_error",
        Operation.READ,
        DtlsFacts(sends=7),
    )
    assert 9.9 < seen.last.took_us / 1e6 < 10.1


def test_an_icmp_error_is_the_failure_but_not_the_end() -> None:
    refused = Icmp(ConnectionRefusedError(111, "x"), IcmpFacts(type=3, code=3, from_target=True))
    seen = answered(refused)
    assert (seen.failure, seen.last.icmp, seen.last.packets_sent) == ("connection_refused", refused.facts, 7)


def test_an_alert_is_kept() -> None:
    seen = answered(ALERT)
    assert (seen.failure, seen.last.operation) == ("ssl_failed_handshake", Operation.READ)
    assert isinstance(seen.last.tls, TlsFacts)
    assert seen.last.tls.alert
    assert "handshake failure" in seen.last.tls.alert


@pytest.mark.parametrize("where", [WHERE, FIRST])
@pytest.mark.parametrize(
    "impostor",
    [
        lambda request: b"junk",
        lambda request: b"HTTP/1.1 302 Found\r\n\r\n",
        lambda request: bytes(40),
    ],
)
def test_what_is_no_dtls_is_counted_and_passed_over(impostor: Callable[[bytes], bytes], where: Any) -> None:
    seen = answered(impostor, where=where)
    assert (seen.grade, seen.failure, seen.last.dtls) == (
        None,
        "generic_timeout_error",
        DtlsFacts(sends=7, unmatched=7),
    )


@pytest.mark.parametrize("where", [WHERE, FIRST])
@pytest.mark.parametrize("broken", [lambda request: request[:-1], lambda request: b"\x16\xfe\xfd" + bytes(10)])
def test_what_begins_as_dtls_does_and_breaks_off_is_no_silence(broken: Callable[[bytes], bytes], where: Any) -> None:
    seen = answered(broken, where=where)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "unexpected_reply", Operation.DECODE)
    assert seen.last.dtls == DtlsFacts(sends=7, unmatched=7)


def test_an_echo_is_no_answer() -> None:
    seen = answered(lambda request: request)
    assert seen.grade is None
    assert seen.failure in ("generic_timeout_error", "ssl_failed_handshake")


def test_a_replayed_handshake_proves_nothing() -> None:
    recorded: list[bytes] = []

    def record(data: bytes) -> list[bytes]:
        recorded.append(data)
        return [data]

    assert spoken(DtlsPeer(LEAF, change=record)).grade is Grade.BOUND
    seen = answered(*recorded)
    assert seen.grade is None
    assert seen.failure in ("ssl_failed_handshake", "generic_timeout_error")


@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=60), place=st.integers(0, 900), whole=st.booleans())
def test_whatever_comes_is_recorded_as_a_failure_of_the_vocabulary(data: bytes, place: int, whole: bool) -> None:
    def damaged(answer: bytes) -> list[bytes]:
        return [data] if whole else [answer[:place] + data + answer[place + len(data) :]]

    seen = spoken(DtlsPeer(LEAF, change=damaged))
    assert seen.failure in (None, "generic_timeout_error", "ssl_failed_handshake", "unexpected_reply")


@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_records_are_the_whole_datagram_or_none(data: bytes) -> None:
    found = records(data)
    assert b"".join(found) in (data, b"")
    assert records(again(data, 3)) == [] or len(again(data, 3)) == len(data)


# --- Real servers ---------------------------------------------------------------------------------------------


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("handshake", "grade"),
    [("dtls", Grade.BOUND), ("dtls-browser", Grade.BOUND), ("dtls-hello", Grade.TRANSPORT)],
)
async def test_openssl_answers(handshake: str, grade: Grade, tmp_path: Path) -> None:
    where = endpoint(handshake, "127.0.0.1")
    named = where if handshake == "dtls-hello" else replace(where, server_name="relay.example")
    with openssl_server(tmp_path, LEAF) as port:
        seen = await shake(tools(SocketDialer()), replace(named, port=port))
    assert (seen.failure, seen.grade) == (None, grade)
    assert seen.last.dtls is not None
    assert seen.last.dtls.hello_verify


@pytest.mark.needs("coturn")
@HELLOS
async def test_coturn_answers(handshake: str, coturn_server: Coturn, authority: Authority) -> None:
    where = endpoint(handshake, coturn_server.address, coturn_server.tls_port, server_name="relay.example")
    seen = await shake(tools(SocketDialer(), trust=Trust(authority.pem, {})), where)
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert seen.last.tls is not None
    assert seen.last.tls.version == "DTLSv1.2"


def test_the_certificate_that_is_shown_is_signed_by_itself() -> None:
    peer = DtlsPeer(LEAF, asks=True)
    spoken(peer)
    assert isinstance(peer.shown, x509.Certificate)
    peer.shown.verify_directly_issued_by(peer.shown)
