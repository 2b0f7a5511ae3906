"""Packets for the tests of filters, made by hand or by other people's libraries. No sockets."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import dns.message

from tests.lab.filters import FILTERS
from tests.lab.model import Fate, Filter
from tests.lab.packets import ACK, PSH, SYN, View, packed, parse, tcp, udp

LINE, SERVER, OTHER = "10.64.1.7", "203.0.113.13", "203.0.113.66"
LINE6, SERVER6, OTHER6 = "2001:db8:a::7", "2001:db8:113::13", "2001:db8:113::66"
RESOLVER, WORLD_RESOLVER = "30.18.0.53", "203.0.113.53"
PORT = 40001  # the line's


def made(name: str, **parameters: Any) -> Filter:
    return FILTERS[name](parameters, Random(1))


def ends(server: str, port: int, near_port: int = PORT) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    """The line's and the server's, of the server's family."""
    return (packed(LINE6 if ":" in server else LINE), near_port), (packed(server), port)


def udp_up(payload: bytes, port: int = 3478, server: str = SERVER, near_port: int = PORT) -> bytes:
    line, far = ends(server, port, near_port)
    return udp(line, far, payload)


def udp_down(payload: bytes, port: int = 3478, server: str = SERVER, near_port: int = PORT) -> bytes:
    line, far = ends(server, port, near_port)
    return udp(far, line, payload)


def tcp_up(payload: bytes = b"", flags: int = PSH | ACK, port: int = 443, server: str = SERVER, **more: int) -> bytes:
    line, far = ends(server, port, more.get("near_port", PORT))
    return tcp(line, far, flags, 1000, 0 if flags == SYN else 5000, payload)


def tcp_down(payload: bytes = b"", flags: int = ACK, port: int = 443, server: str = SERVER, **more: int) -> bytes:
    line, far = ends(server, port, more.get("near_port", PORT))
    return tcp(far, line, flags, 5000, 1000, payload)


def query(name: str, qtype: str = "A", server: str = RESOLVER) -> bytes:
    return udp_up(dns.message.make_query(name, qtype).to_wire(), 53, server)


def hello(name: str) -> bytes:
    """OpenSSL's ClientHello."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("A handshake cannot end before the server has spoken.")


def hello_up(name: str, **more: Any) -> bytes:
    return tcp_up(hello(name), **more)


def passes(filter_: Filter, packet: bytes, up: bool = True, now: float = 0.0) -> bool:
    """Onward, unchanged and alone; False when it disappears. Anything else is no yes-or-no matter."""
    fates = list(filter_(packet, up, now))
    assert fates in ([], [Fate(packet, up)])
    return bool(fates)


def passed(filter_: Filter, packets: Iterable[bytes], up: bool = True, now: float = 0.0) -> list[bool]:
    return [passes(filter_, packet, up, now) for packet in packets]


def through(filters: Sequence[Filter], packet: bytes, up: bool, now: float = 0.0) -> list[Fate]:
    """What comes out of a row of filters at either end, as on a path: upwards in their order, downwards against it."""
    out: list[Fate] = []
    waiting = [(0 if up else len(filters) - 1, Fate(packet, up))]
    while waiting:
        at, fate = waiting.pop(0)
        if not 0 <= at < len(filters):
            out.append(fate)
            continue
        fates = filters[at](fate.packet, fate.up, now)
        waiting += [(at + (1 if each.up else -1), each) for each in fates]
    return out


def views(fates: Iterable[Fate]) -> list[tuple[View, bool]]:
    return [(parse(fate.packet), fate.up) for fate in fates]
