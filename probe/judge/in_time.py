"""In time: of each network counts what it saw nearest to a failure, on either side of it.

A service that went out of order an hour ago answered before, and one that was mended answers after. A success from
before the failure says that the service was there then; only a newer one says that it still was. So a line that fails
in the first minutes of an outage waits for the next look, and is judged again once it has come. A look's cycle and a
line's that are nearer to one another than two cycles ever are count as one time, until the next look says otherwise.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence, Set
from enum import StrEnum

from msgspec import Struct

from probe.model import Observation

CYCLE_MS = 10 * 60_000  # the least between two cycles: what is nearer than that is of one time


class Control(StrEnum):
    ALIVE = (
        "alive"  # nearest in time it answered more networks than not, and one of them when the line failed, or since
    )
    AWAITED = "awaited"  # the same, and nobody has tried since the line failed
    DISAGREE = "disagree"  # it answered, and in at least as many networks it did not
    DOWN = "down"  # nearest in time it answered nobody, in at least two networks
    UNKNOWN = "unknown"


class FailureSpan(Struct, frozen=True):
    """When a line failed: the starts of the first and of the last round that say so."""

    first_ms: int
    last_ms: int

    def apart_ms(self, at_ms: int) -> int:
        return max(self.first_ms - at_ms, at_ms - self.last_ms, 0)


class Look(Struct, frozen=True):
    """One cycle of somebody's: whether it got through, and when. `by`: a control's network, or a line."""

    by: Hashable
    at_ms: int
    through: bool
    uid: str = ""  # of the measurement in which that was seen
    heard: tuple[Observation, ...] = ()  # in it, where more is asked of it


def standing(looks: Sequence[Look], failed: FailureSpan) -> Control:
    just_before = {look.by for look in looks if look.through and 0 <= failed.first_ms - look.at_ms < CYCLE_MS}
    return concluded(nearest(looks, failed), since(looks, failed), just_before)


def concluded(near: Sequence[Look], newest: Sequence[Look], just_before: Set[Hashable]) -> Control:
    """No single network can make `down`; as many that failed as got through disagree.

    One of each network: `near` nearest to the failure, `newest` since it; `just_before` it, these got through.
    """
    through = {look.by for look in near if look.through}
    failing = len(near) - len(through)
    if not through:
        return Control.DOWN if failing >= 2 else Control.UNKNOWN
    if failing >= len(through):
        return Control.DISAGREE
    return Control.ALIVE if _is_there_still(through, newest, just_before) else Control.AWAITED


def _is_there_still(through: Set[Hashable], newest: Sequence[Look], just_before: Set[Hashable]) -> bool:
    """One of the networks that got through did so since the line failed, or just before and has not tried since."""
    silent = through - {look.by for look in newest}
    return bool(silent & just_before) or any(look.through and look.by in through for look in newest)


def nearest(looks: Iterable[Look], failed: FailureSpan) -> list[Look]:
    """One of each network or line; of two that are as near, the one that failed."""
    chosen: dict[Hashable, Look] = {}
    for look in sorted(looks, key=lambda each: (failed.apart_ms(each.at_ms), each.through)):
        chosen.setdefault(look.by, look)
    return list(chosen.values())


def since(looks: Iterable[Look], failed: FailureSpan) -> list[Look]:
    """The first of each network or line that did not begin before the failure."""
    return nearest([look for look in looks if look.at_ms >= failed.first_ms], failed)


def one_of_each_cycle(looks: Iterable[tuple[Hashable, Look]]) -> list[Look]:
    """Of the rounds of one cycle, which comes with them, one look: one that got through counts."""
    cycles: dict[Hashable, list[Look]] = {}
    for cycle, look in sorted(looks, key=lambda each: (each[1].at_ms, each[1].uid)):
        rounds = cycles.setdefault((cycle, look.by), [])
        if rounds and look.at_ms - rounds[-1].at_ms < CYCLE_MS:
            rounds[-1] = look if look.through and not rounds[-1].through else rounds[-1]
        else:
            rounds.append(look)
    return [look for rounds in cycles.values() for look in rounds]
