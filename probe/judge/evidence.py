"""What the judge looks at, one measurement and what bears on it; and the form of a rule, one row of its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from probe.model import HOUR_MS, ControlMeasurement, Measurement, Network, State, Target

NEAR_MS = HOUR_MS  # either side of a measurement: controls and neighbours of about the same time
CALIBRATION_MS = 24 * HOUR_MS  # back from it: controls that show an uncalibrated answer

C = TypeVar("C")


class Neighbours(Struct, frozen=True, kw_only=True):
    """Established lines of other operators in the country, within ±60 min, at one address."""

    reached: int = 0
    failed: int = 0


NOBODY = Neighbours()


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known about one measurement when it is judged."""

    measurement: Measurement
    target: Target | None  # None: the targets file that was measured is not known
    started_ms: int | None = None  # corrected, as a collector placed it; None: by the device's own clock
    clock_known: bool = True
    earlier: Measurement | None = None  # round 1 of the same cycle, when `measurement` is round 2
    network: Network = Network()
    networks: dict[str, Network] = {}  # prefix of a resolver, of a router on the path or of a service → network
    resolver_lines: dict[str, int] | None = None  # prefix of an `isp` resolver → lines that use it; None: not counted
    controls: tuple[ControlMeasurement, ...] = ()  # of the same target, within NEAR_MS
    calibrating: tuple[ControlMeasurement, ...] = ()  # of the same target, within CALIBRATION_MS before
    neighbours: dict[str, Neighbours] = {}  # address → who else in the country tried it
    reached: frozenset[str] = frozenset()  # addresses that this line reached in this cycle, at any target


class Rule(Struct, Generic[C], frozen=True):
    """`reason` is for whoever reads the verdict, `comment` for whoever reads the table."""

    id: str
    when: Callable[[C], bool]
    state: State
    mechanism: str | None
    reason: str
    comment: str


def first_match(rules: Sequence[Rule[C]], case: C) -> Rule[C] | None:
    return next((rule for rule in rules if rule.when(case)), None)


ADD_A_CONTROL = (
    "to compare, measure the same targets from a network without interference and pass its results with --control"
)
