"""Our own SIP server: what reached it comes back byte for byte, also inverted; and it is nobody's amplifier."""

from __future__ import annotations

import asyncio
import base64
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from collector.echo import sip as sip_echo
from collector.echo.sip import OF_ALL, OF_ONE_SOURCE, WINDOW_S, Rate, answer, listening
from probe.codecs import sip
from probe.failure import UserError
from probe.model import Endpoint, Grade, Transport
from probe.net.dialer import SocketDialer
from tests.patience import PATIENCE
from tests.probe.builders import Outcome, instruments, shake

REQUEST = sip.options_request("echo.example", Transport.UDP, bytes(range(sip.IDENTIFIER_BYTES)))
INVERTED = bytes(byte ^ 0xFF for byte in REQUEST)


async def asked(port: int, handshake: str, transport: Transport) -> Outcome:
    where = Endpoint(host="127.0.0.1", port=port, transport=transport, handshake=handshake)
    return await shake(instruments(SocketDialer()), where)


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("handshake", ["sip-echo", "sip-twin"])
async def test_the_probes_handshake_with_it(handshake: str, transport: Transport) -> None:
    async with listening("127.0.0.1", 0) as address:
        seen = await asked(int(address.rpartition(":")[2]), handshake, transport)
    assert (seen.grade, seen.failure) == (Grade.BOUND, None)
    assert seen.last.sip is not None
    assert seen.last.sip.altered == ()


def test_another_implementation_reads_the_answer_and_the_body_is_the_request() -> None:
    theirs = sipmessage.Message.parse(answer(REQUEST) or b"")
    asked = sipmessage.Message.parse(REQUEST)
    assert isinstance(theirs, sipmessage.Response)
    assert (theirs.code, theirs.call_id, theirs.cseq, theirs.via) == (200, asked.call_id, asked.cseq, asked.via)
    assert theirs.to_address.parameters["tag"] == "echo"
    assert base64.b64decode(theirs.body) == REQUEST


def test_what_was_altered_on_the_way_comes_back_as_it_arrived() -> None:
    altered = REQUEST.replace(b"anonymous.invalid;branch", b"198.51.100.7:1024;branch")
    assert base64.b64decode(sip.parse(answer(altered) or b"").body) == altered


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        answer(REQUEST),  # two of them would answer each other for ever
        bytes(byte ^ 0xFF for byte in answer(REQUEST) or b""),
        REQUEST.replace(b"OPTIONS", b"ACK"),
        REQUEST.replace(b"Accept: */*", b"Accept: " + b"a" * 2_000),
        REQUEST.replace(b"Accept: */*", b"Accept: a" + b" " * 60_000 + b"a"),
    ],
)
def test_what_gets_no_answer(data: bytes) -> None:
    assert answer(data) is None


@given(st.binary(max_size=300))
def test_junk_gets_none(data: bytes) -> None:
    assert answer(data) is None


def test_an_answer_is_little_longer_than_twice_what_it_answers() -> None:
    assert len(answer(REQUEST) or b"") <= 2.2 * len(REQUEST)


def test_no_source_gets_many_answers_nor_all_together() -> None:
    now = [0.0]
    rate = Rate(lambda: now[0])
    assert [rate.allows("203.0.113.1") for _ in range(OF_ONE_SOURCE + 1)] == [True] * OF_ONE_SOURCE + [False]
    assert [rate.allows(f"2001:db8::{number}") for number in range(1, 12)] == [True] * 10 + [False]  # one /64
    assert rate.allows("203.0.113.2")
    now[0] = WINDOW_S
    assert rate.allows("203.0.113.1")
    others = [rate.allows(f"198.18.{number // 256}.{number % 256}") for number in range(OF_ALL)]
    assert others.count(True) == OF_ALL - 1


async def test_a_connection_that_says_too_much_or_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_echo, "PATIENCE_S", 0.1)
    async with listening("127.0.0.1", 0) as address:
        for said in (b"x" * 5_000, b"", b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
            writer.write(said)
            assert await reader.read() == b""
            writer.close()


async def test_a_port_that_is_taken_is_told() -> None:
    async with listening("127.0.0.1", 0) as address:
        with pytest.raises(UserError, match=r"Cannot listen on 127\.0\.0\.1"):
            async with listening("127.0.0.1", int(address.rpartition(":")[2])):
                pass


def test_the_program_says_where_and_ends_on_a_signal() -> None:
    command = [sys.executable, "-m", "collector", "sip-echo", "--listen", "127.0.0.1:0"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Answering SIP on 127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")
