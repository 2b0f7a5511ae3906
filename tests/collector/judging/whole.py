"""What must stand in the warehouse, worked out naively from all records at once: the definition to hold judging to.

It knows no hour, no memory and no arrival: of each measurement everything is gone through, whatever it asks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from collector.judging.evidence import Case, TargetFiles
from collector.judging.neighbours import in_doubt, is_placed, reached_addresses, tried_addresses
from collector.judging.quarantine import Quarantine
from collector.judging.resolver_lines import resolver_prefixes
from collector.judging.rows import dials_of, judged_row, steps_of, verdict_of
from collector.judging.rules import Rules
from collector.judging.who_counts import TOLD, Source, WhoCounts, count_sources
from collector.log import Record
from collector.warehouse.editions import Heard, editions, joins_ms
from collector.warehouse.privacy_floor import hides
from collector.warehouse.tables import Kept, cell_from, cell_row, cell_values, verdict_values
from probe.judge.cells import Line
from probe.judge.evidence import CALIBRATION_MS, NEAR_MS, Evidence, Neighbours, failure_span
from probe.judge.in_time import Control, FailureSpan, Look, one_of_each_cycle
from probe.judge.looks import LooksOfOne, Window
from probe.judge.voices import VOICES
from probe.model import HOUR_MS, Access, ControlMeasurement, Network, Verdict

Content = dict[str, list[tuple[Any, ...]]]


def whole(
    records: Iterable[Record], rules: Rules, files: TargetFiles, controls: frozenset[str], who: WhoCounts = TOLD
) -> Content:
    """The tables, but for quarantine."""
    every = sorted(records, key=lambda r: (r.started_ms, r.key, r.measurement.uid))
    kept = [judged_row(rules, _case(each, every, files, controls, who), Quarantine()).kept for each in every]
    kept.sort(key=lambda k: (k.verdict.target, k.verdict.hour, k.verdict.started_ms, k.verdict.key, k.verdict.uid))
    return {
        "verdict": [verdict_values(row.verdict) for row in kept],
        "cell": sorted(_cells(rules, kept), key=_cell_order),
        "failing": sorted(_failing(kept)),
        "step": sorted(_steps(kept)),
    }


def _cell_order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    row = cell_from(values)
    return row.target, row.hour, row.country, row.asn, row.operator, row.access, row.simulated, row.shown_from_ms


def _case(record: Record, every: list[Record], files: TargetFiles, controls: frozenset[str], who: WhoCounts) -> Case:
    target = files.target(record.targets, record.measurement.target)
    late = record.received_ms - record.started_ms > 30 * 24 * HOUR_MS
    return Case(
        record=record,
        evidence=_evidence(record, every, files, controls, who),
        targets_known=files.known(record.targets),
        is_control=record.key in controls,
        established=target is not None and not late and who.established(record),
        bucket=who.bucket(record),
    )


def _evidence(
    record: Record, every: list[Record], files: TargetFiles, controls: frozenset[str], who: WhoCounts
) -> Evidence:
    measurement, at_ms = record.measurement, record.started_ms
    alike = [r for r in every if measurement.simulated or not r.measurement.simulated]
    same = [r for r in alike if r.measurement.target == measurement.target]
    cycle = [
        r
        for r in every
        if (r.key, r.measurement.cycle, r.measurement.simulated)
        == (record.key, measurement.cycle, measurement.simulated)
    ]
    first = [r for r in cycle if r.measurement.target == measurement.target and r.measurement.round == 1]
    first.sort(key=lambda r: (r.started_ms, r.measurement.uid))
    seen = [
        ControlMeasurement(key=r.key, network=r.network, measurement=r.measurement, started_ms=r.started_ms)
        for r in same
        if r.key in controls and r.key != record.key and r.clock_known
    ]
    lines = [r for r in same if r.key not in controls and who.established(r) and abs(r.started_ms - at_ms) <= NEAR_MS]
    uncalibrated = files.uncalibrated(record.targets, measurement.target)
    alone = Evidence(
        measurement=measurement,
        target=files.target(record.targets, measurement.target),
        started_ms=at_ms,
        clock_known=record.clock_known,
        earlier=first[0].measurement if first and measurement.round == 2 else None,
        network=record.network,
        networks=record.resolver_networks,
        controls=[c for c in seen if abs(c.started_ms - at_ms) <= NEAR_MS],  # type: ignore[arg-type, operator]
        calibrating=[  # type: ignore[arg-type]
            c
            for c in seen
            if uncalibrated and 0 <= at_ms - c.started_ms <= CALIBRATION_MS  # type: ignore[operator]
        ],
        resolver_lines={prefix: _users(prefix, record, lines, who) for prefix in resolver_prefixes(record)},
        reached=reached_addresses(cycle),
    )
    asked = in_doubt(measurement, alone.target) if is_placed(record) else set()
    found = {a: _neighbours(a, record, lines, who, failure_span(alone)) for a in sorted(asked)}
    return replace(alone, neighbours={a: n for a, n in found.items() if n != Neighbours()})


def _users(prefix: str, record: Record, lines: list[Record], who: WhoCounts) -> int:
    same = [r for r in lines if r.network.country == record.network.country and prefix in resolver_prefixes(r)]
    return min(3, count_sources((source for _, source in {(r.key, who.source(r)) for r in same}), VOICES))


def _neighbours(address: str, record: Record, lines: list[Record], who: WhoCounts, failed: FailureSpan) -> Neighbours:
    looks: dict[str, list[tuple[str, Look]]] = defaultdict(list)
    sources: dict[str, Source] = {}
    for r in lines:
        through = tried_addresses(r).get(address)
        if through is not None and r.key != record.key and _is_another(r.network, record.network):
            looks[r.key].append((r.measurement.cycle, Look(r.key, r.started_ms, through, r.measurement.uid)))
            if through:
                sources.setdefault(r.key, who.source(r))
    window = Window(record.started_ms - NEAR_MS, record.started_ms + NEAR_MS)
    standing = {key: LooksOfOne(one_of_each_cycle(each)).standing(window, failed) for key, each in looks.items()}
    reached = count_sources(sources[key] for key, state in standing.items() if state is Control.ALIVE)
    failing = any(state is Control.UNKNOWN for state in standing.values())
    return Neighbours(reached=min(2, reached), failed=int(failing and not reached))


def _is_another(network: Network, own: Network) -> bool:
    same_operator = network.operator == own.operator != "unknown"
    return network.country == own.country and network.asn != own.asn and not same_operator


# --- Sums ---------------------------------------------------------------------------------------------------------


def _grouped(rows: Iterable[Kept], by: Callable[[Kept], Any]) -> dict[Any, list[Kept]]:
    groups: dict[Any, list[Kept]] = defaultdict(list)
    for row in rows:
        groups[by(row)].append(row)
    return groups


def _latest(rows: Iterable[Kept]) -> dict[str, Kept]:
    return {
        r.verdict.key: r for r in sorted(rows, key=lambda r: (r.verdict.started_ms, r.verdict.round, r.verdict.uid))
    }


def _place(row: Kept) -> tuple[Any, ...]:
    v = row.verdict
    return v.target, v.hour, v.country, v.access, v.simulated, v.asn, v.operator


def _cells(rules: Rules, kept: list[Kept]) -> Iterable[tuple[Any, ...]]:
    lines = [k for k in kept if not k.verdict.is_control]
    for place, rows in _grouped(lines, _place).items():
        latest = _latest(rows)
        network = Network(country=place[2], asn=place[5], operator=place[6])
        yield _cell(rules, place, network, [_line(latest[key]) for key in sorted(latest)])
    for place, rows in _grouped(lines, lambda k: _place(k)[:5]).items():
        heard = [_heard(row) for row in rows if row.verdict.established]
        heard = [one for one in heard if one.network != Network()]
        for one in editions(heard, Access(place[3]), (place[1] + 1) * HOUR_MS):
            yield _cell(rules, place, one.network, one.lines, (one.from_ms, one.until_ms))


def _heard(row: Kept) -> Heard:
    v = row.verdict
    network = Network(country=v.country, asn=v.asn, operator=v.operator)
    order, received_ms = (v.started_ms, v.round, v.uid), 0 if v.simulated else v.received_ms
    return Heard(network=network, key=v.key, order=order, received_ms=received_ms, line=_line(row))


def _verdict_of(row: Kept) -> Verdict:
    one = row.verdict
    return verdict_of(one.target, one.state, one.mechanism, one.depth, one.rule, row.share.paths)


def _line(row: Kept) -> Line:
    return Line(verdict=_verdict_of(row), established=row.verdict.established, bucket=row.verdict.bucket)


def _cell(
    rules: Rules, place: tuple[Any, ...], network: Network, lines: Sequence[Line], shown_ms: tuple[int, int] = (0, 0)
) -> tuple[Any, ...]:
    target, hour, _, access, simulated = place[:5]
    cell = rules.cell(target, network, Access(access), hour * HOUR_MS, (hour + 1) * HOUR_MS, lines)
    return cell_values(cell_row(cell, hour, simulated=simulated, shown_ms=shown_ms))


def _failing(kept: list[Kept]) -> Iterable[tuple[Any, ...]]:
    """Of each line counts what was received first."""
    lines: dict[Any, dict[str, Kept]] = defaultdict(dict)
    for k in sorted(kept, key=_receipt):
        for dial in dials_of(k.share.failing):
            lines[k.verdict.target, k.verdict.hour, *dial].setdefault(k.verdict.key, k)
    for place, found in lines.items():
        known = [k for k in found.values() if k.verdict.established]
        over_ms = (place[1] + 1) * HOUR_MS
        told = [(joins_ms(_receipt(k)[0], over_ms), Access(k.verdict.access), k.verdict.bucket) for k in known]
        public = (at for at, _, _ in sorted(told, key=lambda one: one[0]) if hides([t[1:] for t in told if t[0] <= at]))
        yield (*place, len(found), len(known), len({k.verdict.bucket for k in known}), next(public, 0))


def _receipt(k: Kept) -> tuple[int, str, str]:
    return 0 if k.verdict.simulated else k.verdict.received_ms, k.verdict.key, k.verdict.uid


def _steps(kept: list[Kept]) -> Iterable[tuple[Any, ...]]:
    counts: dict[Any, Counter[bool]] = defaultdict(Counter)
    for k in kept:
        v = k.verdict
        for step, (passed, failed) in ({} if v.is_control else steps_of(k.share.steps)).items():
            place = (v.target, v.hour, v.country, v.asn, v.operator, v.access, v.simulated, step)
            counts[place].update({True: passed, False: failed})
    return ((*place, seen[True], seen[False]) for place, seen in counts.items())
