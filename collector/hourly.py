"""The cases of one hour → verdict rows and cells. The judge and the making of cells come in from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from collector.gather import Case
from collector.log import HOUR_MS
from collector.rows import CellRow, FailingRow, HourContent, cell_row, failing_row, verdict_row
from collector.warehouse import in_order
from probe.judge.evidence import Evidence
from probe.judge.failing import failing, is_at
from probe.model import Access, AlsoDial, Cell, Link, Network, Verdict


class MakeCell(Protocol):
    """Of the latest verdict of each line, one cell."""

    def __call__(
        self,
        target: str,
        network: Network,
        access: Access,
        since_ms: int,
        until_ms: int,
        latest: Sequence[Verdict],
    ) -> Cell: ...


class Rules(Struct, frozen=True, kw_only=True):
    """How a measurement is judged. All three are pure; `version` names what they do together."""

    judge: Callable[[Evidence], Verdict]
    cell: MakeCell
    access_of: Callable[[Link], Access]
    version: int


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
        )
    )


def _failing(hour: int, cases: Iterable[Case]) -> list[FailingRow]:
    """Where lines failed, and how many. Controls are not lines, and a targets file must say what was dialled."""
    lines: dict[AlsoDial, set[str]] = {}
    for case in cases:
        endpoints = case.evidence.target.endpoints if case.evidence.target else ()
        if case.is_control or not case.record.clock_known:
            continue
        for dial in failing(case.record.measurement):
            if any(is_at(dial, endpoint) for endpoint in endpoints):
                lines.setdefault(dial, set()).add(case.record.key)
    return [failing_row(dial, hour, len(keys)) for dial, keys in lines.items()]


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
            rules.cell(target, network, access, *span, [lines[key].verdict for key in sorted(lines)]),
            hour,
            simulated=simulated,
        )
        for (network, access, simulated), lines in places.items()
    ]


def _lateness(judged: _Judged) -> tuple[int, int, str]:
    record = judged.case.record
    return record.started_ms, record.measurement.round, record.measurement.uid
