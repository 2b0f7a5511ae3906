"""The cases of one hour → verdict rows and cells. The judge and the making of cells come in from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from collector.judging.evidence import Case
from collector.judging.rules import Rules
from collector.warehouse.store import in_order
from collector.warehouse.tables import (
    CellRow,
    FailingRow,
    HourContent,
    StepRow,
    cell_row,
    failing_row,
    step_row,
    verdict_row,
)
from probe.attempts import failing_addresses, is_at
from probe.failure import is_own
from probe.judge.cells import Line
from probe.model import HOUR_MS, Access, AlsoDial, Measurement, Network, Observation, Verdict


class _Judged(Struct, frozen=True, kw_only=True):
    case: Case
    verdict: Verdict
    access: Access


def judge_hour(rules: Rules, target: str, hour: int, cases: Iterable[Case]) -> HourContent:
    """All that is to stand in the warehouse about `target` in `hour`, in the warehouse's order."""
    judged = [
        _Judged(case=case, verdict=rules.judge(case.evidence), access=rules.access_of(case.record.measurement.link))
        for case in cases
    ]
    rows = (
        verdict_row(
            j.case.record,
            j.verdict,
            j.access,
            targets_known=j.case.targets_known,
            is_control=j.case.is_control,
            established=j.case.established,
            bucket=j.case.bucket,
        )
        for j in judged
    )
    return in_order(
        HourContent(
            target=target,
            hour=hour,
            verdicts=tuple(rows),
            cells=tuple(_cells(rules, target, hour, judged)),
            failing=tuple(_failing(hour, [j.case for j in judged])),
            steps=tuple(_steps(target, hour, judged)),
        )
    )


def _failing(hour: int, cases: Iterable[Case]) -> list[FailingRow]:
    """Where lines failed, and how many. Controls are not lines, and a targets file must say what was dialled."""
    lines: dict[AlsoDial, dict[str, Case]] = {}
    for case in cases:
        endpoints = case.evidence.target.endpoints if case.evidence.target else ()
        if case.is_control or not case.record.clock_known:
            continue
        for dial in failing_addresses(case.record.measurement):
            if any(is_at(dial, endpoint) for endpoint in endpoints):
                lines.setdefault(dial, {})[case.record.key] = case
    return [
        failing_row(dial, hour, len(found), [case.bucket for case in found.values() if case.established])
        for dial, found in lines.items()
    ]


def _steps(target: str, hour: int, judged: Iterable[_Judged]) -> list[StepRow]:
    """Where handshakes got to. Not those of controls, nor where a portal or a VPN answered for the network.

    A step at which the probe itself was interrupted or at fault got nowhere, and tells of nobody.
    """
    outcomes: dict[tuple[Network, Access, bool, str], Counter[bool]] = {}
    for each in judged:
        record, measurement = each.case.record, each.case.record.measurement
        if each.case.is_control or not record.clock_known or measurement.link.void is not None:
            continue
        for seen in _observations(measurement):
            if is_own(seen.failure):
                continue
            place = (record.network, each.access, measurement.simulated, seen.step.value)
            outcomes.setdefault(place, Counter())[seen.failure is None] += 1
    return [step_row(target, hour, *place, passed=seen[True], failed=seen[False]) for place, seen in outcomes.items()]


def _observations(measurement: Measurement) -> Iterator[Observation]:
    yield from (resolution.observation for resolution in measurement.resolutions)
    for attempt in measurement.attempts:
        yield from attempt.observations


def _cells(rules: Rules, target: str, hour: int, judged: Sequence[_Judged]) -> list[CellRow]:
    """One per (network, access); what was simulated has cells of its own. Controls are not lines."""
    places: dict[tuple[Network, Access, bool], dict[str, _Judged]] = {}
    for each in sorted(judged, key=_lateness):
        record = each.case.record
        if not each.case.is_control:
            place = (record.network, each.access, record.measurement.simulated)
            places.setdefault(place, {})[record.key] = each
    span = (hour * HOUR_MS, (hour + 1) * HOUR_MS)
    return [
        cell_row(
            rules.cell(target, network, access, *span, [_line(lines[key]) for key in sorted(lines)]),
            hour,
            simulated=simulated,
        )
        for (network, access, simulated), lines in places.items()
    ]


def _line(judged: _Judged) -> Line:
    return Line(verdict=judged.verdict, established=judged.case.established, bucket=judged.case.bucket)


def _lateness(judged: _Judged) -> tuple[int, int, str]:
    record = judged.case.record
    return record.started_ms, record.measurement.round, record.measurement.uid
