"""Webex's greeting of 2015: what answers it proves that something answered, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import webex
from probe.model import Grade, HelloFacts, Step
from tests.probe.builders import endpoint, really_shake, scripted_shake
from tests.scripted import Later, Now, ScriptedDialer, Turn, Udp
from tests.servers import datagrams
from tests.servers import webex as server
from tests.servers.process import free_port

HOST = "203.0.113.4"
SERVER = endpoint("webex", HOST, 9000)
OLD = bytes.fromhex("0200000000b89d01")  # a genuine one, of 2015


def network(*turns: Turn, always: Turn = ()) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, 9000): Udp(*turns, always=always)})


def greeted(request: bytes) -> bytes:
    (reply,) = server.answer(request, ("198.18.77.66", 50123))
    return reply


@pytest.mark.parametrize("reply", [OLD, greeted])
def test_an_answer_is_no_more_than_transport_for_it_may_be_a_replay(reply: Now) -> None:
    dialer = network([reply])
    seen = scripted_shake(dialer, SERVER)
    assert (seen.grade, seen.last.step, seen.last.hello) == (Grade.TRANSPORT, Step.HELLO, HelloFacts())
    assert [sent.data.hex() for sent in dialer.sent] == ["0100000000000001"]


@pytest.mark.parametrize("impostor", [b"junk", lambda request: request, b"\x03" + OLD[1:]])
def test_what_does_not_look_like_an_answer_is_passed_over(impostor: Now) -> None:
    alone = scripted_shake(network(always=[impostor]), SERVER)
    assert (alone.grade, alone.failure, alone.last.hello) == (
        None,
        "generic_timeout_error",
        HelloFacts(sends=7, unmatched=7),
    )
    assert scripted_shake(network([impostor, Later(0.1, OLD)]), SERVER).grade is Grade.TRANSPORT


@pytest.mark.parametrize("answer", [OLD + b"\0", OLD[:-1]])
def test_an_answer_of_another_length_is_one_and_no_silence(answer: bytes) -> None:
    assert scripted_shake(network([answer]), SERVER).failure == "unexpected_reply"


@given(st.binary(max_size=12))
def test_junk(data: bytes) -> None:
    if data[:4] == b"\x02\0\0\0" and len(data) != 8:
        with pytest.raises(ValueError, match="as long as the greeting"):
            webex.is_answer(data)
    else:
        assert webex.is_answer(data) == (data[:4] == b"\x02\0\0\0")


async def test_the_server_is_a_program(tmp_path: Path) -> None:
    port = free_port()
    with datagrams.program("webex", tmp_path, [("127.0.0.1", port)]):
        seen = await really_shake(endpoint("webex", "127.0.0.1", port))
    assert seen.grade is Grade.TRANSPORT
