"""What cannot be read is not silence: no damage behind our transaction makes a genuine reply a timeout.

From public reports: a relay's 401 with bytes behind it (pjsip/pjproject#960, #667), a DNS answer that is cut inside a
record (dnsjava#240, m13253/dns-over-https#144).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import dns.message
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.handshakes.dns import Question, resolve
from probe.judge import judge
from probe.model import Grade, Operation, State
from tests.probe.builders import RESOLVER, dns_reply, endpoint, refusal, scripted_shake, stun_reply, traced
from tests.probe.codecs.test_msturn import refusal as msturn_refusal
from tests.probe.codecs.test_zoom import controller
from tests.probe.handshakes.test_sip import says
from tests.probe.judge import evidence as E
from tests.scripted import Later, ScriptedDialer, Tcp, Turn, Udp

Reply = Callable[[bytes], bytes]
HOST = "203.0.113.4"
WEBEX = bytes.fromhex("0200000000b89d01")
STUN_REPLY = stun_reply(("SOFTWARE", "relay"), ("XOR-MAPPED-ADDRESS", ("198.51.100.7", 40001)))
GENUINE: dict[str, tuple[Reply, int]] = {  # a reply, and how many of its bytes carry our transaction
    "stun": (STUN_REPLY, 20),
    "turn": (refusal(401), 20),
    "msturn": (msturn_refusal, 20),
    "zoom": (controller, 20),
    "webex": (lambda request: WEBEX, 4),
    "dns": (dns_reply("192.0.2.10"), 2),
    "sip": (says("200 OK"), 0),  # its lines have no fixed place
}


def shaken(name: str, *turns: Turn, always: Turn = ()) -> tuple[str | None, Operation | None, Grade | None]:
    where = endpoint(name, HOST, 3478)
    seen = scripted_shake(ScriptedDialer({("udp", HOST, 3478): Udp(*turns, always=always)}), where)
    return seen.failure, seen.last.operation, seen.grade


def marks_of(data: bytes) -> int:
    """Where the Call-ID of a SIP response ends: what lies behind may be damaged."""
    place = data.lower().find(b"call-id")
    return data.find(b"\r\n", place)


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes, int], bytes]:
    """Truncates, extends or flips a reply behind so many of its bytes."""
    kind = draw(st.sampled_from(["cut", "more", "flip"]))
    place, bits, more = draw(st.floats(0, 1)), draw(st.integers(1, 255)), draw(st.binary(min_size=1, max_size=9))

    def damaged(data: bytes, kept: int) -> bytes:
        if kind == "more":
            return data + more
        at = kept + int(place * max(len(data) - kept - 1, 0))
        if kind == "cut" or at >= len(data):
            return data[:at]
        return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]

    return damaged


@pytest.mark.parametrize("name", sorted(GENUINE))
@settings(max_examples=150, deadline=None)
@given(harm=damage())
def test_no_damage_makes_a_reply_a_silence(name: str, harm: Callable[[bytes, int], bytes]) -> None:
    reply, kept = GENUINE[name]

    def broken(request: bytes) -> bytes:
        data = reply(request)
        return harm(data, kept or marks_of(data))

    failure, operation, grade = shaken(name, always=[broken])
    assert failure != "generic_timeout_error"
    if failure == "unexpected_reply":
        assert operation is Operation.DECODE
        assert grade is None


@pytest.mark.parametrize("name", sorted(GENUINE))
def test_the_genuine_reply_wins_against_a_broken_one(name: str) -> None:
    reply, kept = GENUINE[name]
    plain = shaken(name, [reply])
    assert shaken(name, [lambda request: reply(request)[: kept or -9], Later(0.2, reply)])[::2] == plain[::2]


@pytest.mark.parametrize("name", sorted(set(GENUINE) - {"webex"}))
def test_our_own_bytes_sent_back_are_no_answer(name: str) -> None:
    assert shaken(name, always=[lambda request: request])[0] == "generic_timeout_error"


# --- Cases --------------------------------------------------------------------------------------------------------


def with_bytes_behind(request: bytes) -> bytes:
    """A 401 with everything right, and four bytes behind it."""

    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)

    body = attribute(9, struct.pack("!HBB", 0, 4, 1) + b"Unauthorized") + attribute(0x14, b"service.example")
    body += attribute(0x15, b"0123456789abcdef")
    return struct.pack("!HH", 0x0113, len(body)) + request[4:20] + body + bytes(4)


def test_a09_a_reply_to_our_own_transaction_is_no_silence() -> None:
    seen = scripted_shake(ScriptedDialer({("udp", E.TURN.host, E.TURN.port): Udp(always=[with_bytes_behind])}), E.TURN)
    assert (seen.failure, seen.grade) == (None, Grade.MARKED)


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_reply_that_cannot_be_read_accuses_nobody(rounds: int) -> None:
    cut = ScriptedDialer({("udp", E.TURN.host, E.TURN.port): Udp(always=[lambda r: with_bytes_behind(r)[:-9]])})
    seen = scripted_shake(cut, E.TURN)
    verdict = judge(E.evidence(E.CALL, E.attempt(E.TURN, seen.last), rounds=rounds))
    assert (seen.failure, verdict.state) == ("unexpected_reply", State.IMPAIRED)


def cut_off(query: bytes) -> bytes:
    """TC=1, and the datagram ends inside the last record, as some resolvers cut it."""
    asked = dns.message.from_wire(query)
    reply = dns.message.make_response(asked, recursion_available=True)
    host = asked.question[0].name
    reply.answer.append(dns.rrset.from_text(host, 60, "IN", "A", *[f"203.0.113.{n}" for n in range(1, 33)]))
    wire = bytearray(reply.to_wire(max_size=65535)[:510])
    wire[2] |= 0x02
    return bytes(wire)


def whole_over_tcp(framed: bytes) -> bytes:
    wire = dns_reply(E.HERE)(framed[2:])
    return struct.pack("!H", len(wire)) + wire


def test_a15_an_answer_that_is_cut_short_is_asked_for_over_tcp() -> None:
    scripts = {("udp", RESOLVER, 53): Udp(always=[cut_off]), ("tcp", RESOLVER, 53): Tcp(always=[whole_over_tcp])}
    question = Question(host=E.HOST, qtype="A", address=RESOLVER, resolver=E.ISP, resolver_prefix="198.51.0.0/16")
    observed = traced(lambda trace: resolve(trace, question), ScriptedDialer(scripts)).observations()[-1]
    assert observed.dns is not None
    assert (observed.failure, observed.dns.answers) == (None, (E.HERE,))
