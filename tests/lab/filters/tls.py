"""What boxes do once they have read a server name: drop, break off, drop the reply, punish for a while."""

from __future__ import annotations

from random import Random

from tests.lab.filters.aim import is_of, passes
from tests.lab.filters.hello import named_in
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import ACK, RST, TCP, TTL, View, after, parse, reset_back, reset_onward, tcp

COPIES = 3  # of a reset by a box beside the path, against loss


class Names:
    """Recognises ClientHellos that name one of `names`."""

    def __init__(self, parameters: Parameters) -> None:
        self._names = tuple(parameters["names"])

    def named(self, view: View, up: bool) -> bool:
        name = named_in(view, up)
        return name is not None and is_of(name, self._names)


def make_drop(parameters: Parameters, random: Random) -> Filter:
    """The ClientHello disappears, as often as it is sent."""
    names = Names(parameters)
    return lambda packet, up, now: [] if names.named(parse(packet), up) else passes(packet, up)


def make_reset(parameters: Parameters, random: Random) -> Filter:
    """The line is reset in the server's name, and with `both` the server in the line's.

    `in_path`: the box holds the ClientHello back; otherwise it passes, and the resets race what the server says.
    """
    names, ttl = Names(parameters), parameters.get("ttl", TTL)
    both, in_path = parameters.get("both", False), parameters.get("in_path", True)

    def reset(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not names.named(view, up):
            return passes(packet, up)
        back = Fate(reset_back(view, ttl), False)
        if in_path:
            return [back, Fate(reset_onward(view, ttl), True)] if both else [back]
        behind = [Fate(_reset_behind(view, ttl), True)] if both else []
        return [*[back] * COPIES, Fate(packet, up), *behind]

    return reset


def _reset_behind(view: View, ttl: int) -> bytes:
    """A RST to the server that fits once it has got the packet itself."""
    ends = (view.source, view.source_port), (view.destination, view.destination_port)
    return tcp(*ends, RST, after(view), 0, ttl=ttl, window=0)


def make_reply_drop(parameters: Parameters, random: Random) -> Filter:
    """The ClientHello passes; of what the server says in that connection only bare acknowledgements do."""
    names = Names(parameters)
    named: set[tuple[int, bytes, int, bytes, int]] = set()

    def drop(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if names.named(view, up):
            named.add(view.flow(up))
        if up or view.protocol != TCP or view.flow(up) not in named:
            return passes(packet, up)
        return passes(packet, up) if view.flags == ACK and not view.payload else []

    return drop


def make_blackhole(parameters: Parameters, random: Random) -> Filter:
    """From a ClientHello on, nothing passes between that line and that server's port, for `seconds`."""
    names, seconds = Names(parameters), parameters["seconds"]
    until: dict[tuple[bytes, bytes, int], float] = {}

    def blackhole(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if view.protocol != TCP:
            return passes(packet, up)
        key = (view.near(up)[0], *view.far(up))
        if names.named(view, up):
            until[key] = now + seconds
        return [] if now < until.get(key, now) else passes(packet, up)

    return blackhole
