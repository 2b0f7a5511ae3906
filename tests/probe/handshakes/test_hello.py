"""Viber and Threema greeted over TCP: what is sent, what an answer proves, who is not the service, what follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.codecs import viber as codec
from probe.failure import EOF, RESET, TIMEOUT, UNEXPECTED_REPLY
from probe.judge import judge
from probe.judge.evidence import Neighbours
from probe.model import Attempt, Endpoint, Expect, Grade, Operation, State, Step
from tests.probe.builders import Outcome, endpoint, really_shake, scripted_shake, target
from tests.probe.judge.evidence import control, evidence, measurement
from tests.scripted import Later, Now, ScriptedDialer, Tcp, Turn
from tests.servers import streams, threema, viber
from tests.servers.process import free_port

HOST = "203.0.113.4"
VIBER = endpoint("viber", HOST, 5242)
THREEMA = endpoint("threema", HOST, 5222, expect=Expect(keys=(bytes(32).hex(), threema.PUBLIC.hex())))
GENUINE: dict[str, tuple[Endpoint, Now, Grade]] = {
    "viber": (VIBER, lambda request: viber.answer(), Grade.TRANSPORT),
    "threema": (THREEMA, threema.answer, Grade.CRYPTO),
}
every = pytest.mark.parametrize("service", GENUINE)


def network(where: Endpoint, *turns: Turn) -> ScriptedDialer:
    return ScriptedDialer({("tcp", HOST, where.port): Tcp(*turns)})


def shake(where: Endpoint, *turns: Turn) -> Outcome:
    return scripted_shake(network(where, *turns), where)


@every
def test_the_genuine_server(service: str) -> None:
    where, says, grade = GENUINE[service]
    dialer = network(where, [says])
    seen = scripted_shake(dialer, where)
    assert (seen.grade, seen.failure) == (grade, None)
    assert [each.step for each in seen.observations] == [Step.TCP, Step.HELLO]
    assert len(dialer.sent) == 1
    assert dialer.still_open == []


def test_what_is_sent_tells_nothing_of_anybody() -> None:
    assert shake(VIBER, [viber.answer()]).last.bytes_sent == len(codec.GREETING) == 24
    hellos = []
    for seed in (1, 2):
        dialer = network(THREEMA, [threema.answer])
        scripted_shake(dialer, THREEMA, seed=seed)
        hellos.append(dialer.sent[0].data)
    assert [len(each) for each in hellos] == [48, 48]
    assert hellos[0][:32] != hellos[1][:32]
    assert hellos[0][32:] != hellos[1][32:]


@pytest.mark.parametrize(
    "says",
    [
        lambda request: threema.answer(request, secret=bytes([7] * 32)),  # another key
        lambda request: threema.answer(threema.PUBLIC + bytes(16)),  # genuine, of another session
        bytes(80),
    ],
    ids=["other key", "replay", "zeros"],
)
def test_eighty_bytes_without_the_proof_are_transport(says: Now) -> None:
    assert shake(THREEMA, [says]).grade is Grade.TRANSPORT


def test_without_a_pinned_key_nothing_is_proved() -> None:
    assert shake(endpoint("threema", HOST, 5222), [threema.answer]).grade is Grade.TRANSPORT


@every
def test_an_answer_in_pieces_is_the_answer(service: str) -> None:
    where, says, grade = GENUINE[service]
    assert callable(says)
    hello = network(where, [b""])
    scripted_shake(hello, where)
    whole = says(hello.sent[0].data)
    pieces = [whole[:1], Later(0.1, whole[1:9]), Later(0.2, whole[9:])]
    assert shake(where, pieces).grade is grade


@every
@pytest.mark.parametrize(
    ("says", "failure", "operation"),
    [
        ([b""], EOF, Operation.READ),
        ([ConnectionResetError(104, "x")], RESET, Operation.READ),
        ([], TIMEOUT, Operation.READ),
        ([streams.PORTAL, b""], UNEXPECTED_REPLY, Operation.DECODE),
        ([b"\x04\x02\xed\x03", b""], UNEXPECTED_REPLY, Operation.DECODE),  # the end, before the answer's
        ([bytes(range(256)) * 4], UNEXPECTED_REPLY, Operation.DECODE),
    ],
    ids=["end", "reset", "silence", "portal", "cut", "junk"],
)
def test_what_is_no_answer(service: str, says: Turn, failure: str, operation: Operation) -> None:
    where, _, _ = GENUINE[service]
    seen = shake(where, says)
    assert (seen.grade, seen.failure, seen.last.operation, seen.last.step) == (None, failure, operation, Step.HELLO)
    assert (seen.last.http is not None) == (streams.PORTAL in says)


def test_an_echo_is_no_answer() -> None:
    echo: Callable[[bytes], bytes] = lambda request: request  # noqa: E731
    assert [shake(where, [echo]).failure for where in (VIBER, THREEMA)] == [UNEXPECTED_REPLY] * 2


@settings(max_examples=60)
@given(st.sampled_from([VIBER, THREEMA]), st.lists(st.binary(max_size=90), max_size=4))
def test_no_reply_raises(where: Endpoint, junk: list[bytes]) -> None:
    seen = shake(where, junk)
    assert seen.failure in (EOF, TIMEOUT, UNEXPECTED_REPLY, None)
    assert seen.grade in (None, Grade.TRANSPORT)


# --- What is concluded ------------------------------------------------------------------------------------------


def attempted(where: Endpoint, turn: Turn) -> Attempt:
    seen = shake(where, turn)
    return Attempt(
        host=where.host,
        port=where.port,
        transport=where.transport,
        handshake=where.handshake,
        address=HOST,
        grade=seen.grade,
        observations=seen.observations,
    )


@every
@pytest.mark.parametrize(
    ("turn", "rounds", "rule", "state"),
    [
        ([b""], 1, "broken_off_once", State.INSUFFICIENT),
        ([b""], 2, "payload_reset", State.LIKELY_BLOCKED),
        ([ConnectionResetError(104, "x")], 2, "payload_reset", State.LIKELY_BLOCKED),
        ([], 1, "silence_once", State.INSUFFICIENT),
        ([], 2, "payload_dropped", State.LIKELY_BLOCKED),
        ([streams.PORTAL, b""], 2, "payload_answered_by_another", State.IMPAIRED),
        ([bytes(range(256)) * 4], 2, "payload_answered_by_another", State.IMPAIRED),
    ],
    ids=["end", "end twice", "reset twice", "silence", "silence twice", "portal", "junk"],
)
def test_what_is_concluded_beside_a_control_that_got_through(
    service: str, turn: Turn, rounds: int, rule: str, state: State
) -> None:
    where, says, _ = GENUINE[service]
    chat = target("service/chat", where)
    alive = [control(measurement(chat, attempted(where, [says])))]
    others = {HOST: Neighbours(reached=2)}
    beside = frozenset({"203.0.113.200"})  # in the same prefix: no route is lost
    verdict = judge(
        evidence(chat, attempted(where, turn), rounds=rounds, controls=alive, neighbours=others, reached=beside)
    )
    assert (verdict.rule, verdict.state) == (rule, state)


def test_a_server_without_the_key_is_not_the_service() -> None:
    impostor = attempted(THREEMA, [lambda request: threema.answer(request, secret=bytes([7] * 32))])
    chat = target("service/chat", THREEMA)
    alive = [control(measurement(chat, attempted(THREEMA, [threema.answer])))]
    verdict = judge(evidence(chat, impostor, controls=alive))
    assert (verdict.rule, verdict.state) == ("other_mark", State.INSUFFICIENT)


# --- Programs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "guise"), [("viber", "genuine"), ("threema", "genuine"), ("threema", "replay")])
async def test_the_server_is_a_program(tmp_path: Path, service: str, guise: str) -> None:
    where, _, grade = GENUINE[service]
    port = free_port()
    listen = {"--listen": [("127.0.0.1", port)]}
    with streams.program(f"tests.servers.{service}", tmp_path, listen, ["--as", guise]):
        seen = await really_shake(endpoint(service, "127.0.0.1", port, expect=where.expect))
    assert seen.grade is (grade if guise == "genuine" else Grade.TRANSPORT)
