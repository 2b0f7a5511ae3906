"""The cases of one hour → verdict rows and cells. The judge and the making of cells come in from outside.

Each case is judged alone, with all that is taken from it: one that cannot be (quarantine.py) leaves the others as
they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from collector.isolation import RETRIED
from collector.judging.evidence import Case
from collector.judging.quarantine import VERSION, Quarantine, unjudgeable
from collector.judging.rules import Rules
from collector.warehouse import privacy_floor
from collector.warehouse.editions import Heard, editions, joins_ms
from collector.warehouse.store import in_order
from collector.warehouse.tables import (
    CellRow,
    FailingRow,
    HourContent,
    QuarantineRow,
    StepRow,
    VerdictRow,
    cell_row,
    failing_row,
    quarantine_row,
    step_row,
    verdict_row,
)
from probe.attempts import failing_addresses, is_at
from probe.failure import is_own
from probe.judge.cells import Line
from probe.judge.evidence import Evidence
from probe.model import HOUR_MS, Access, AlsoDial, Measurement, Network, Observation, Verdict

_Place = tuple[Network, Access, bool]  # and whether it is simulated


class _Judged(Struct, frozen=True, kw_only=True):
    """A case with what is taken from it. `steps` are (step, whether it was completed); `fault` an exception's class."""

    case: Case
    verdict: Verdict
    access: Access
    failing: tuple[AlsoDial, ...] = ()
    steps: tuple[tuple[str, bool], ...] = ()
    fault: str | None = None


def judge_hour(
    rules: Rules, target: str, hour: int, cases: Iterable[Case], quarantine: Quarantine | None = None
) -> HourContent:
    """All that is to stand in the warehouse about `target` in `hour`, in the warehouse's order."""
    judged = [_judged(rules, case, quarantine or Quarantine()) for case in cases]
    return in_order(
        HourContent(
            target=target,
            hour=hour,
            verdicts=tuple(_row(each) for each in judged),
            cells=tuple(_cells(rules, target, hour, judged)),
            failing=tuple(_failing(hour, judged)),
            steps=tuple(_steps(target, hour, judged)),
            quarantine=tuple(_quarantined(judged)),
        )
    )


def set_aside(rules: Rules, target: str, hour: int, cases: Iterable[Case]) -> HourContent:
    """An hour of which nothing can be judged, nor put together: a verdict `unjudgeable` on each, and no more."""
    judged = [_unjudgeable(rules, case, case.fault or "") for case in cases]
    verdicts, quarantine = tuple(_row(each) for each in judged), tuple(_quarantined(judged))
    return in_order(HourContent(target=target, hour=hour, verdicts=verdicts, quarantine=quarantine))


def _judged(rules: Rules, case: Case, quarantine: Quarantine) -> _Judged:
    evidence = case.evidence
    if evidence is None:
        return _unjudgeable(rules, case, case.fault or "")
    try:
        return _Judged(
            case=case,
            verdict=quarantine.timed(case.record, lambda: rules.judge(evidence)),
            access=rules.access_of(case.record.measurement.link),
            failing=tuple(_failing_of(case, evidence)),
            steps=tuple(_steps_of(case)),
        )
    except RETRIED:
        raise
    except Exception as error:  # a mistake of ours, or what nobody thought of: it must not hold up the others
        quarantine.tell(error)
        return _unjudgeable(rules, case, type(error).__name__)


def _unjudgeable(rules: Rules, case: Case, fault: str) -> _Judged:
    verdict = unjudgeable(case.record, fault, rules.version)
    return _Judged(case=case, verdict=verdict, access=Access.UNKNOWN, fault=fault)


def _row(judged: _Judged) -> VerdictRow:
    case = judged.case
    return verdict_row(
        case.record,
        judged.verdict,
        judged.access,
        targets_known=case.targets_known,
        is_control=case.is_control,
        established=case.established,
        bucket=case.bucket,
    )


def _quarantined(judged: Iterable[_Judged]) -> Iterator[QuarantineRow]:
    for each in judged:
        if each.fault is not None:
            yield quarantine_row(each.case.record, each.fault, VERSION)


def _failing_of(case: Case, evidence: Evidence) -> Iterator[AlsoDial]:
    """Where it failed. Controls are not lines, and a targets file must say what was dialled."""
    endpoints = evidence.target.endpoints if evidence.target else ()
    if case.is_control or not case.record.clock_known:
        return
    for dial in failing_addresses(case.record.measurement):
        if any(is_at(dial, endpoint) for endpoint in endpoints):
            yield dial


def _failing(hour: int, judged: Iterable[_Judged]) -> list[FailingRow]:
    """Where lines failed, and how many."""
    lines: dict[AlsoDial, dict[str, _Judged]] = {}
    for each in sorted(judged, key=_receipt, reverse=True):
        for dial in each.failing:
            lines.setdefault(dial, {})[each.case.record.key] = each
    rows = []
    for dial, by_key in lines.items():
        known = [each for each in by_key.values() if each.case.established]
        buckets = [each.case.bucket for each in known]
        rows.append(failing_row(dial, hour, len(by_key), buckets, _shown_from_ms(known, (hour + 1) * HOUR_MS)))
    return rows


def _shown_from_ms(established: Iterable[_Judged], end_ms: int) -> int:
    """Since when so many of these lines had told of it that none can be seen among them; 0: they are too few."""
    told: list[tuple[Access, str | None]] = []
    in_order = sorted(established, key=_receipt)
    for moment_ms, arrived in groupby(in_order, key=lambda each: joins_ms(_receipt(each)[0], end_ms)):
        told += [(each.access, each.case.bucket) for each in arrived]
        if privacy_floor.hides(told):
            return moment_ms
    return 0


def _receipt(judged: _Judged) -> tuple[int, str, str]:
    """Received when; what was simulated hides nobody: it is as if it had been received in time."""
    record = judged.case.record
    return 0 if record.measurement.simulated else record.received_ms, record.key, record.measurement.uid


def _steps_of(case: Case) -> Iterator[tuple[str, bool]]:
    """Where its handshakes got to. Not a control's, nor where a portal or a VPN answered for the network.

    A step at which the probe itself was interrupted or at fault got nowhere, and tells of nobody.
    """
    measurement = case.record.measurement
    if case.is_control or not case.record.clock_known or measurement.link.void is not None:
        return
    for seen in _observations(measurement):
        if not is_own(seen.failure):
            yield seen.step.value, seen.failure is None


def _steps(target: str, hour: int, judged: Iterable[_Judged]) -> list[StepRow]:
    outcomes: dict[tuple[Network, Access, bool, str], Counter[bool]] = {}
    for each in judged:
        record = each.case.record
        for step, passed in each.steps:
            place = (record.network, each.access, record.measurement.simulated, step)
            outcomes.setdefault(place, Counter())[passed] += 1
    return [step_row(target, hour, *place, passed=seen[True], failed=seen[False]) for place, seen in outcomes.items()]


def _observations(measurement: Measurement) -> Iterator[Observation]:
    yield from (resolution.observation for resolution in measurement.resolutions)
    for attempt in measurement.attempts:
        yield from attempt.observations


def _cells(rules: Rules, target: str, hour: int, judged: Sequence[_Judged]) -> list[CellRow]:
    """For the owner one per (network, access), and the editions that strangers are told of. What was simulated has
    cells of its own. Controls are not lines.
    """
    lines = [each for each in judged if not each.case.is_control]
    made = _MakeRow(rules, target, hour)
    return [*_owners(made, lines), *_strangers(made, lines)]


class _MakeRow:
    """Makes rows of the cells of one target and hour."""

    def __init__(self, rules: Rules, target: str, hour: int) -> None:
        self._rules, self._target, self._hour = rules, target, hour
        self.span = (hour * HOUR_MS, (hour + 1) * HOUR_MS)

    def row(self, place: _Place, lines: Sequence[Line], shown_ms: tuple[int, int] = (0, 0)) -> CellRow:
        """The cell of these lines."""
        network, access, simulated = place
        cell = self._rules.cell(self._target, network, access, *self.span, lines)
        return cell_row(cell, self._hour, simulated=simulated, shown_ms=shown_ms)


def _owners(made: _MakeRow, judged: Iterable[_Judged]) -> list[CellRow]:
    places: dict[_Place, dict[str, _Judged]] = {}
    for each in sorted(judged, key=_lateness):
        record = each.case.record
        place = (record.network, each.access, record.measurement.simulated)
        places.setdefault(place, {})[record.key] = each
    return [made.row(place, [_line(lines[key]) for key in sorted(lines)]) for place, lines in places.items()]


def _strangers(made: _MakeRow, judged: Iterable[_Judged]) -> list[CellRow]:
    countries: dict[tuple[str, Access, bool], list[Heard]] = {}
    for each in judged:
        record = each.case.record
        if each.case.established and record.network != Network():
            country = (record.network.country, each.access, record.measurement.simulated)
            countries.setdefault(country, []).append(_heard(each))
    return [
        made.row((one.network, access, simulated), one.lines, (one.from_ms, one.until_ms))
        for (_, access, simulated), heard in countries.items()
        for one in editions(heard, access, made.span[1])
    ]


def _heard(judged: _Judged) -> Heard:
    record = judged.case.record
    return Heard(
        network=record.network,
        key=record.key,
        order=_lateness(judged),
        received_ms=_receipt(judged)[0],
        line=_line(judged),
    )


def _line(judged: _Judged) -> Line:
    return Line(verdict=judged.verdict, established=judged.case.established, bucket=judged.case.bucket)


def _lateness(judged: _Judged) -> tuple[int, int, str]:
    record = judged.case.record
    return record.started_ms, record.measurement.round, record.measurement.uid
