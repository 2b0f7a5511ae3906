"""How far a simulated line's packets get: what died is followed beside a packet to its neighbour.

A technique stands in the operator's network, behind its first router, and knows the address or reads what is said to
it; a neighbour in the same prefix goes on to its end. A service that is down itself looks the same to a line here: it
is the controls who say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from probe.addresses import family_of
from probe.failure import BROKEN_OFF, PROHIBITED
from probe.model import CELLULAR, Access, Attempt, Hop, HopKind, ReplyKind, Sweep, Transport
from probe.protocols import comparable_step

FURTHER = 3  # TTLs behind the place where it dies
BEYOND = 2  # routers behind it that speak to the neighbour


def swept(attempts: Sequence[Attempt], access: Access) -> tuple[Sweep, ...]:
    """Of every attempt that failed, its last packet and the neighbour's."""
    failed = [each for each in attempts if each.grade is None and each.observations and each.address]
    return tuple(sweep for attempt in failed for sweep in _beside(attempt, _routers(access)))


def _routers(access: Access) -> tuple[Hop, ...]:
    """The home's own, unless the device is on a cellular network itself, and the operator's first."""
    kinds = (HopKind.NEAR,) if access in CELLULAR else (HopKind.PRIVATE, HopKind.NEAR)
    return tuple(_exceeded(ttl, kind) for ttl, kind in enumerate(kinds, start=1))


def _beside(attempt: Attempt, routers: tuple[Hop, ...]) -> list[Sweep]:
    last, address = attempt.observations[-1], attempt.address or ""
    over = Transport.UDP if attempt.transport is Transport.UDP else Transport.TCP
    end = len(routers) + 1
    dies = tuple(Hop(ttl=ttl, came=_fate(last.failure)) for ttl in range(end, end + FURTHER))
    goes_on = tuple(_exceeded(ttl, HopKind.PUBLIC) for ttl in range(end, end + BEYOND))
    answer = (Hop(ttl=end + BEYOND, came=ReplyKind.ANSWER),)

    failed = Sweep(
        step=last.step,
        host=attempt.host,
        port=attempt.port,
        transport=over,
        family=family_of(address),
        address=address,
        hops=(*routers, *dies),
    )
    neighbour = replace(
        failed,
        step=comparable_step(last.step, over),
        host="neighbour.example",
        neutral=True,
        address=_next_to(address),
        hops=(*routers, *goes_on, *answer),
    )
    return [failed, neighbour]


def _exceeded(ttl: int, kind: HopKind) -> Hop:
    return Hop(ttl=ttl, came=ReplyKind.EXCEEDED, kind=kind)


def _fate(failure: str | None) -> ReplyKind:
    if failure == PROHIBITED:
        return ReplyKind.REJECTED
    return ReplyKind.RESET if failure in BROKEN_OFF else ReplyKind.SILENCE


def _next_to(address: str) -> str:
    """Another address of the same /24."""
    network, _, host = address.rpartition(".")
    return f"{network}.{(int(host) + 1) % 256}"
