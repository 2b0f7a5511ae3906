"""Telegram's first exchange in every framing, and everybody who is not Telegram."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.failure import EOF, RESET, TIMEOUT, UNEXPECTED_REPLY
from probe.model import Expect, Fingerprint, Grade, HttpFacts, MtprotoFacts, Operation, Step
from tests.probe.builders import NOW_MS, Outcome, endpoint, scripted_shake
from tests.scripted import Later, ScriptedDialer, Tcp, Turn
from tests.servers.mtproto import KEY, DataCentre, res_pq
from tests.servers.streams import PORTAL

HOST, PORT = "203.0.113.4", 443
PLAIN = ("mtproto-abridged", "mtproto-intermediate")
ALL = (*PLAIN, "mtproto-obfuscated")
KEYS = Expect(keys=(KEY.hex(),))

every = pytest.mark.parametrize("handshake", ALL)


def network(*turns: Turn) -> ScriptedDialer:
    return ScriptedDialer({("tcp", HOST, PORT): Tcp(*turns)})


def served(*fingerprints: bytes, refuses: int = 0) -> Callable[[bytes], bytes]:
    return lambda request: DataCentre(*fingerprints, refuses=refuses).receive(request)


def shake(dialer: ScriptedDialer, handshake: str, expect: Expect = KEYS, **changes: object) -> Outcome:
    return scripted_shake(dialer, endpoint(handshake, HOST, PORT, expect=expect), **changes)


@every
def test_the_genuine_server_is_marked(handshake: str) -> None:
    dialer = network([served(bytes(8), KEY)])
    seen = shake(dialer, handshake)
    assert (seen.grade, seen.failure, seen.last.mtproto) == (Grade.MARKED, None, MtprotoFacts(known_key=True))
    assert [each.step for each in seen.observations] == [Step.TCP, Step.MTPROTO]
    assert len(dialer.sent) == 1
    assert dialer.still_open == []


def test_the_bytes_of_each_framing() -> None:
    sent = {each: network([served(KEY)]) for each in ALL}
    sizes = {each: shake(dialer, each).last.bytes_sent for each, dialer in sent.items()}
    first = {each: dialer.sent[0].data for each, dialer in sent.items()}
    assert first["mtproto-abridged"][:10] == b"\xef\x0a" + bytes(8)
    assert first["mtproto-intermediate"][:8] == b"\xee\xee\xee\xee\x28\0\0\0"
    assert sizes == {"mtproto-abridged": 42, "mtproto-intermediate": 48, "mtproto-obfuscated": 105}
    message_id = int.from_bytes(first["mtproto-abridged"][10:18], "little")
    assert message_id >> 32 == NOW_MS // 1000


@every
def test_a_key_that_nobody_published_is_only_bound(handshake: str) -> None:
    seen = shake(network([served(bytes(8))]), handshake)
    assert (seen.grade, seen.last.mtproto) == (Grade.BOUND, MtprotoFacts(known_key=False))
    assert shake(network([served(KEY)]), handshake, Expect()).grade is Grade.BOUND


@every
def test_a_refusal_is_kept(handshake: str) -> None:
    seen = shake(network([served(KEY, refuses=-429)]), handshake)
    assert (seen.grade, seen.failure, seen.last.mtproto) == (None, UNEXPECTED_REPLY, MtprotoFacts(refused=-429))


def test_a_recording_is_no_answer() -> None:
    recorded = res_pq(bytes(16), [KEY])
    seen = shake(network([bytes([len(recorded) // 4]) + recorded]), "mtproto-abridged")
    assert (seen.grade, seen.failure, seen.last.operation) == (None, UNEXPECTED_REPLY, Operation.DECODE)


@pytest.mark.parametrize("handshake", PLAIN)
@pytest.mark.parametrize("reply", [b"\xff" * 64, b"SSH-2.0-x\r\n" * 40, bytes(64)], ids=["junk", "SSH", "zeros"])
def test_what_is_not_the_answer(handshake: str, reply: bytes) -> None:
    seen = shake(network([reply, b""]), handshake)
    assert (seen.grade, seen.failure) == (None, UNEXPECTED_REPLY)


@every
def test_a_portal_is_told_by_its_page(handshake: str) -> None:
    prints = (Fingerprint(name="wall", country="ZZ", pattern="Please log in", source="s", date="2026"),)
    seen = shake(network([PORTAL]), handshake, fingerprints=prints)
    assert (seen.grade, seen.failure) == (None, UNEXPECTED_REPLY)
    assert seen.last.http == HttpFacts(status=400, title="Please log in", fingerprint="wall")


@every
@pytest.mark.parametrize(
    ("turn", "failure"),
    [([], TIMEOUT), ([b""], EOF), ([ConnectionResetError(104, "x")], RESET)],
    ids=["silence", "the end", "a reset"],
)
def test_what_breaks_off(handshake: str, turn: Turn, failure: str) -> None:
    seen = shake(network(turn), handshake)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, Operation.READ)


def test_an_answer_in_pieces() -> None:
    whole: list[bytes] = []

    def first(request: bytes) -> bytes:
        whole.append(served(KEY)(request))
        return whole[0][:30]

    dialer = network([first, Later(1.0, lambda _: whole[0][30:])])
    assert shake(dialer, "mtproto-obfuscated").grade is Grade.MARKED


@given(st.lists(st.one_of(st.just(b""), st.binary(max_size=300)), max_size=4), st.sampled_from(ALL))
def test_whatever_is_said_ends_in_a_failure_that_has_a_name(pieces: list[bytes], handshake: str) -> None:
    seen = shake(network(pieces), handshake)
    assert seen.grade is None
    assert seen.failure in (TIMEOUT, EOF, UNEXPECTED_REPLY)
