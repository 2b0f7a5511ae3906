"""Morocco's ban of 2016, told to a real collector and judged by the real rules: banned when and where it was."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from collector.front.page.page import render
from collector.instance import Parts
from collector.replay import load, moment_ms
from collector.warehouse import questions
from collector.warehouse.questions import CellQuery, VerdictQuery
from collector.warehouse.tables import CellRow
from probe.model import State
from tests.collector.replay.stories import told

HOUR_MS = 3_600_000
INTERFERED = {State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED, State.MIXED}
ACCESSES = {"3g", "4g", "adsl", "wifi"}
CALLS, MESSAGES = ("viber/call", "messenger/call"), ("whatsapp/chat", "viber/chat", "messenger/chat", "telegram/chat")
DAYS = (
    *("2016-01-03", "2016-01-08", "2016-01-27", "2016-01-31", "2016-02-04", "2016-02-20"),
    *("2016-02-27", "2016-07-01", "2016-10-20", "2016-11-05", "2016-11-18"),
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    episode = load("morocco-2016")
    with told(tmp_path_factory.mktemp("morocco"), episode, [moment_ms(f"{day}T19:00") for day in DAYS]) as parts:
        yield parts


def cells(parts: Parts, day: str) -> list[CellRow]:
    since_ms = moment_ms(day)
    return questions.cells(parts.warehouse, CellQuery(since_ms=since_ms, until_ms=since_ms + 24 * HOUR_MS))


def banned(parts: Parts, day: str, target: str) -> set[tuple[str, str]]:
    """(operator, access) where the cell says that it is interfered with."""
    return {(c.operator, c.access) for c in cells(parts, day) if c.target == target and c.state in INTERFERED}


@pytest.mark.parametrize("target", CALLS)
@pytest.mark.parametrize("day", DAYS)
def test_calls_are_banned_when_and_where_they_were(parts: Parts, day: str, target: str) -> None:
    where = banned(parts, day, target)
    operators = {"Maroc Telecom", "Orange Maroc", "inwi"}
    if "2016-01-05" < day < "2016-01-31":
        assert where == {(operator, access) for operator in operators for access in ("3g", "4g")}
    elif "2016-02-26" < day < "2016-11-04":
        assert where == {(operator, access) for operator in operators for access in ACCESSES}
    else:
        assert where == set()


@pytest.mark.parametrize("target", MESSAGES)
def test_messages_get_through_throughout(parts: Parts, target: str) -> None:
    seen = [cell for day in DAYS for cell in cells(parts, day) if cell.target == target]
    assert len(seen) == len(DAYS) * 3 * len(ACCESSES)
    assert {cell.state for cell in seen} == {"ok"}


def test_no_call_is_said_to_get_through(parts: Parts) -> None:
    """A relay that answers is no call: where nothing is banned, nothing can be concluded."""
    states = {cell.state for day in DAYS for cell in cells(parts, day) if cell.role == "call"}
    assert states == {"likely_blocked", "insufficient"}


def test_operators_ban_in_different_ways(parts: Parts) -> None:
    calls = [cell for cell in cells(parts, "2016-01-08") if cell.target == "viber/call" and cell.access == "3g"]
    assert {cell.operator: cell.mechanism for cell in calls} == {
        "Maroc Telecom": "udp.endpoint.drop",
        "Orange Maroc": "udp.endpoint.drop",
        "inwi": "ip.reject",
    }


def test_the_congress_keeps_its_calls(parts: Parts) -> None:
    """Two lines of its WiFi reach the relays while all others of that network and access do not."""
    cell = next(
        c for c in cells(parts, "2016-10-20") if (c.operator, c.access, c.target) == ("inwi", "wifi", "messenger/call")
    )
    assert cell.states["likely_blocked"] > cell.states["insufficient"] > 0


def test_everything_is_marked_simulated(parts: Parts) -> None:
    assert parts.warehouse.select("SELECT DISTINCT simulated FROM verdict") == [(True,)]
    assert parts.warehouse.select("SELECT DISTINCT simulated FROM cell") == [(True,)]
    batch = parts.index.arrived(0, 1).records
    assert batch
    assert all(record.measurement.simulated for record in batch)
    lines = questions.verdicts(parts.warehouse, VerdictQuery(since_ms=0, until_ms=2**53, limit=1))
    assert b'"simulated":true' in msgspec.json.encode(lines)


@pytest.mark.parametrize("full", [True, False])
def test_the_page_says_that_it_is_simulated(parts: Parts, full: bool) -> None:
    """On the story's own clock, the page shows the day that was told last."""
    page = render(parts.warehouse, parts.now_ms() + (0 if full else 2 * HOUR_MS), full)
    assert "<title>Ringback: do calls get through? (simulated)</title>" in page
    assert "They say nothing about any real network" in page
    assert "18 Nov" in page
    assert page.count('<span class="mark">simulated</span>') == 12


@pytest.mark.parametrize("day", DAYS)
def test_strangers_are_told_the_same_bans(parts: Parts, day: str) -> None:
    """Of lines that the instance is told are established, each from a source of its own; never more, and where a
    finding would not stand without one of them, less.
    """
    for target in CALLS:
        public = {
            (c.operator, c.access) for c in cells(parts, day) if c.target == target and c.public_state in INTERFERED
        }
        assert public <= banned(parts, day, target)
        assert len(banned(parts, day, target) - public) <= 1
