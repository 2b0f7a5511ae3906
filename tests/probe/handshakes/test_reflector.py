"""Telegram's reflectors asked with a tag of nobody's: what an answer is, and that nothing follows from any of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs import reflector
from probe.grades import is_positive
from probe.judge import judge
from probe.model import Endpoint, Grade, State, Step, Transport
from tests.probe.builders import endpoint, scripted_shake
from tests.probe.judge.evidence import CALL, HERE, TURN, attempt, control, evidence, measurement, seen, turn_fails
from tests.scripted import ScriptedDialer, Turn, Udp

HOST, PORT = "203.0.113.4", 597
WHERE = endpoint("reflector", HOST, PORT, transport=Transport.UDP)
OURS = bytes.fromhex("00000000000000000000ffffc6336407")  # an address that an answer carries


def network(*turns: Turn) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, PORT): Udp(*turns)})


def answer(request: bytes) -> bytes:
    """As in nDPI's telegram.pcap, frame 176, but to our question."""
    return request[:16] + b"\xff" * 12 + b"\xc7\x72\x15\xc0" + bytes(4) + request[-8:] + OURS + bytes(4)


def test_what_is_asked() -> None:
    dialer = network([answer])
    seen = scripted_shake(dialer, WHERE)
    (sent,) = dialer.sent
    assert sent.data[16:32].hex() == "ff" * 12 + "feffffff"
    assert len(sent.data) == 40
    assert (seen.grade, seen.last.step, seen.failure) == (Grade.BOUND, Step.HELLO, None)
    assert OURS.hex() not in msgspec.json.encode(seen.observations).decode()


def test_tag_and_query_are_new_each_time() -> None:
    first, second = network([answer]), network([answer])
    scripted_shake(first, WHERE, seed=1)
    scripted_shake(second, WHERE, seed=2)
    one, two = first.sent[0].data, second.sent[0].data
    assert one[:16] != two[:16]
    assert one[-8:] != two[-8:]


@pytest.mark.parametrize(
    "reply",
    [
        b"x",
        lambda request: request,
        lambda request: answer(request)[:-1],
        lambda request: answer(bytes(40)),
        lambda request: answer(request[:-8] + bytes(8)),
    ],
    ids=["a byte", "an echo", "cut off", "a recording", "to another question"],
)
def test_anything_else_is_only_an_answer(reply: object) -> None:
    assert scripted_shake(network([reply]), WHERE).grade is Grade.TRANSPORT  # type: ignore[list-item]


def test_silence() -> None:
    seen = scripted_shake(network(), WHERE)
    assert (seen.grade, seen.failure, seen.last.hello and seen.last.hello.sends) == (None, "generic_timeout_error", 7)


@given(st.binary(max_size=80), st.binary(min_size=40, max_size=40))
def test_junk(data: bytes, request: bytes) -> None:
    assert not reflector.echoes(data, request)
    assert reflector.echoes(answer(request), request)


# --- What follows: nothing ------------------------------------------------------------------------------------------

REFLECTOR = Endpoint(host=HERE, port=597, transport=Transport.UDP, handshake="reflector", uncalibrated=True)
WITH = replace(CALL, endpoints=(TURN, REFLECTOR))


@pytest.mark.parametrize("grade", [Grade.TRANSPORT, Grade.BOUND])
def test_no_answer_is_a_success_here_or_at_a_control(grade: Grade) -> None:
    answered = attempt(REFLECTOR, seen(Step.HELLO), grade=grade)
    assert not is_positive(answered, REFLECTOR)
    given = evidence(WITH, answered, controls=[control(measurement(WITH, answered))])
    assert judge(given).state is State.INSUFFICIENT
    assert judge(given).depth is None


def test_silence_neither_accuses_nor_hides_what_the_relay_shows() -> None:
    silent = attempt(REFLECTOR, seen(Step.HELLO, "generic_timeout_error"))
    answered = attempt(REFLECTOR, seen(Step.HELLO), grade=Grade.BOUND)
    well = control(measurement(WITH, attempt(TURN, seen(Step.TURN), grade=Grade.MARKED), answered))
    alone = evidence(replace(CALL, endpoints=(REFLECTOR,)), silent, rounds=2, controls=[well])
    assert judge(alone).state is State.INSUFFICIENT
    both = evidence(WITH, turn_fails(), silent, rounds=2, controls=[well])
    assert (judge(both).state, judge(both).mechanism) == (State.LIKELY_BLOCKED, "udp.endpoint.drop")
