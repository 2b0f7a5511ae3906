"""STUN Binding against scripts: what counts, what is kept, what is not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs.stun import (
    Address,
    ErrorCode,
    MessageClass,
    allocate_request,
    binding_request,
    google_allocate_request,
    parse,
)
from probe.model import Grade, IcmpFacts, Operation, Step, StunFacts
from probe.protocols import ALLOCATING, FOLLOW_UPS
from tests.probe.builders import endpoint, patched, refusal, scripted_shake, stun_reply
from tests.probe.codecs.test_stun import vector
from tests.scripted import OWN, Icmp, Later, Now, ScriptedDialer, Turn, Udp

HOST, HOST6 = "203.0.113.4", "2001:db8::4"
SERVER = endpoint("stun", HOST)
MAPPED = Address("198.18.77.66", 50123)
SUCCESS = stun_reply(("XOR-MAPPED-ADDRESS", MAPPED))


def network(*turns: Turn, always: Turn = ()) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, 3478): Udp(*turns, always=always)})


def test_a_reply_is_bound() -> None:
    dialer = network([SUCCESS])
    seen = scripted_shake(dialer, SERVER)
    assert (seen.grade, seen.last.step, seen.failure) == (Grade.BOUND, Step.STUN, None)
    assert seen.last.stun == StunFacts(mapped_is_local=False, port_preserved=False)
    assert (seen.last.bytes_sent, seen.last.packets_sent, seen.last.packets_received) == (20, 1, 1)
    assert dialer.still_open == []


def test_a_published_vector_is_read() -> None:
    seen = scripted_shake(network([patched("rfc5769-2.2-ipv4-response")]), SERVER)
    assert seen.grade is Grade.BOUND
    assert seen.last.stun is not None
    assert seen.last.stun.software == "test vector"
    assert seen.last.stun.fingerprint is False  # it was of the transaction id that we replaced


def test_the_address_of_the_day_is_dialled() -> None:
    dialer = ScriptedDialer({("udp", HOST6, 3478): Udp([SUCCESS])})
    seen = scripted_shake(dialer, endpoint("stun", "stun.example", address=HOST6))
    assert seen.grade is Grade.BOUND
    assert dialer.dialled == [("udp", HOST6, 3478)]


@pytest.mark.parametrize(
    ("mapped", "local", "preserved"),
    [
        (Address(OWN[4], 40001), True, True),
        (Address(OWN[4], 40002), False, False),
        (Address("198.18.77.66", 40001), False, True),
    ],
)
def test_the_mapped_address_is_compared(mapped: Address, local: bool, preserved: bool) -> None:
    facts = scripted_shake(network([stun_reply(("XOR-MAPPED-ADDRESS", mapped))]), SERVER).last.stun
    assert facts == StunFacts(mapped_is_local=local, port_preserved=preserved)


def test_facebooks_answer_of_before_the_cookie_is_read() -> None:
    """44 bytes, MAPPED-ADDRESS and nothing else: what stun.fbsbx.com sent over IPv6 in 2021 (nDPI stun.pcap)."""
    legacy = stun_reply(("MAPPED-ADDRESS", Address(OWN[6], 40001)))
    assert len(legacy(binding_request(bytes(12)))) == 44
    seen = scripted_shake(ScriptedDialer({("udp", HOST6, 3478): Udp([legacy])}), endpoint("stun", HOST6))
    assert seen.grade is Grade.BOUND
    assert seen.last.stun == StunFacts(mapped_is_local=True, port_preserved=True)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [(Address(HOST, 3478), True), (Address(HOST, 3479), False), (Address("192.0.2.9", 3478), False)],
)
def test_the_origin_of_the_answer_is_compared(origin: Address, expected: bool) -> None:
    facts = scripted_shake(network([stun_reply(("RESPONSE-ORIGIN", origin))]), SERVER).last.stun
    assert facts == StunFacts(origin_is_target=expected)


@pytest.mark.parametrize("name", ["XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS", "OTHER-ADDRESS", "ALTERNATE-SERVER"])
def test_no_address_of_the_reply_is_kept(name: str) -> None:
    reply = stun_reply((name, MAPPED), ("SOFTWARE", f"nat for {MAPPED.ip} and {OWN[4]}, 0612345678"))
    seen = scripted_shake(network([reply]), SERVER)
    text = msgspec.json.encode(seen.observations).decode()
    assert seen.grade is Grade.BOUND
    for private in (MAPPED.ip, OWN[4], "50123", "40001", "0612345678"):
        assert private not in text


def test_no_ipv6_address_is_kept() -> None:
    dialer = ScriptedDialer({("udp", HOST6, 3478): Udp([stun_reply(("XOR-MAPPED-ADDRESS", Address(OWN[6], 9)))])})
    seen = scripted_shake(dialer, endpoint("stun", HOST6))
    assert seen.last.stun == StunFacts(mapped_is_local=False, port_preserved=False)
    assert OWN[6] not in msgspec.json.encode(seen.observations).decode()


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n",
        vector("rfc5769-2.2-ipv4-response"),  # genuine, of another transaction
        lambda request: request,  # reflected
        lambda request: SUCCESS(request)[:-1],
        lambda request: b"\x01\x13" + SUCCESS(request)[2:],  # of another method
    ],
)
def test_what_answers_something_else_is_counted_and_passed_over(junk: Now) -> None:
    seen = scripted_shake(network([junk, Later(0.2, SUCCESS)]), SERVER)
    assert seen.grade is Grade.BOUND
    assert seen.last.stun is not None
    assert (seen.last.stun.unmatched, seen.last.stun.sends) == (1, 1)


def test_silence_is_asked_seven_times_with_the_same_bytes() -> None:
    dialer = network()
    seen = scripted_shake(dialer, SERVER)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "generic_timeout_error", Operation.READ)
    assert seen.last.stun == StunFacts(sends=7)
    assert (seen.last.took_us, seen.last.bytes_sent, seen.last.packets_sent) == (8_000_000, 140, 7)
    assert len({(each.data, each.port) for each in dialer.sent}) == 1


def test_sends_are_counted_when_an_answer_comes_late() -> None:
    seen = scripted_shake(network([], [], [], [SUCCESS]), SERVER)
    assert seen.last.stun is not None
    assert (seen.last.stun.sends, seen.last.took_us) == (4, 1_500_000)


def test_an_error_response_is_an_answer() -> None:
    """Whoever refuses our Binding has read it and is heard: the path is open."""
    reply = stun_reply(("ERROR-CODE", ErrorCode(420, "Unknown Attribute")), kind=MessageClass.ERROR)
    seen = scripted_shake(network([reply]), SERVER)
    assert seen.grade is Grade.BOUND
    assert seen.last.stun is not None
    assert seen.last.stun.error_code == 420
    assert scripted_shake(network([refusal(401)]), SERVER).grade is Grade.BOUND


def test_an_icmp_is_kept_and_does_not_end_the_wait() -> None:
    forged = Icmp(ConnectionRefusedError(111, "x"), IcmpFacts(type=3, code=3, from_target=False))
    failed = scripted_shake(network(always=[forged]), SERVER)
    assert (failed.failure, failed.last.icmp, failed.last.took_us) == ("connection_refused", forged.facts, 8_000_000)
    passed = scripted_shake(network([forged, Later(3.0, SUCCESS)]), SERVER)
    assert (passed.grade, passed.failure, passed.last.icmp) == (Grade.BOUND, None, forged.facts)


def test_no_route_fails_at_connect() -> None:
    seen = scripted_shake(ScriptedDialer(own={}), SERVER)
    assert (seen.failure, seen.last.operation) == ("network_unreachable", Operation.CONNECT)


def test_each_attempt_has_its_own_transaction() -> None:
    dialer = network(always=[SUCCESS])
    for seed in (1, 2):
        scripted_shake(dialer, SERVER, seed=seed)
    first, second = (parse(each.data).transaction_id for each in dialer.sent)
    assert first != second
    assert len({each.port for each in dialer.sent}) == 2


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=60), max_size=4), st.binary(max_size=60))
def test_no_reply_raises(junk: list[bytes], body: bytes) -> None:
    ours = lambda request: b"\x01\x01" + len(body).to_bytes(2) + request[4:20] + body  # noqa: E731
    seen = scripted_shake(network([*junk, ours]), SERVER)
    assert seen.failure in (None, "unexpected_reply", "generic_timeout_error")


@pytest.mark.parametrize(
    ("padded", "allocate"),
    [("stun-padded", allocate_request), ("stun-padded-google", google_allocate_request)],
)
def test_a_padded_binding_is_as_long_as_the_allocate_beside_which_it_is_asked(
    padded: str, allocate: Callable[[bytes], bytes]
) -> None:
    seen = scripted_shake(network([SUCCESS]), replace(SERVER, handshake=padded))
    assert seen.grade is Grade.BOUND
    assert seen.last.bytes_sent == len(allocate(bytes(12)))


def test_every_padded_binding_stands_beside_allocates_of_its_own_size() -> None:
    sizes = {"turn": 28, "turn-4571": 28, "turn-google": 40}
    padding = {"stun-padded": 8, "stun-padded-4571": 8, "stun-padded-google": 20}
    assert {name: len(binding_request(bytes(12), padding[FOLLOW_UPS[name]])) for name in sizes} == sizes
    assert FOLLOW_UPS.keys() & ALLOCATING == sizes.keys()
