"""Controls: probes outside the measured networks. The collector's list of keys says who is one, nobody else.

What a control saw bears on the measurements of the same target within an hour of it, and, for targets whose
expected answer is only inferred (uncalibrated), on those of the day after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from collector.judging.index import Index
from collector.log import Record
from probe.failure import UserError
from probe.judge.controls import Controls
from probe.judge.evidence import CALIBRATION_MS, NEAR_MS
from probe.model import HOUR_MS, ControlMeasurement

CALIBRATION_HOURS = CALIBRATION_MS // HOUR_MS

_KEY = re.compile(r"[0-9a-f]{64}")


def control_keys(words: Iterable[str]) -> frozenset[str]:
    """The keys given by `--control-key`, each 64 hex digits.

    Raises UserError on a word that is no key.
    """
    keys = frozenset(word.strip().lower() for word in words)
    for key in sorted(keys):
        if not _KEY.fullmatch(key):
            raise UserError(f"--control-key takes a probe's public key, 64 hex digits; {key!r} is not one.")
    return keys


def near_hours(hour: int) -> range:
    """The hours on whose measurements something seen in `hour` can bear by being within ±60 min."""
    return range(hour - 1, hour + 2)


def calibrated_hours(hour: int) -> range:
    """The hours on whose measurements a control of `hour` can bear by being at most 24 h old."""
    return range(hour, hour + CALIBRATION_HOURS + 1)


def bears_on(witness: Record, *, simulated: bool) -> bool:
    """Whether one record may speak for or against another's measurement at all, which is simulated or not.

    A time that is not known is near nothing, and what was simulated says nothing about the real world.
    """
    return witness.clock_known and (simulated or not witness.measurement.simulated)


class Witnesses:
    """What controls measured of one target around one hour, summed up once for all measurements of that hour."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = sorted(records, key=lambda r: (r.started_ms, r.key, r.measurement.uid))
        self._keys = {r.key for r in self._records}
        self._bearing: dict[tuple[str | None, bool], Controls] = {}

    def __len__(self) -> int:
        return len(self._records)

    def near(self, record: Record) -> Controls:
        """Those within ±60 min of a measurement."""
        return self._on(record).between(record.started_ms - NEAR_MS, record.started_ms + NEAR_MS)

    def calibrating(self, record: Record) -> Controls:
        """Those of the 24 h before a measurement."""
        return self._on(record).between(record.started_ms - CALIBRATION_MS, record.started_ms)

    def _on(self, record: Record) -> Controls:
        """All that may speak of a measurement, whenever they were made. No key is a witness of its own."""
        own, simulated = record.key if record.key in self._keys else None, record.measurement.simulated
        if (own, simulated) not in self._bearing:
            self._bearing[own, simulated] = Controls(
                ControlMeasurement(key=r.key, network=r.network, measurement=r.measurement, started_ms=r.started_ms)
                for r in self._records
                if r.key != own and bears_on(r, simulated=simulated)
            )
        return self._bearing[own, simulated]


def witnesses(index: Index, keys: frozenset[str], target: str, hour: int, calibrate: bool) -> list[Record]:
    """All that can bear on the measurements of `target` in `hour`; a day back too where it is to `calibrate`."""
    if not keys:
        return []
    back = CALIBRATION_MS if calibrate else NEAR_MS
    since, until = hour * HOUR_MS - back, (hour + 1) * HOUR_MS + NEAR_MS
    return index.by_keys(keys, since, until, target)
