"""The evidence for a measurement: itself, its earlier round, and what is found of others when a rule asks for it.

All of it is read from the index and put in an order of its own, so that it follows from the set of records alone.

What `rules.judge` is given, and what makes it judge again (affected.py):

- the measurement, its start and clock, its network and those of named prefixes: a line of the log, which never changes;
- its targets file: None until it comes, then for ever the same; who waits for one is judged when it has come;
- `earlier`, round 1 of a round 2: by cycle and target, so any arrival there judges the second rounds again;
- `controls` and `calibrating`: of the target, of other keys, by time; asked or not asked is noted with the verdict;
- `neighbours` and `resolver_lines`: by address, by prefix, and by time; what was answered is kept beside (nearby.py);
- `reached`: of the same cycle, at any target; noted as controls are.

Beside the verdict stand whether its line counts, by standing at receipt, which says of whom it changed; and whether its
start was too long before its receipt, which never changes. What falls into quarantine, or comes out, is to all of
these as if it had gone, or arrived.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from collector.facts.kept_targets import TargetBodies
from collector.facts.standing import DAY_MS
from collector.isolation import RETRIED
from collector.judging.asked import Asked, AskedAddresses, AskedLines
from collector.judging.controls import Witnesses, near_hours, witnesses
from collector.judging.index import Index
from collector.judging.nearby import Answer, Nearby
from collector.judging.neighbours import (
    in_doubt,
    is_placed,
    neighbours_at,
    reached_addresses,
    tried_addresses,
)
from collector.judging.quarantine import Identity, Quarantine
from collector.judging.resolver_lines import lines_using, resolver_prefixes
from collector.judging.who_counts import TOLD, WhoCounts
from collector.log import Record
from probe.failure import UserError
from probe.judge.controls import Controls
from probe.judge.evidence import Evidence, Neighbours, failure_span
from probe.model import HOUR_MS, Measurement, Target, Targets

MOST_WITNESSES = 4_000  # control measurements, kept summed up
SLICE_MS = HOUR_MS // 12  # of records in memory
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
    answers: dict[str, Answer] = {}  # given to it of others' lines, as it asked

    @property
    def asked(self) -> Asked:
        """Of whom anything was asked so far."""
        if self.evidence is None:
            return Asked.NOBODY
        one = self.evidence
        bits = {
            Asked.CONTROLS: one.controls.is_asked,
            Asked.CALIBRATION: one.calibrating.is_asked,
            Asked.NEIGHBOURS: isinstance(one.neighbours, AskedLines) and bool(one.neighbours.answers),
            Asked.RESOLVER_LINES: isinstance(one.resolver_lines, AskedLines) and bool(one.resolver_lines.answers),
            Asked.REACHED: isinstance(one.reached, AskedAddresses) and one.reached.is_asked,
        }
        return Asked(sum(bit for bit, is_asked in bits.items() if is_asked))


AskedIn = Callable[[str, int], set[Identity]]  # who, of a target in an hour, asked of others' lines


class Gatherer:
    """Gathers evidence from the index. `control_keys` says who is a control, `who` which lines count.

    Nothing of those that `quarantine` holds bears on others. `asked_in` tells who asked what is not in memory.
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
        self.nearby = Nearby(self._words, self.records, who.source)
        self.asked_in: AskedIn = _nobody
        self._witnesses: OrderedDict[tuple[str, int, bool], Witnesses] = OrderedDict()

    def records(self, target: str, hour: int) -> Iterable[Record]:
        """All records of a target in an hour, in order of (start, key, uid), few of them at a time."""
        for since_ms in range(hour * HOUR_MS, (hour + 1) * HOUR_MS, SLICE_MS):
            yield from sorted(self._index.during(target, since_ms, since_ms + SLICE_MS), key=_in_order)

    def case(self, record: Record) -> Case:
        """What is gathered of it may fail alone, now or when it is asked for."""
        case = self.bare(record, record.damage)
        if record.damage is not None:
            return case
        try:
            answers: dict[str, Answer] = {}
            evidence = self._evidence(record, answers)
            established = self._counts(record, evidence)
            return replace(case, evidence=evidence, established=established, answers=answers)
        except RETRIED:
            raise
        except Exception as error:  # it must not hold up the others
            self._quarantine.tell(error)
            return replace(case, fault=type(error).__name__)

    def bare(self, record: Record, fault: str | None) -> Case:
        """The same measurement, that cannot be judged."""
        return Case(
            record=record,
            evidence=None,
            # Asked before anything is looked up in it: who waits for a file that comes meanwhile is judged again.
            targets_known=self._files.known(record.targets),
            is_control=record.key in self._keys,
            established=False,
            bucket=self._who.bucket(record),
            fault=fault,
        )

    def forget_controls(self) -> None:
        """Another control has come, or one counts no more."""
        self._witnesses.clear()

    def forget_all(self) -> None:
        """Who counts may be others."""
        self.forget_controls()
        self.nearby.forget_all()

    def is_control(self, record: Record) -> bool:
        return record.key in self._keys

    def _counts(self, record: Record, evidence: Evidence) -> bool:
        """Strangers see only targets of files that this collector gave out, and nothing that came too late."""
        shown = evidence.target is not None and record.received_ms - record.started_ms <= LATEST_MS
        return shown and self._who.established(record)

    def _bearing(self, records: Iterable[Record]) -> list[Record]:
        return [r for r in records if not self._quarantine.is_absent(r)]

    def _words(self, record: Record) -> dict[str, bool]:
        """What a record shows to others."""
        if self.is_control(record) or self._quarantine.is_absent(record) or not self._who.established(record):
            return {}
        return tried_addresses(record) | dict.fromkeys(resolver_prefixes(record), True)

    def _evidence(self, record: Record, answers: dict[str, Answer]) -> Evidence:
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
            controls=Controls.when_asked(lambda: self._seen_by_controls(record, calibrate=False).near(record)),
            calibrating=Controls.when_asked(
                lambda: (
                    self._seen_by_controls(record, calibrate=True).calibrating(record) if uncalibrated else Controls()
                )
            ),
        )
        return replace(
            alone,
            neighbours=self._neighbours(record, alone, answers),
            resolver_lines=self._resolver_lines(record, answers),
            reached=AskedAddresses(lambda: self._reached_in_cycle(record)),
        )

    def _seen_by_controls(self, record: Record, *, calibrate: bool) -> Witnesses:
        place = (record.measurement.target, record.hour, calibrate)
        if place in self._witnesses:
            self._witnesses.move_to_end(place)
            return self._witnesses[place]
        with self._quarantine.excused():
            found = Witnesses(self._bearing(witnesses(self._index, self._keys, *place)))
        self._witnesses[place] = found
        while len(self._witnesses) > 1 and sum(map(len, self._witnesses.values())) > MOST_WITNESSES:
            self._witnesses.popitem(last=False)
        return found

    def _neighbours(self, record: Record, alone: Evidence, answers: dict[str, Answer]) -> AskedLines[Neighbours]:
        """By address at which this measurement failed, the lines of other operators within ±60 min of it."""

        def find(address: str) -> Neighbours | None:
            if not is_placed(record) or not address:
                return None
            self._need_around(record)
            found, answers[address] = neighbours_at(self.nearby, address, record, failure_span(alone))
            return found

        return AskedLines(lambda: in_doubt(record.measurement, alone.target), find)

    def _resolver_lines(self, record: Record, answers: dict[str, Answer]) -> AskedLines[int]:
        """By prefix of the resolvers that this measurement asked."""
        own = resolver_prefixes(record)

        def find(prefix: str) -> int | None:
            if prefix not in own:
                return None
            self._need_around(record)
            found, answers[prefix] = lines_using(self.nearby, prefix, record)
            return found

        return AskedLines(lambda: own, find)

    def _need_around(self, record: Record) -> None:
        with self._quarantine.excused():
            self.nearby.need(record.measurement.target, near_hours(record.hour), self.asked_in)

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
        siblings = self._bearing(self._index.siblings(record.key, measurement.cycle, measurement.target, round=1))
        first = [r for r in siblings if r.measurement.simulated == measurement.simulated]
        first.sort(key=lambda r: (r.started_ms, r.measurement.uid))
        return first[0].measurement if first else None


def _nobody(target: str, hour: int) -> set[Identity]:
    return set()


def _in_order(record: Record) -> tuple[int, str, str]:
    return record.started_ms, record.key, record.measurement.uid
