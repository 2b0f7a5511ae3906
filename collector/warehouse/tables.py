"""Tables of the warehouse: one row per verdict, one per hourly cell, and their columns."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from collector.facts.standing import sighting
from collector.log import Record
from collector.warehouse.owed import Owed
from probe.model import Access, Cell, State, Verdict

VERDICT_COLUMNS = {
    "target": "VARCHAR",
    "service": "VARCHAR",
    "role": "VARCHAR",
    "hour": "BIGINT",
    "started_ms": "BIGINT",
    "key": "VARCHAR",
    "uid": "VARCHAR",
    "round": "BIGINT",
    "cycle": "VARCHAR",
    "country": "VARCHAR",
    "asn": "BIGINT",
    "operator": "VARCHAR",
    "access": "VARCHAR",
    "declared": "VARCHAR",
    "detected": "VARCHAR",
    "behind": "VARCHAR",
    "state": "VARCHAR",
    "mechanism": "VARCHAR",
    "depth": "VARCHAR",
    "grade": "VARCHAR",
    "step": "VARCHAR",
    "rule": "VARCHAR",
    "rules_version": "BIGINT",
    "reason": "VARCHAR",
    "software": "VARCHAR",
    "targets": "VARCHAR",
    "targets_known": "BOOLEAN",
    "is_control": "BOOLEAN",
    "simulated": "BOOLEAN",
    "received_ms": "BIGINT",
    "established": "BOOLEAN",
    "bucket": "VARCHAR",
    "checked": "BOOLEAN",
    "consistent": "BOOLEAN",
}

# Beside them in the table of verdicts, for judging alone: what a verdict asked, and what it adds to its hour.
SHARE_COLUMNS = {
    "asked": "UTINYINT",
    "paths": "VARCHAR",
    "steps": "VARCHAR",
    "failing": "VARCHAR",
}

CELL_COLUMNS = {
    "target": "VARCHAR",
    "service": "VARCHAR",
    "role": "VARCHAR",
    "hour": "BIGINT",
    "since_ms": "BIGINT",
    "until_ms": "BIGINT",
    "country": "VARCHAR",
    "asn": "BIGINT",
    "operator": "VARCHAR",
    "access": "VARCHAR",
    "state": "VARCHAR",
    "mechanism": "VARCHAR",
    "lines": "BIGINT",
    "counted": "BIGINT",
    "answered": "BIGINT",
    "states": "VARCHAR",  # JSON object: state → lines
    "public_state": "VARCHAR",
    "public_mechanism": "VARCHAR",
    "depth": "VARCHAR",
    "public_depth": "VARCHAR",
    "established": "BIGINT",
    "buckets": "BIGINT",
    "sources_floor": "BIGINT",
    "shown_from_ms": "BIGINT",
    "shown_until_ms": "BIGINT",
    "simulated": "BOOLEAN",
}

FAILING_COLUMNS = {
    "target": "VARCHAR",
    "hour": "BIGINT",
    "host": "VARCHAR",
    "port": "BIGINT",
    "transport": "VARCHAR",
    "handshake": "VARCHAR",
    "address": "VARCHAR",
    "lines": "BIGINT",
    "established": "BIGINT",
    "buckets": "BIGINT",
    "shown_from_ms": "BIGINT",
}

STEP_COLUMNS = {
    "target": "VARCHAR",
    "hour": "BIGINT",
    "country": "VARCHAR",
    "asn": "BIGINT",
    "operator": "VARCHAR",
    "access": "VARCHAR",
    "simulated": "BOOLEAN",
    "step": "VARCHAR",
    "passed": "BIGINT",
    "failed": "BIGINT",
}

QUARANTINE_COLUMNS = {
    "target": "VARCHAR",
    "hour": "BIGINT",
    "key": "VARCHAR",
    "uid": "VARCHAR",
    "batch": "BIGINT",
    "line": "BIGINT",
    "error": "VARCHAR",
    "software": "VARCHAR",
}


class VerdictRow(Struct, frozen=True, kw_only=True):
    """One verdict with what it is looked up by. Field for field the columns of `verdict`."""

    target: str
    service: str
    role: str
    hour: int  # since 1970, UTC
    started_ms: int
    key: str
    uid: str
    round: int
    cycle: str
    country: str
    asn: int
    operator: str
    access: str
    declared: str
    detected: str
    behind: str
    state: str
    mechanism: str | None
    depth: str | None
    grade: str | None
    step: str | None
    rule: str
    rules_version: int
    reason: str
    software: str
    targets: str  # digest of the targets file
    targets_known: bool  # whether that file was at hand when this was judged
    is_control: bool
    simulated: bool
    received_ms: int  # when its batch came
    established: bool  # whether its line was, at that time
    bucket: str | None  # keyed hash of its source on the day of its start; None: not known
    checked: bool  # as a sighting of its key (collector/facts/standing.py)
    consistent: bool


class Share(Struct, frozen=True, kw_only=True):
    """What judging keeps of a verdict: of whom it asked anything (collector/judging/asked.py), and what it adds to the
    rows of its hour (collector/judging/sums.py), as text. Field for field SHARE_COLUMNS.
    """

    asked: int = 0
    paths: str = ""
    steps: str = ""
    failing: str = ""


class Kept(Struct, frozen=True):
    """A row of the table of verdicts."""

    verdict: VerdictRow
    share: Share = Share()


class CellRow(Struct, frozen=True, kw_only=True):
    """One hourly cell. Field for field the columns of `cell`, except that `states` is JSON there."""

    target: str
    service: str
    role: str
    hour: int
    since_ms: int
    until_ms: int
    country: str
    asn: int
    operator: str
    access: str
    state: str
    mechanism: str | None
    lines: int
    counted: int
    answered: int = 0  # of these, lines of which nothing is concluded, but whom a relay that others miss answers
    states: dict[str, int]
    public_state: str
    public_mechanism: str | None
    depth: str | None = None  # of a call of which nothing is concluded but that relays answer
    public_depth: str | None = None
    established: int  # lines
    buckets: int  # of established lines
    sources_floor: int  # how many buckets there must be that strangers are told of it
    shown_from_ms: int  # to strangers, an edition (editions.py); 0: to the owner
    shown_until_ms: int
    simulated: bool


class FailingRow(Struct, frozen=True, kw_only=True):
    """An address of an endpoint at which so many lines failed in one hour. Field for field the columns of `failing`."""

    target: str
    hour: int
    host: str
    port: int
    transport: str
    handshake: str
    address: str
    lines: int
    established: int  # of these
    buckets: int  # of the established ones
    shown_from_ms: int  # since when strangers are told of it; 0: they are not


class StepRow(Struct, frozen=True, kw_only=True):
    """How often one step was completed, and failed, by the lines of one place in one hour. Field for field the
    columns of `step`.
    """

    target: str
    hour: int
    country: str
    asn: int
    operator: str
    access: str
    simulated: bool
    step: str
    passed: int
    failed: int


class QuarantineRow(Struct, frozen=True, kw_only=True):
    """A measurement that could not be judged: line `line` of the batch at this position of the log, the class of the
    exception, and the version of the collector. Field for field the columns of `quarantine`.
    """

    target: str
    hour: int
    key: str
    uid: str
    batch: int
    line: int
    error: str
    software: str


class Change(Struct, frozen=True, kw_only=True):
    """What changes in the warehouse: first the rows with the keys in `gone` go, by table, then the others come.

    So what takes another row's place names that in `gone`. Of `quiet` verdicts nothing differs from what stood but what
    judging keeps for itself.
    """

    verdicts: tuple[Kept, ...] = ()
    quiet: tuple[Kept, ...] = ()
    cells: tuple[CellRow, ...] = ()
    failing: tuple[FailingRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()
    gone: dict[str, tuple[tuple[str | int | bool, ...], ...]] = {}
    owed: tuple[Owed, ...] = ()  # sums that are to follow
    summed: tuple[tuple[str, int], ...] = ()  # (target, hour) in which what was owed comes with this

    @property
    def rows(self) -> int:
        """How many rows it writes."""
        written = (self.verdicts, self.quiet, self.cells, self.failing, self.steps, self.quarantine)
        return sum(map(len, written))


def verdict_row(
    record: Record,
    verdict: Verdict,
    access: Access,
    *,
    targets_known: bool,
    is_control: bool,
    established: bool,
    bucket: str | None,
) -> VerdictRow:
    measurement, link = record.measurement, record.measurement.link
    service, _, role = measurement.target.partition("/")
    seen = sighting(record.key, record.network.asn, record.received_ms, measurement)
    return VerdictRow(
        target=measurement.target,
        service=service,
        role=role,
        hour=record.hour,
        started_ms=record.started_ms,
        key=record.key,
        uid=measurement.uid,
        round=measurement.round,
        cycle=measurement.cycle,
        country=record.network.country,
        asn=record.network.asn,
        operator=record.network.operator,
        access=access.value,
        declared=link.declared.value,
        detected=link.detected.value,
        behind=link.behind.value,
        state=verdict.state.value,
        mechanism=verdict.mechanism,
        depth=_word(verdict.depth),
        grade=_word(verdict.grade),
        step=_word(verdict.step),
        rule=verdict.rule,
        rules_version=verdict.rules_version,
        reason=verdict.reason,
        software=record.software,
        targets=record.targets,
        targets_known=targets_known,
        is_control=is_control,
        simulated=measurement.simulated,
        received_ms=record.received_ms,
        established=established,
        bucket=bucket,
        checked=seen.checked,
        consistent=seen.consistent,
    )


def cell_row(cell: Cell, hour: int, *, simulated: bool, shown_ms: tuple[int, int] = (0, 0)) -> CellRow:
    """`shown_ms`: from when until when strangers are told it; that of the owner has none."""
    service, _, role = cell.target.partition("/")
    return CellRow(
        target=cell.target,
        service=service,
        role=role,
        hour=hour,
        since_ms=cell.since_ms,
        until_ms=cell.until_ms,
        country=cell.network.country,
        asn=cell.network.asn,
        operator=cell.network.operator,
        access=cell.access.value,
        state=cell.state.value,
        mechanism=cell.mechanism,
        lines=cell.lines,
        counted=cell.counted,
        answered=cell.answered,
        states={State(state).value: lines for state, lines in sorted(cell.states.items())},
        public_state=cell.public_state.value,
        public_mechanism=cell.public_mechanism,
        depth=None if cell.depth is None else cell.depth.value,
        public_depth=None if cell.public_depth is None else cell.public_depth.value,
        established=cell.established,
        buckets=cell.buckets,
        sources_floor=cell.sources_floor,
        shown_from_ms=shown_ms[0],
        shown_until_ms=shown_ms[1],
        simulated=simulated,
    )


def quarantine_row(record: Record, error: str, software: str) -> QuarantineRow:
    return QuarantineRow(
        target=record.measurement.target,
        hour=record.hour,
        key=record.key,
        uid=record.measurement.uid,
        batch=record.cursor,
        line=record.line,
        error=error,
        software=software,
    )


def verdict_values(row: VerdictRow) -> tuple[object, ...]:
    """A verdict as the warehouse's columns, in their order."""
    return tuple(getattr(row, column) for column in VERDICT_COLUMNS)


def kept_values(row: Kept) -> tuple[object, ...]:
    """A verdict with its share as the warehouse's columns, in their order."""
    share = row.share
    return (*verdict_values(row.verdict), share.asked, share.paths, share.steps, share.failing)


def kept_from(values: Sequence[object]) -> Kept:
    """The row of a verdict whose columns are in the order of VERDICT_COLUMNS and SHARE_COLUMNS."""
    own = len(VERDICT_COLUMNS)
    given = {name: value for name, value in zip(SHARE_COLUMNS, values[own:], strict=True) if value is not None}
    share = msgspec.convert(given, Share)  # None: frozen before there was one
    return Kept(verdict_from(tuple(values[:own])), share)


def cell_values(row: CellRow) -> tuple[object, ...]:
    """A cell as the warehouse's columns, in their order."""
    states = msgspec.json.encode(row.states, order="deterministic").decode()
    return tuple(states if column == "states" else getattr(row, column) for column in CELL_COLUMNS)


def failing_values(row: FailingRow) -> tuple[object, ...]:
    """A failing address as the warehouse's columns, in their order."""
    return tuple(getattr(row, column) for column in FAILING_COLUMNS)


def step_values(row: StepRow) -> tuple[object, ...]:
    """The outcomes of a step as the warehouse's columns, in their order."""
    return tuple(getattr(row, column) for column in STEP_COLUMNS)


def quarantine_values(row: QuarantineRow) -> tuple[object, ...]:
    """A measurement in quarantine as the warehouse's columns, in their order."""
    return tuple(getattr(row, column) for column in QUARANTINE_COLUMNS)


def verdict_from(values: tuple[object, ...]) -> VerdictRow:
    """The verdict of a warehouse row whose columns are in the order of VERDICT_COLUMNS."""
    return msgspec.convert(dict(zip(VERDICT_COLUMNS, values, strict=True)), VerdictRow)


def cell_from(values: tuple[object, ...]) -> CellRow:
    """The cell of a warehouse row whose columns are in the order of CELL_COLUMNS."""
    fields = dict(zip(CELL_COLUMNS, values, strict=True))
    fields["states"] = msgspec.json.decode(str(fields["states"]))
    return msgspec.convert(fields, CellRow)


def failing_from(values: Sequence[object]) -> FailingRow:
    """The failing address of a warehouse row whose columns are in the order of FAILING_COLUMNS."""
    return msgspec.convert(dict(zip(FAILING_COLUMNS, values, strict=True)), FailingRow)


def step_from(values: Sequence[object]) -> StepRow:
    """The outcomes of a warehouse row whose columns are in the order of STEP_COLUMNS."""
    return msgspec.convert(dict(zip(STEP_COLUMNS, values, strict=True)), StepRow)


def quarantine_from(values: Sequence[object]) -> QuarantineRow:
    """The measurement of a warehouse row whose columns are in the order of QUARANTINE_COLUMNS."""
    return msgspec.convert(dict(zip(QUARANTINE_COLUMNS, values, strict=True)), QuarantineRow)


def _word(word: str | None) -> str | None:
    return None if word is None else str(word)
