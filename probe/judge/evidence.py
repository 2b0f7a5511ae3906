"""What the judge looks at: one measurement, and what bears on it."""

from __future__ import annotations

from msgspec import Struct

from probe.model import ControlMeasurement, Measurement, Network, Target


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known about one measurement when it is judged."""

    measurement: Measurement
    target: Target | None  # None: the targets file that was measured is not known
    clock_known: bool = True
    earlier: Measurement | None = None  # round 1 of the same cycle, when `measurement` is round 2
    network: Network = Network()
    networks: dict[str, Network] = {}  # prefix of a resolver or of a router on the path → network
    controls: tuple[ControlMeasurement, ...] = ()  # of the same target, within ±60 min
    calibrating: tuple[ControlMeasurement, ...] = ()  # of the same target, within the 24 h before
    neighbours: frozenset[str] = frozenset()  # addresses that another network of the country reached, ±60 min
