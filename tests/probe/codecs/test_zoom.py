"""Zoom's question to a zone controller: the genuine one, another hand's server, impostors, and junk."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import zoom
from probe.model import Grade, HelloFacts, IcmpFacts, Operation, Step
from tests.probe.builders import endpoint, really_shake, scripted_shake
from tests.probe.codecs.test_stun import vector
from tests.scripted import OWN, Icmp, Later, Now, ScriptedDialer, Turn, Udp
from tests.servers import datagrams, tshark
from tests.servers import zoom as server
from tests.servers.process import free_port

HOST = "203.0.113.4"
ID = bytes(range(16))
CONTROLLER = endpoint("zoom", HOST)
SEEN_FROM = ("198.18.77.66", 50123)


def network(*turns: Turn, always: Turn = ()) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, 3478): Udp(*turns, always=always)})


def controller(request: bytes) -> bytes:
    (reply,) = server.answer(request, SEEN_FROM)
    return reply


def classic_stun(request: bytes, kind: bytes = b"\x01\x11") -> bytes:
    """A server of RFC 3489 that refuses the attribute which it does not know, or overlooks it."""
    error = bytes.fromhex("00090014") + bytes.fromhex("00000414") + b"Unknown Attrib. "
    return kind + len(error).to_bytes(2) + request[4:20] + error


def test_we_ask_as_zoom_does() -> None:
    genuine = vector("request", "zoom")
    assert zoom.request(genuine[4:20]) == genuine
    assert zoom.pack(zoom.parse(genuine)) == genuine
    assert len(genuine) == 44


@pytest.mark.needs("tshark")
def test_wireshark_reads_both_as_classic_stun(tmp_path: Path) -> None:
    names = ["classicstun.type", "classicstun.id", "classicstun.length", "classicstun.att.type"]
    asked, told = zoom.request(ID), controller(zoom.request(ID))
    assert tshark.fields(tmp_path, asked, 3478, names) == ["0x0001", ID.hex(), "0x0018", "0x0101"]
    assert tshark.fields(tmp_path, told, 3478, names) == ["0x0002", ID.hex(), "0x000c", "0x0103"]


def test_a_zone_controller_is_marked() -> None:
    dialer = network([controller])
    seen = scripted_shake(dialer, CONTROLLER)
    assert (seen.grade, seen.last.step, seen.failure) == (Grade.MARKED, Step.HELLO, None)
    assert seen.last.hello == HelloFacts()
    assert (seen.last.bytes_sent, seen.last.bytes_received) == (44, 32)
    assert dialer.still_open == []


def test_no_address_of_the_answer_is_kept() -> None:
    text = msgspec.json.encode(scripted_shake(network([controller]), CONTROLLER).observations).decode()
    assert not any(private in text for private in ("198.18.", "50123", OWN[4]))


@pytest.mark.parametrize(
    "impostor",
    [
        classic_stun,
        partial(classic_stun, kind=b"\x01\x01"),
        lambda request: b"\x00\x02\x00\x00" + request[4:20],  # of the right type, without what it is for
        lambda request: b"\x00\x03" + controller(request)[2:],
    ],
)
def test_whoever_repeats_our_bytes_otherwise_is_only_bound(impostor: Now) -> None:
    assert scripted_shake(network([impostor]), CONTROLLER).grade is Grade.BOUND


@pytest.mark.parametrize(
    "impostor",
    [
        b"junk",
        lambda request: request,  # an echo
        controller(zoom.request(ID)),  # a replay
    ],
)
def test_who_did_not_read_our_question_is_passed_over(impostor: Now) -> None:
    alone = scripted_shake(network(always=[impostor]), CONTROLLER)
    assert (alone.grade, alone.failure, alone.last.hello) == (
        None,
        "generic_timeout_error",
        HelloFacts(sends=7, unmatched=7),
    )
    later = scripted_shake(network([impostor, Later(0.1, controller)]), CONTROLLER)
    assert (later.grade, later.last.hello) == (Grade.MARKED, HelloFacts(unmatched=1))


def test_a_refusal_by_the_controller_itself_is_kept_as_such() -> None:
    refused = Icmp(OSError(113, "x"), IcmpFacts(type=3, code=10, from_target=True))
    seen = scripted_shake(network(always=[refused]), CONTROLLER)
    assert (seen.failure, seen.last.icmp) == ("host_unreachable", refused.facts)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "at least 20 bytes"),
        (zoom.request(ID)[:-1], "promises 24 bytes, 23 follow"),
        (b"\x00\x02\x00\x02" + ID + b"\0\0", "ends inside the header of an attribute"),
        (b"\x00\x02\x00\x04" + ID + b"\x01\x03\x00\x08", "0x0103 runs past the end"),
    ],
)
def test_framing_that_does_not_add_up_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        zoom.parse(data)


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=40).map(lambda body: controller(zoom.request(ID)) + body)))
def test_junk(data: bytes) -> None:
    try:
        parsed = zoom.parse(data)
    except ValueError:
        return
    assert zoom.pack(parsed) == data
    _ = (parsed.is_zone_controllers, zoom.answer_to(zoom.request(ID), data))


@given(st.integers(0, 0xFFFF), st.binary(max_size=60))
def test_junk_behind_a_good_header(number: int, body: bytes) -> None:
    ours = lambda request: number.to_bytes(2) + len(body).to_bytes(2) + request[4:20] + body  # noqa: E731
    assert scripted_shake(network([ours]), CONTROLLER).failure in (None, "unexpected_reply", "generic_timeout_error")


def test_an_answer_to_us_that_cannot_be_read_is_one() -> None:
    seen = scripted_shake(network([lambda request: controller(request)[:-1]]), CONTROLLER)
    assert (seen.failure, seen.last.operation) == ("unexpected_reply", Operation.DECODE)


@pytest.mark.parametrize("data", [b"", b"junk", zoom.request(ID)[:-1], controller(zoom.request(ID))])
def test_our_own_controller_answers_nothing_else(data: bytes) -> None:
    assert server.answer(data, SEEN_FROM) == ()


async def test_the_controller_is_a_program(tmp_path: Path) -> None:
    port = free_port()
    with datagrams.program("zoom", tmp_path, [("127.0.0.1", port)]):
        seen = await really_shake(endpoint("zoom", "127.0.0.1", port))
    assert seen.grade is Grade.MARKED
