"""MS-TURN Allocate without credentials: the refusal is the answer, the dialect and the realm are the mark."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.codecs import msturn, stun
from probe.model import Expect, Grade, Operation, Step, StunFacts
from probe.net.dialer import SocketDialer
from tests.probe.builders import endpoint, instruments, really_shake, refusal, scripted_shake, shake
from tests.probe.codecs.test_msturn import refusal as genuine
from tests.scripted import OWN, Later, Now, ScriptedDialer, Turn, Udp
from tests.servers import datagrams
from tests.servers import msturn as server
from tests.servers.coturn import Coturn
from tests.servers.process import free_port

HOST = "203.0.113.4"
TEAMS = Expect(realm='"rtcmedia"')
RELAY = endpoint("msturn", HOST, expect=TEAMS)
SEEN_FROM = ("198.18.77.66", 50123)


def network(*turns: Turn, always: Turn = ()) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, 3478): Udp(*turns, always=always)})


def relay(request: bytes, realm: str = server.REALM) -> bytes:
    (reply,) = server.answer(request, SEEN_FROM, realm)
    return reply


def patched(request: bytes) -> bytes:
    """The genuine refusal, as if it were to our request."""
    return genuine()[:4] + request[4:20] + genuine()[20:]


@pytest.mark.parametrize("reply", [patched, relay])
def test_a_relay_of_teams_is_marked(reply: Now) -> None:
    dialer = network([reply])
    seen = scripted_shake(dialer, RELAY)
    assert (seen.grade, seen.last.step, seen.failure) == (Grade.MARKED, Step.TURN, None)
    assert seen.last.stun == StunFacts(error_code=401, realm='"rtcmedia"', mapped_is_local=False, port_preserved=False)
    (sent,) = dialer.sent
    assert sent.data == msturn.allocate_request(sent.data[8:20])
    assert (seen.last.bytes_sent, seen.last.bytes_received) == (68, 187)
    assert dialer.still_open == []


def test_no_address_of_the_reply_is_kept() -> None:
    text = msgspec.json.encode(scripted_shake(network([relay]), RELAY).observations).decode()
    assert not any(private in text for private in ("198.18.", "50123", "52.114", OWN[4]))


@pytest.mark.parametrize("realm", ["rtcmedia", "", '"other"', "viber.com"])
def test_another_realm_is_only_bound(realm: str) -> None:
    assert scripted_shake(network([partial(relay, realm=realm)]), RELAY).grade is Grade.BOUND


def test_where_no_realm_is_known_it_is_only_bound() -> None:
    assert scripted_shake(network([relay]), endpoint("msturn", HOST)).grade is Grade.BOUND


def in_the_dialect_of_the_rfc(request: bytes) -> bytes:
    """401 with our id and the right realm, from somebody who speaks TURN and not MS-TURN."""
    error = stun.attribute("ERROR-CODE", stun.ErrorCode(401, "Unauthorized"))
    realm = msturn.Attribute(0x0015, b'"rtcmedia"')
    body = b"".join(each.type.to_bytes(2) + len(each.value).to_bytes(2) + each.value for each in (error, realm))
    return b"\x01\x13" + len(body).to_bytes(2) + request[4:20] + body


def test_the_realm_without_the_dialect_is_only_bound() -> None:
    assert scripted_shake(network([in_the_dialect_of_the_rfc]), RELAY).grade is Grade.BOUND


def padded(request: bytes) -> bytes:
    """A stock TURN server, which pads its values."""
    values = (stun.Attribute(0x0014, b"relay.example", bytes(3)), stun.Attribute(0x0015, b"nonce"))
    error = stun.attribute("ERROR-CODE", stun.ErrorCode(420, "Unknown Attribute"))
    return stun.pack(stun.Message(stun.Method.ALLOCATE, stun.MessageClass.ERROR, request[8:20], (error, *values)))


@pytest.mark.parametrize("reply", [padded, lambda request: b"\x01\x03\x00\x00" + request[4:20]])
def test_another_answer_to_our_transaction_is_neither_silence_nor_the_relays(reply: Now) -> None:
    seen = scripted_shake(network([reply]), RELAY)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "unexpected_reply", Operation.DECODE)


@pytest.mark.parametrize(
    "impostor",
    [
        b"junk",
        lambda request: request,  # an echo
        genuine(),  # a replay: genuine, of another transaction
        refusal(401, '"rtcmedia"')(stun.allocate_request(bytes(12))),
    ],
)
def test_who_did_not_read_our_request_is_passed_over(impostor: Now) -> None:
    alone = scripted_shake(network(always=[impostor]), RELAY)
    assert (alone.grade, alone.failure) == (None, "generic_timeout_error")
    assert alone.last.stun == StunFacts(sends=7, unmatched=7)
    later = scripted_shake(network([impostor, Later(0.1, relay)]), RELAY)
    assert later.grade is Grade.MARKED
    assert later.last.stun is not None
    assert later.last.stun.unmatched == 1


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_no_reply_raises(body: bytes) -> None:
    ours = lambda request: b"\x01\x13" + len(body).to_bytes(2) + request[4:20] + body  # noqa: E731
    assert scripted_shake(network([ours]), RELAY).failure in (None, "unexpected_reply")


async def test_over_real_sockets() -> None:
    async with datagrams.answering(server.answer) as port:
        seen = await really_shake(endpoint("msturn", "127.0.0.1", port, expect=TEAMS))
    assert seen.grade is Grade.MARKED
    assert seen.last.stun is not None
    assert (seen.last.stun.mapped_is_local, seen.last.stun.port_preserved) == (True, True)


@pytest.mark.needs("coturn")
async def test_a_stock_relay_in_its_place_is_not_taken_for_it(coturn_server: Coturn) -> None:
    expect = Expect(realm=coturn_server.realm)
    quick = instruments(SocketDialer(), clock=time.monotonic, scale=0.05)
    seen = await shake(quick, endpoint("msturn", coturn_server.address, coturn_server.port, expect=expect))
    assert (seen.grade, seen.failure) == (None, "unexpected_reply")
    assert seen.last.stun is not None
    assert seen.last.stun.unmatched > 0
    assert seen.last.bytes_received > 0


async def test_the_relay_is_a_program(tmp_path: Path) -> None:
    port = free_port()
    with datagrams.program("msturn", tmp_path, [("127.0.0.1", port)]):
        seen = await really_shake(endpoint("msturn", "127.0.0.1", port, expect=TEAMS))
    assert seen.grade is Grade.MARKED
