"""Rows of the warehouse for tests, all alike but for what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from collector.facts.pseudonyms import Pseudonyms
from collector.warehouse.editions import FOR_EVER_MS
from collector.warehouse.privacy_floor import DELAY_MS, passes
from collector.warehouse.store import TABLES, Warehouse
from collector.warehouse.tables import CellRow, Change, FailingRow, Kept, QuarantineRow, StepRow, VerdictRow
from probe.model import HOUR_MS

HOUR = 492_222
PSEUDONYMS = Pseudonyms(bytes(range(32)))
KEYS = [f"{n:064x}" for n in range(20)]

VERDICT = VerdictRow(
    target="whatsapp/chat",
    service="whatsapp",
    role="chat",
    hour=HOUR,
    started_ms=HOUR * HOUR_MS,
    key=KEYS[1],
    uid="1",
    round=1,
    cycle="c",
    country="MA",
    asn=36903,
    operator="Maroc Telecom",
    access="adsl",
    declared="adsl",
    detected="wifi",
    behind="unknown",
    state="ok",
    mechanism=None,
    depth=None,
    grade="bound",
    step=None,
    rule="completed",
    rules_version=1,
    reason="The handshake completed.",
    software="ringback 0.1",
    targets="d",
    targets_known=True,
    is_control=False,
    simulated=False,
    received_ms=HOUR * HOUR_MS + 1000,
    established=True,
    bucket="b1",
    checked=True,
    consistent=True,
)
CELL = CellRow(
    target="whatsapp/chat",
    service="whatsapp",
    role="chat",
    hour=HOUR,
    since_ms=HOUR * HOUR_MS,
    until_ms=(HOUR + 1) * HOUR_MS,
    country="MA",
    asn=36903,
    operator="Maroc Telecom",
    access="adsl",
    state="ok",
    mechanism=None,
    lines=1,
    counted=1,
    states={"ok": 1},
    public_state="insufficient",
    public_mechanism=None,
    established=1,
    buckets=1,
    sources_floor=3,
    shown_from_ms=0,
    shown_until_ms=0,
    simulated=False,
)
FAILING = FailingRow(
    target="whatsapp/chat",
    hour=HOUR,
    host="chat.whatsapp.example",
    port=443,
    transport="tcp",
    handshake="tls",
    address="203.0.113.7",
    lines=1,
    established=1,
    buckets=1,
    shown_from_ms=0,
)
STEP = StepRow(
    target="whatsapp/chat",
    hour=HOUR,
    country="MA",
    asn=36903,
    operator="Maroc Telecom",
    access="adsl",
    simulated=False,
    step="tls",
    passed=1,
    failed=0,
)


class HourContent(Struct, frozen=True, kw_only=True):
    """All that a warehouse is to hold about one target in one hour."""

    target: str
    hour: int
    verdicts: tuple[VerdictRow, ...] = ()
    cells: tuple[CellRow, ...] = ()
    failing: tuple[FailingRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    quarantine: tuple[QuarantineRow, ...] = ()


def fill(warehouse: Warehouse, contents: Sequence[HourContent], cursor: int) -> None:
    """Makes the content of these hours just this, and moves the cursor. What stands already is not written."""
    hours = {(each.target, each.hour) for each in contents}
    whole = Change(
        verdicts=tuple(Kept(row) for each in contents for row in each.verdicts),
        cells=tuple(row for each in contents for row in each.cells),
        failing=tuple(row for each in contents for row in each.failing),
        steps=tuple(row for each in contents for row in each.steps),
        quarantine=tuple(row for each in contents for row in each.quarantine),
    )
    gone: dict[str, tuple[Any, ...]] = {}
    fresh: dict[str, tuple[Any, ...]] = {}
    for table, field in zip(TABLES, ("verdicts", "cells", "failing", "steps", "quarantine"), strict=True):
        every = warehouse.select(f"SELECT * FROM {table.name}")
        before = dict(zip(table.keys(every), every, strict=True))
        now = dict(zip(table.keys(table.rows(whole)), table.rows(whole), strict=True))
        rows = zip(now.items(), getattr(whole, field), strict=True)
        fresh[field] = tuple(row for (key, values), row in rows if before.get(key) != values)
        gone[table.name] = tuple(key for key, values in before.items() if key[:2] in hours and now.get(key) != values)
    warehouse.put(Change(**fresh, gone={name: keys for name, keys in gone.items() if keys}), cursor)


def verdict_row(**changes: Any) -> VerdictRow:
    """`hour` moves the start with it; `target` gives service and role."""
    if "hour" in changes:
        changes.setdefault("started_ms", changes["hour"] * HOUR_MS)
    return msgspec.structs.replace(VERDICT, **_named(changes))


def cell_row(**changes: Any) -> CellRow:
    """`hour` moves the span with it; `target` gives service and role."""
    if "hour" in changes:
        changes |= {"since_ms": changes["hour"] * HOUR_MS, "until_ms": (changes["hour"] + 1) * HOUR_MS}
    return msgspec.structs.replace(CELL, **_named(changes))


def failing_row(**changes: Any) -> FailingRow:
    return msgspec.structs.replace(FAILING, **changes)


def step_row(**changes: Any) -> StepRow:
    return msgspec.structs.replace(STEP, **changes)


def content(
    verdicts: Sequence[VerdictRow] = (),
    cells: Sequence[CellRow] = (),
    failing: Sequence[FailingRow] = (),
    steps: Sequence[StepRow] = (),
) -> HourContent:
    """With what strangers are told of the cells: each that passes the floor has one edition."""
    row = [*verdicts, *cells, *failing, *steps][0]
    return HourContent(
        target=row.target,
        hour=row.hour,
        verdicts=tuple(verdicts),
        cells=(*cells, *(edition_of(cell) for cell in cells if passes(cell))),
        failing=tuple(failing),
        steps=tuple(steps),
    )


def edition_of(cell: CellRow, late_ms: int = 0, until_ms: int = FOR_EVER_MS) -> CellRow:
    """As strangers are told a cell, from when its hour has been over for one, or so much later."""
    from_ms = (cell.hour + 1) * HOUR_MS + DELAY_MS + late_ms
    return msgspec.structs.replace(cell, shown_from_ms=from_ms, shown_until_ms=until_ms)


def _named(changes: dict[str, Any]) -> dict[str, Any]:
    if "target" in changes:
        changes["service"], _, changes["role"] = changes["target"].partition("/")
    return changes
