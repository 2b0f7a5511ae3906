"""A carrier's (or a home's) address translation for one line: RFC 4787's two kinds of mapping, and its timer.

A line has a public address to itself, so that what comes back finds its line; ports are translated all the same.
IPv6 passes as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.lab.model import Fate
from tests.lab.packets import ICMP, TCP, UDP, V6, View, checksum, parse, readdressed

CARRIER_SECONDS, HOME_SECONDS = 60.0, 300.0  # of silence, after which a UDP mapping is forgotten
ERRORS = (3, 11, 12)  # ICMP messages that quote a packet
QUOTE = 28  # where it begins, behind headers without options
Key = tuple[int, ...] | tuple[int, int, bytes, int]


@dataclass(slots=True)
class Mapping:
    protocol: int
    inner: int  # port
    outer: int
    far: tuple[bytes, int] | None  # of a symmetric NAT: the only one who may answer
    used: float


@dataclass(frozen=True, slots=True)
class Manner:
    """How a NAT maps. Symmetric: another port for each destination, open to it alone; else one port, open to all."""

    symmetric: bool = False
    timeout: float = CARRIER_SECONDS  # of UDP
    preserves_ports: bool = False


class Nat:
    """A Filter: what goes up comes from the public address, what comes down for no mapping is dropped."""

    def __init__(self, private: bytes, public: bytes, manner: Manner, dice: Random) -> None:
        self.manner = manner
        self._private, self._public, self._dice = private, public, dice
        self._by_inner: dict[Key, Mapping] = {}
        self._by_outer: dict[tuple[int, int], Mapping] = {}

    def __call__(self, packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        view = parse(packet)
        if view.version == V6:
            return (Fate(packet, up),)
        translated = self._out(view, now) if up else self._in(view, now)
        return (Fate(translated, up),) if translated is not None else ()

    def _out(self, view: View, now: float) -> bytes | None:
        if _quotes(view):  # of the line's, or of a router's that stands on this side (RFC 5508, section 4.2)
            return self._quoting(view, True)
        if view.source != self._private:
            return None
        if view.protocol in (TCP, UDP) and not view.fragment:
            return readdressed(view.raw, source=(self._public, self._mapping(view, now).outer))
        return readdressed(view.raw, source=(self._public, 0))

    def _in(self, view: View, now: float) -> bytes | None:
        if view.protocol in (TCP, UDP) and not view.fragment:
            mapping = self._by_outer.get((view.protocol, view.destination_port))
            if mapping is None or self._is_over(mapping, now):
                return None
            if mapping.far is not None and mapping.far != (view.source, view.source_port):
                return None
            mapping.used = now
            return readdressed(view.raw, destination=(self._private, mapping.inner))
        if _quotes(view):
            return self._quoting(view, False)
        return readdressed(view.raw, destination=(self._private, 0))

    def _mapping(self, view: View, now: float) -> Mapping:
        far = (view.destination, view.destination_port) if self.manner.symmetric else None
        key: Key = (view.protocol, view.source_port, *(far or ()))
        mapping = self._by_inner.get(key)
        if mapping is None or self._is_over(mapping, now):
            if mapping is not None:
                del self._by_outer[mapping.protocol, mapping.outer]
            outer = self._free_port(view.protocol, view.source_port)
            mapping = Mapping(view.protocol, view.source_port, outer, far, now)
            self._by_inner[key] = self._by_outer[view.protocol, outer] = mapping
        mapping.used = now
        return mapping

    def _is_over(self, mapping: Mapping, now: float) -> bool:
        return mapping.protocol == UDP and now - mapping.used > self.manner.timeout

    def _free_port(self, protocol: int, wanted: int) -> int:
        port = wanted if self.manner.preserves_ports else self._dice.randrange(1024, 65536)
        while (protocol, port) in self._by_outer:
            port = self._dice.randrange(1024, 65536)
        return port

    def _quoting(self, view: View, up: bool) -> bytes | None:
        """An ICMP error about a translated packet: the packet that it quotes is translated back with it."""
        quoted = parse(view.raw[QUOTE:])
        if up:
            mapping = next((one for one in self._by_outer.values() if _is_about(one, quoted)), None)
            inner = mapping and readdressed(quoted.raw, destination=(self._public, mapping.outer))
            outer = readdressed(view.raw[:QUOTE], source=(self._public, 0))
        else:
            mapping = self._by_outer.get((quoted.protocol, quoted.source_port))
            inner = mapping and readdressed(quoted.raw, source=(self._private, mapping.inner))
            outer = readdressed(view.raw[:QUOTE], destination=(self._private, 0))
        if not inner:
            return None
        message = outer[20:22] + b"\0\0" + outer[24:] + inner
        return outer[:20] + message[:2] + checksum(message).to_bytes(2) + message[4:]


def _quotes(view: View) -> bool:
    return view.protocol == ICMP and view.icmp[0] in ERRORS and len(view.raw) >= QUOTE + 28


def _is_about(mapping: Mapping, quoted: View) -> bool:
    return (mapping.protocol, mapping.inner) == (quoted.protocol, quoted.destination_port)
