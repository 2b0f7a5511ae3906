"""The evidence for every measurement of one target in one hour: itself, its earlier round, controls, neighbours.

All of it is read from the index and put in an order of its own, so that it follows from the set of records alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from collector.facts.kept_targets import TargetBodies
from collector.facts.standing import DAY_MS
from collector.isolation import RETRIED
from collector.judging.controls import Witnesses, near_hours, witnesses
from collector.judging.index import Index
from collector.judging.neighbours import Tried, reached_addresses
from collector.judging.quarantine import Quarantine
from collector.judging.resolver_lines import ResolverLines
from collector.judging.who_counts import TOLD, WhoCounts
from collector.log import Record
from probe.failure import UserError
from probe.judge.controls import Controls
from probe.judge.evidence import Evidence, failure_span
from probe.model import Measurement, Target, Targets

T = TypeVar("T", Tried, ResolverLines)
LATEST_MS = 30 * DAY_MS  # from a start to its receipt: what comes later is kept, and never shown to strangers
Parse = Callable[[bytes, str], Targets]  # a targets file and the name that its errors give it


class TargetFiles:
    """The targets files that are kept, read once each. A measurement is judged with the file that it was made by."""

    def __init__(self, kept: TargetBodies, parse: Parse) -> None:
        self._kept, self._parse = kept, parse
        self._files: dict[str, dict[str, Target]] = {}

    def known(self, digest: str) -> bool:
        """Whether this file is kept. One that is not may still come."""
        return self._file(digest) is not None

    def target(self, digest: str, name: str) -> Target | None:
        """None when the file is not known, cannot be read, or has no such target."""
        return (self._file(digest) or {}).get(name)

    def names(self, digest: str) -> frozenset[str]:
        """The ids of its targets; none when the file is not known or cannot be read."""
        return frozenset(self._file(digest) or {})

    def uncalibrated(self, digest: str, name: str) -> bool:
        target = self.target(digest, name)
        return target is not None and any(endpoint.uncalibrated for endpoint in target.endpoints)

    def _file(self, digest: str) -> dict[str, Target] | None:
        if digest not in self._files:
            body = self._kept.targets(digest)
            if body is None:
                return None
            self._files[digest] = self._read(digest, body)
        return self._files[digest]

    def _read(self, digest: str, body: bytes) -> dict[str, Target]:
        try:
            return {target.id: target for target in self._parse(body, digest).targets}
        except UserError:
            return {}  # a stranger's file: what it was meant to say is not known


class Case(Struct, frozen=True, kw_only=True):
    """One measurement as it goes before the judge; without `evidence`, the `fault` says why it cannot be judged."""

    record: Record
    evidence: Evidence | None
    targets_known: bool  # False: its targets file had not come when the evidence was gathered
    is_control: bool
    established: bool  # its line, at receipt; and what it says may be shown
    bucket: str | None  # of its source, on the day of its start
    fault: str | None = None  # the class of an exception


class Gatherer:
    """Gathers evidence from the index. `control_keys` says who is a control, `who` which lines count.

    Nothing of those that `quarantine` holds bears on others.
    """

    def __init__(
        self,
        index: Index,
        control_keys: frozenset[str],
        files: TargetFiles,
        who: WhoCounts = TOLD,
        quarantine: Quarantine | None = None,
    ) -> None:
        self._index, self._keys, self._files, self._who = index, control_keys, files, who
        self._quarantine = quarantine or Quarantine()

    def hour(self, target: str, hour: int) -> list[Case]:
        """All measurements of `target` whose hour is `hour`, in order of (start, key, uid)."""
        near = near_hours(hour)
        around = self._index.measurements(target, near[0], near[-1])
        records = sorted((r for r in around if r.hour == hour), key=_in_order)
        if not records:
            return []
        around = self._bearing(around)
        # Asked before anything is looked up in a file: one that comes meanwhile makes this hour be judged again.
        known = {digest: self._files.known(digest) for digest in {r.targets for r in records}}
        calibrate = any(self._files.uncalibrated(r.targets, target) for r in records)
        seen = Witnesses(self._bearing(witnesses(self._index, self._keys, target, hour, calibrate)))
        tried, users = self._by_simulated(around, Tried), self._by_simulated(around, ResolverLines)
        return [
            self._case(
                r,
                known[r.targets],
                partial(self._evidence, r, seen, tried[r.measurement.simulated], users[r.measurement.simulated]),
            )
            for r in records
        ]

    def bare(self, target: str, hour: int, fault: str) -> list[Case]:
        """The same measurements, none of which can be judged."""
        records = sorted(self._index.measurements(target, hour, hour), key=_in_order)
        return [replace(self._unjudgeable(r, targets_known=True), fault=fault) for r in records]

    def _case(self, record: Record, targets_known: bool, gather: Callable[[], Evidence]) -> Case:
        case = self._unjudgeable(record, targets_known)
        if record.damage is not None:
            return case
        try:
            evidence = gather()
            return replace(case, evidence=evidence, established=self._counts(record, evidence))
        except RETRIED:
            raise
        except Exception as error:  # it must not hold up the others of its hour
            self._quarantine.tell(error)
            return replace(case, fault=type(error).__name__)

    def _unjudgeable(self, record: Record, targets_known: bool) -> Case:
        return Case(
            record=record,
            evidence=None,
            targets_known=targets_known,
            is_control=record.key in self._keys,
            established=False,
            bucket=self._who.bucket(record),
            fault=record.damage,
        )

    def _counts(self, record: Record, evidence: Evidence) -> bool:
        """Strangers see only targets of files that this collector gave out, and nothing that came too late."""
        shown = evidence.target is not None and record.received_ms - record.started_ms <= LATEST_MS
        return shown and self._who.established(record)

    def _bearing(self, records: Iterable[Record]) -> list[Record]:
        return [r for r in records if not self._quarantine.is_absent(r)]

    def _by_simulated(self, around: Sequence[Record], of: Callable[[Iterable[Record], WhoCounts], T]) -> dict[bool, T]:
        """By whether the measurement that it is for is simulated: what is simulated does not bear on what is not."""
        lines = [r for r in around if r.key not in self._keys]
        real = of((r for r in lines if not r.measurement.simulated), self._who)
        simulated = any(r.measurement.simulated for r in lines)
        return {False: real, True: of(lines, self._who) if simulated else real}

    def _evidence(self, record: Record, seen: Witnesses, tried: Tried, users: ResolverLines) -> Evidence:
        measurement = record.measurement
        uncalibrated = self._files.uncalibrated(record.targets, measurement.target)
        alone = Evidence(
            measurement=measurement,
            target=self._files.target(record.targets, measurement.target),
            started_ms=record.started_ms,
            clock_known=record.clock_known,
            earlier=self._earlier(record),
            network=record.network,
            networks=record.resolver_networks,
            resolver_lines=users.beside(record),
            controls=seen.near(record),
            calibrating=seen.calibrating(record) if uncalibrated else Controls(),
        )
        neighbours = tried.beside(record, failure_span(alone), alone.target)
        around = any(each.reached for each in neighbours.values())
        reached = self._reached_in_cycle(record) if around else frozenset()
        return replace(alone, neighbours=neighbours, reached=reached)

    def _reached_in_cycle(self, record: Record) -> frozenset[str]:
        """At any target: it shows which prefixes this line has a way to."""
        measurement = record.measurement
        cycle = self._bearing(self._index.siblings(record.key, measurement.cycle))
        return reached_addresses(r for r in cycle if r.measurement.simulated == measurement.simulated)

    def _earlier(self, record: Record) -> Measurement | None:
        """Round 1 of a round 2; of several, which only a broken probe sends, always the same one."""
        measurement = record.measurement
        if measurement.round != 2:
            return None
        siblings = self._bearing(self._index.siblings(record.key, measurement.cycle, measurement.target))
        first = [r for r in siblings if r.measurement.round == 1 and r.measurement.simulated == measurement.simulated]
        first.sort(key=lambda r: (r.started_ms, r.measurement.uid))
        return first[0].measurement if first else None


def _in_order(record: Record) -> tuple[int, str, str]:
    return record.started_ms, record.key, record.measurement.uid
