"""Places that are dropped, reset or rejected, whatever is said to them; and places in whose stead another answers."""

from __future__ import annotations

from random import Random

from tests.lab.filters.aim import aim, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import ACK, SYN, TTL, V4, packed, parse, readdressed, reply_tcp, reset_back, unreachable

HOP, HOP6 = "10.65.0.1", "2001:db8:ffff::1"  # an inner router of an operator
CODES6 = {0: 0, 1: 3, 3: 4, 9: 1, 10: 1, 13: 1}  # codes of ICMP's type 3 → of ICMPv6's type 1
INITIAL = 2_000_000  # the first sequence number of whoever opens in a server's name
End = tuple[bytes, int]  # address and port


def make_drop(parameters: Parameters, random: Random) -> Filter:
    meant = aim(parameters)
    return lambda packet, up, now: [] if meant(parse(packet), up) else passes(packet, up)


def make_reset(parameters: Parameters, random: Random) -> Filter:
    """A RST in the server's name is the answer to a SYN."""
    meant, ttl = aim({**parameters, "direction": "up"}, "tcp"), parameters.get("ttl", TTL)

    def reset(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if meant(view, up) and view.flags & (SYN | ACK) == SYN:
            return [Fate(reset_back(view, ttl), False)]
        return passes(packet, up)

    return reset


def make_reject(parameters: Parameters, random: Random) -> Filter:
    """ICMP destination unreachable from a router on the way; `code` is IPv4's, IPv6 gets its like.

    `forged`: in the name of whom the packet was sent to, as Linux' bridges and transparent boxes do.
    """
    meant = aim({**parameters, "direction": "up"})
    code, ttl = parameters.get("code", 13), parameters.get("ttl", TTL)
    hop, hop6 = packed(parameters.get("hop", HOP)), packed(parameters.get("hop6", HOP6))
    forged = parameters.get("forged", False)

    def reject(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        router, its_code = (hop, code) if view.version == V4 else (hop6, CODES6[code])
        return [Fate(unreachable(view, view.destination if forged else router, its_code, ttl), False)]

    return reject


def make_opens(parameters: Parameters, random: Random) -> Filter:
    """A box opens connections in the server's name, and lets nothing through: as a SYN proxy does that says no."""
    meant = aim({**parameters, "direction": "up"}, "tcp")

    def open_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        return [Fate(reply_tcp(view, b"", SYN | ACK, INITIAL), False)] if view.flags & (SYN | ACK) == SYN else []

    return open_


def make_redirect(parameters: Parameters, random: Random) -> Filter:
    """Packets for one place go to another, whose answers come in the first one's name (as DNAT does).

    Only packets of the family of `to` are meant. `to_port` None: the port stays.
    """
    meant, to = aim({**parameters, "direction": "up"}), packed(parameters["to"])
    to_port = parameters.get("to_port")
    led: dict[tuple[int, End, End], End] = {}  # protocol, near end, where it was led → where it wanted to go

    def redirect(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        far, near = view.far(up), view.near(up)
        if not up:
            wanted = led.get((view.protocol, near, far))
            return passes(readdressed(packet, source=wanted) if wanted else packet, up)
        place = to, to_port or far[1]
        if not meant(view, up) or len(far[0]) != len(to) or far == place:
            return passes(packet, up)
        led[view.protocol, near, place] = far
        return passes(readdressed(packet, destination=place), up)

    return redirect
