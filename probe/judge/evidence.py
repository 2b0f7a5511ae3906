"""What the judge looks at, one measurement and what bears on it; and the form of a rule, one row of its tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field
from msgspec.structs import force_setattr

from probe.judge.controls import Controls
from probe.judge.in_time import CYCLE_MS, FailureSpan
from probe.model import HOUR_MS, Measurement, Network, State, Target

NEAR_MS = HOUR_MS  # either side of a measurement: controls and neighbours of about the same time
CALIBRATION_MS = 24 * HOUR_MS  # back from it: controls that show an uncalibrated answer

C = TypeVar("C")


class Neighbours(Struct, frozen=True, kw_only=True):
    """Established lines of other operators in the country, within ±60 min, at one address.

    Counted as far as any rule tells apart: to whom more of them happen, nothing else is said.
    """

    reached: int = 0  # NEIGHBOURS_FLOOR stands for so many or more
    failed: int = 0  # 1: some did, and none reached it


NOBODY = Neighbours()
NEIGHBOURS_FLOOR = 2  # established lines of other operators; no single line can turn a failure into an accusation
LINES_FLOOR = 3  # of a resolver, to be taken for the network's own


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known about one measurement when it is judged.

    What others say of it may be given so that it is found when a rule first asks.
    """

    measurement: Measurement
    target: Target | None  # None: the targets file that was measured is not known
    started_ms: int | None = None  # corrected, as a collector placed it; None: by the device's own clock
    clock_known: bool = True
    earlier: Measurement | None = None  # round 1 of the same cycle, when `measurement` is round 2
    network: Network = Network()
    networks: dict[str, Network] = {}  # prefix of a resolver, of a router on the path or of a service → network
    # Prefix of an `isp` resolver → lines that use it; LINES_FLOOR stands for so many or more. None: not counted.
    resolver_lines: Mapping[str, int] | None = None
    controls: Controls = field(default_factory=Controls)  # of the same target, within NEAR_MS
    calibrating: Controls = field(default_factory=Controls)  # of the same target, within CALIBRATION_MS before
    neighbours: Mapping[str, Neighbours] = {}  # address → who else in the country tried it
    reached: Collection[str] = frozenset()  # addresses that this line reached in this cycle, at any target

    def __post_init__(self) -> None:
        """Any sequence of control measurements will do; many measurements share one that is summed up already."""
        for name, given in (("controls", self.controls), ("calibrating", self.calibrating)):
            if not isinstance(given, Controls):
                force_setattr(self, name, Controls(given))


def failure_span(evidence: Evidence) -> FailureSpan:
    """In corrected time; both rounds ran by the same clock, within the time of one cycle."""
    measurement, earlier = evidence.measurement, evidence.earlier
    at_ms = evidence.started_ms
    if at_ms is None:
        at_ms = measurement.started_ms + (measurement.clock_offset_ms or 0)
    before_ms = measurement.started_ms - earlier.started_ms if earlier else 0
    return FailureSpan(at_ms - min(max(before_ms, 0), CYCLE_MS), at_ms)


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
