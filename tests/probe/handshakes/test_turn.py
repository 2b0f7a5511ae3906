"""TURN Allocate without credentials: the refusal is the answer, and its realm the mark."""

from __future__ import annotations

import msgspec
import pytest

from probe.codecs.stun import Address, ErrorCode, MessageClass, Method, parse
from probe.model import Expect, Grade, IcmpFacts, Operation, Step, StunFacts
from tests.probe.builders import endpoint, patched, really_shake, refusal, scripted_shake, stun_reply
from tests.scripted import Icmp, Later, Now, ScriptedDialer, Turn, Udp
from tests.servers.coturn import Coturn

HOST = "203.0.113.4"
MARKED = endpoint("turn", HOST, expect=Expect(realm="relay.example"))


def network(*turns: Turn, always: Turn = ()) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, 3478): Udp(*turns, always=always)})


@pytest.mark.parametrize(
    ("name", "realm", "software"),
    [
        ("telegram", "telegram.org", "None"),
        ("signal", "signal.org", "None"),
        ("viber", "viber.com", None),
        ("facebook", "turner.facebook", None),
        ("google", "turn.l.google.com", None),
    ],
)
def test_the_genuine_relays_are_marked(name: str, realm: str, software: str | None) -> None:
    dialer = network([patched(f"{name}-allocate-401")])
    seen = scripted_shake(dialer, endpoint("turn", HOST, expect=Expect(realm=realm)))
    assert (seen.grade, seen.last.step, seen.failure) == (Grade.MARKED, Step.TURN, None)
    assert seen.last.stun is not None
    assert (seen.last.stun.error_code, seen.last.stun.realm, seen.last.stun.software) == (401, realm, software)


def test_google_is_asked_as_its_clients_ask() -> None:
    dialer = network([patched("google-allocate-401")])
    seen = scripted_shake(dialer, endpoint("turn-google", HOST, expect=Expect(realm="turn.l.google.com")))
    assert (seen.grade, seen.last.step) == (Grade.MARKED, Step.TURN)
    (sent,) = dialer.sent
    assert len(sent.data) == 40
    assert sent.data[20:] == bytes.fromhex("0019000411000000 ff050007") + b"TY_null\0"
    other = scripted_shake(
        network([refusal(401)]), endpoint("turn-google", HOST, expect=Expect(realm="turn.l.google.com"))
    )
    assert other.grade is Grade.BOUND


@pytest.mark.needs("coturn")
async def test_a_real_relay_answers_google_clients_too(coturn_server: Coturn) -> None:
    """It passes over what it may pass over: the attribute's number says that it need not be understood."""
    expect = Expect(realm=coturn_server.realm)
    seen = await really_shake(endpoint("turn-google", coturn_server.address, coturn_server.port, expect=expect))
    assert seen.grade is Grade.MARKED


def test_what_is_sent_is_one_request_without_credentials() -> None:
    dialer = network([refusal(401)])
    scripted_shake(dialer, MARKED)
    (sent,) = dialer.sent
    request = parse(sent.data)
    assert (request.method, request.message_class) == (Method.ALLOCATE, MessageClass.REQUEST)
    assert [attribute.type for attribute in request.attributes] == [0x0019]
    assert dialer.still_open == []


@pytest.mark.parametrize("realm", ["forged.example", "", "Relay.example", "relay.example."])
def test_another_realm_is_only_bound(realm: str) -> None:
    assert scripted_shake(network([refusal(401, realm)]), MARKED).grade is Grade.BOUND


def test_no_realm_is_only_bound() -> None:
    bare = stun_reply(("ERROR-CODE", ErrorCode(401, "Unauthorized")), kind=MessageClass.ERROR)
    assert scripted_shake(network([bare]), MARKED).grade is Grade.BOUND
    assert scripted_shake(network([refusal(401)]), endpoint("turn", HOST)).grade is Grade.BOUND  # none was expected


@pytest.mark.parametrize("code", [300, 403, 437, 438, 486, 500])
def test_another_refusal_is_not_the_relays_answer(code: int) -> None:
    seen = scripted_shake(network([refusal(code)]), MARKED)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "unexpected_reply", Operation.DECODE)
    assert seen.last.stun is not None
    assert (seen.last.stun.error_code, seen.last.stun.realm) == (code, "relay.example")


def test_an_open_relay_is_not_the_relays_answer_and_its_addresses_are_not_kept() -> None:
    reply = stun_reply(
        ("XOR-RELAYED-ADDRESS", Address("198.18.5.5", 51234)), ("XOR-MAPPED-ADDRESS", Address("198.18.77.66", 50123))
    )
    seen = scripted_shake(network([reply]), MARKED)
    assert seen.failure == "unexpected_reply"
    text = msgspec.json.encode(seen.observations).decode()
    assert not any(private in text for private in ("198.18.", "51234", "50123"))


@pytest.mark.parametrize(
    "junk", [b"junk", lambda request: request, lambda request: patched("viber-allocate-401")(bytes(20))]
)
def test_what_answers_something_else_does_not_end_the_wait(junk: Now) -> None:
    seen = scripted_shake(network([junk, Later(0.1, refusal(401))]), MARKED)
    assert seen.grade is Grade.MARKED
    assert seen.last.stun == StunFacts(unmatched=1, error_code=401, realm="relay.example")


def test_silence() -> None:
    seen = scripted_shake(network(), MARKED)
    assert (seen.failure, seen.last.stun, seen.last.operation) == (
        "generic_timeout_error",
        StunFacts(sends=7),
        Operation.READ,
    )


def test_a_forged_icmp_followed_by_the_genuine_reply_is_a_success() -> None:
    forged = Icmp(OSError(113, "x"), IcmpFacts(type=3, code=13, from_target=False))
    seen = scripted_shake(network([forged, Later(0.3, refusal(401))]), MARKED)
    assert (seen.grade, seen.failure, seen.last.icmp) == (Grade.MARKED, None, forged.facts)
    alone = scripted_shake(network([forged]), MARKED)
    assert (alone.failure, alone.last.icmp) == ("host_unreachable", forged.facts)
