"""Early signals: ten sources of new lines within a day, told to the owner and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from collector.facts.buckets import NOWHERE
from collector.front.page.page import render
from collector.warehouse.early_signal import SOURCES, EarlySignal, early_signals
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import VerdictRow
from probe.model import HOUR_MS
from tests.collector.rows import HOUR, content, fill, verdict_row

NOON = HOUR // 24 * 24 + 12
NOW_MS = (NOON + 1) * HOUR_MS


def saw(number: int, state: str = "likely_blocked", **changes: Any) -> VerdictRow:
    own = {"key": f"{number:064x}", "uid": f"{number}", "bucket": f"{number:032x}", "established": False}
    when = {"hour": NOON, "started_ms": NOON * HOUR_MS + number}
    return verdict_row(**{"state": state, **own, **when, **changes})


def signals(*rows: VerdictRow) -> list[EarlySignal]:
    with_rows = held(*rows)
    found = early_signals(with_rows, NOON - 23, NOON)
    with_rows.close()
    return found


def held(*rows: VerdictRow) -> Warehouse:
    warehouse = Warehouse(None)
    hours: dict[tuple[str, int], list[VerdictRow]] = {}
    for row in rows:
        hours.setdefault((row.target, row.hour), []).append(row)
    fill(warehouse, [content(of_hour, []) for of_hour in hours.values()], 1)
    return warehouse


NEW = [saw(n) for n in range(1, SOURCES + 1)]


def test_ten_new_sources_in_a_day_are_a_signal_and_nine_are_none() -> None:
    (found,) = signals(*NEW, saw(50, "ok"), saw(51, "insufficient"))
    assert (found.service, found.role, found.asn, found.day) == ("whatsapp", "chat", 36903, NOON // 24)
    assert (found.sources, found.passing) == (SOURCES, 1)
    assert signals(*NEW[1:]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"bucket": f"{2:032x}"},
        {"bucket": NOWHERE},
        {"bucket": None},
        {"established": True},
        {"is_control": True},
        {"simulated": True},
        {"asn": 1},
        {"target": "whatsapp/web", "role": "web"},
        {"state": "impaired"},
        {"hour": NOON - 24, "started_ms": (NOON - 24) * HOUR_MS},
    ],
    ids=str,
)
def test_what_is_no_tenth_source(changes: dict[str, Any]) -> None:
    assert signals(*NEW[1:], saw(1, **changes)) == []


def test_a_line_says_what_it_saw_last_that_day() -> None:
    later = {"uid": "later", "started_ms": NOON * HOUR_MS + 1_000_000}
    assert signals(*NEW, saw(1, "ok", **later)) == []
    (found,) = signals(*NEW[1:], saw(1, "ok"), saw(1, **later))
    assert (found.sources, found.passing) == (SOURCES, 0)


def test_buckets_of_two_days_are_not_summed() -> None:
    midnight = NOON // 24 * 24
    yesterday = {"hour": midnight - 1, "started_ms": midnight * HOUR_MS - 1}
    assert signals(*NEW[:5], *(saw(n, **yesterday) for n in range(20, 25))) == []


def test_the_owner_is_told_and_strangers_are_not() -> None:
    warehouse = held(*NEW)
    told = f"Early signal, unconfirmed, from {SOURCES} new measurers"
    assert told in render(warehouse, NOW_MS, True)
    assert "Early signal" not in render(warehouse, NOW_MS, False)
    warehouse.close()
