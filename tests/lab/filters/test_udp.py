"""UDP and STUN: what dies, and what must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from probe.codecs import stun
from probe.codecs.stun import Message, MessageClass, Method, attribute
from tests.lab.filters.crafted import OTHER, RESOLVER, SERVER, made, passes, query, tcp_up, udp_down, udp_up

TRANSACTION = bytes(range(12))
BINDING, ALLOCATE = stun.binding_request(TRANSACTION), stun.allocate_request(TRANSACTION)
SUCCESS = stun.pack(Message(Method.BINDING, MessageClass.RESPONSE, TRANSACTION))
REFUSAL = stun.pack(Message(Method.ALLOCATE, MessageClass.ERROR, TRANSACTION, (attribute("REALM", "viber.com"),)))
OTHER_REFUSAL = stun.pack(
    Message(Method.ALLOCATE, MessageClass.ERROR, TRANSACTION, (attribute("REALM", "signal.org"),))
)
CALL = stun.pack(
    Message(Method.ALLOCATE, MessageClass.REQUEST, TRANSACTION, (stun.Attribute(0x4000, bytes(102), b"\0\0"),))
)
INVERTED = bytes(byte ^ 0xFF for byte in BINDING)
NTP = b"\x1b" + bytes(47)
RTP = bytes((0x80, 0x6F)) + bytes(170)
QUIC = b"\xc3\0\0\0\1\x08" + bytes(1200)
Crafted = Callable[..., bytes]


def test_all_udp_dies_but_on_the_ports_that_are_spared() -> None:
    drop = made("udp.all.drop", except_ports=(53,))
    assert passes(drop, query("www.viber.example"))
    assert passes(drop, udp_down(b"x", 53, RESOLVER), up=False)
    assert passes(drop, tcp_up(b"x"))
    assert not passes(drop, udp_up(BINDING))
    assert not passes(drop, udp_down(SUCCESS), up=False)


def test_a_port_dies_whoever_is_meant() -> None:
    drop = made("udp.port.drop", ports=(3478,))
    assert not passes(drop, udp_up(b"anything", 3478, OTHER))
    assert not passes(drop, udp_down(b"anything"), up=False)
    assert passes(drop, udp_up(BINDING, 19302))
    assert passes(drop, tcp_up(port=3478))


def test_a_length_dies_whatever_is_said() -> None:
    drop = made("udp.length.drop", bytes=len(BINDING))
    assert not passes(drop, udp_up(BINDING))
    assert not passes(drop, udp_up(INVERTED))
    assert passes(drop, udp_up(BINDING + b"more"))
    assert passes(drop, tcp_up(BINDING))


@pytest.mark.parametrize(("payload", "port"), [(BINDING, 45000), (NTP, 123), (QUIC, 443)])
def test_what_is_known_passes(payload: bytes, port: int) -> None:
    assert passes(made("udp.unknown.drop"), udp_up(payload, port))


@pytest.mark.parametrize(("payload", "port"), [(INVERTED, 3478), (RTP, 45000), (NTP, 45000), (b"junk" * 20, 53)])
def test_what_is_unknown_dies(payload: bytes, port: int) -> None:
    assert not passes(made("udp.unknown.drop"), udp_up(payload, port))


def test_questions_pass_and_so_does_what_follows_a_long_header() -> None:
    drop = made("udp.unknown.drop")
    assert passes(drop, query("www.viber.example"))
    short = udp_down(b"\x40" + bytes(40), 443)
    assert not passes(drop, short, up=False)
    assert passes(drop, udp_up(QUIC, 443))
    assert passes(drop, short, up=False)


DROPS = {  # filter and parameters → the messages that die; (payload, up)
    ("stun.cookie.drop", ()): {"binding", "success", "allocate", "refusal", "other refusal", "call"},
    ("stun.reply.drop", ()): {"success", "refusal", "other refusal"},
    ("turn.allocate.drop", ()): {"allocate", "call"},
    ("stun.attribute.drop", (("type", 0x4000),)): {"call"},
    ("stun.attribute.drop", (("type", 0x0014), ("value", b"viber.com"))): {"refusal"},
    ("stun.attribute.drop", (("type", 0x0014),)): {"refusal", "other refusal"},
    ("stun.cookie.drop", (("ports", (1400,)),)): set(),
    ("turn.allocate.drop", (("addresses", (OTHER,)),)): set(),
    ("turn.allocate.drop", (("addresses", (SERVER,)), ("ports", (3478,)))): {"allocate", "call"},
}
MESSAGES: dict[str, tuple[bytes, bool]] = {
    "binding": (BINDING, True),
    "success": (SUCCESS, False),
    "allocate": (ALLOCATE, True),
    "refusal": (REFUSAL, False),
    "other refusal": (OTHER_REFUSAL, False),
    "call": (CALL, True),
    "inverted": (INVERTED, True),
    "media": (RTP, True),
}


@pytest.mark.parametrize(("what", "dying"), DROPS.items(), ids=[f"{name}{dict(more)}" for name, more in DROPS])
def test_stun_dies_by_its_bytes(what: tuple[str, tuple[tuple[str, object], ...]], dying: set[str]) -> None:
    name, parameters = what
    drop = made(name, **dict(parameters))
    dead = {
        message
        for message, (payload, up) in MESSAGES.items()
        if not passes(drop, (udp_up if up else udp_down)(payload), up)
    }
    assert dead == dying


def test_the_same_bytes_over_tcp_are_left_alone() -> None:
    assert passes(made("stun.cookie.drop"), tcp_up(BINDING))


def test_a_message_that_is_cut_off_breaks_nothing() -> None:
    drop = made("stun.attribute.drop", type=0x4000)
    for length in range(len(CALL)):
        passes(drop, udp_up(CALL[:length]))
