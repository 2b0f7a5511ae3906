"""Every query of every dashboard, on a real influxd, with variables as Grafana puts them in: what comes back is right.

A query that InfluxDB refuses, or that uses a variable its dashboard lacks, fails with dashboard, panel and query.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.grafana.asking import Row, Stores, ask, drawn, rows
from tests.grafana.boards import Board, Query, board, boards
from tests.grafana.expected import CHOSEN, EACH, IN_MOROCCO, KNOWN, STRANGE_ONLY, VARIABLES, N
from tests.grafana.interpolation import ALL, Range, Value
from tests.grafana.world import HOUR_MS, STRANGE, T0_MS

SPAN = Range(T0_MS, T0_MS + 3 * HOUR_MS)
BEFORE = Range(T0_MS - 30 * HOUR_MS, T0_MS - 25 * HOUR_MS)
PANELS = [(one, query) for one in boards() for query in one.queries() if isinstance(query.panel, int)]
OTHERS = [(one, query) for one in boards() for query in one.queries() if isinstance(query.panel, str)]


def named(pair: object) -> str | None:
    return f"{pair.page}-{pair.panel}{pair.letter}" if isinstance(pair, Query) else None


def answered(stores: Stores, one: Board, query: Query, chosen: Mapping[str, Value], span: Range = SPAN) -> Any:
    """As rows in an order of their own, or as series that go on without data to their end."""
    answer = ask(stores, one, query, chosen, span)
    return ordered(rows(answer)) if query.format == "table" else drawn(query, answer)


def ordered(table: list[Row]) -> list[Row]:
    return sorted(table, key=lambda row: sorted((name, str(value)) for name, value in row.items()))


def padded(known: Any, answer: Any) -> Any:
    if isinstance(known, list):
        return [pytest.approx(row) for row in ordered(known)]
    length = max((len(values) for values in answer.values()), default=0)
    return {name: values_of(values, length) for name, values in known.items()}


def values_of(values: list[Any], length: int) -> list[Any]:
    numbers = [pytest.approx(value) if isinstance(value, float) else value for value in values]
    return numbers + [N] * (length - len(values))


@pytest.mark.parametrize(("one", "query"), PANELS, ids=named)
def test_panels_give_the_values_that_are_known(stores: Stores, one: Board, query: Query) -> None:
    known = KNOWN[one.name][int(query.panel), query.letter]
    answer = answered(stores, one, query, CHOSEN[one.name])
    assert answer == padded(known, answer), str(query)


def test_every_query_of_a_panel_has_a_known_answer() -> None:
    there = {(one.name, query.panel, query.letter) for one, query in PANELS}
    assert there == {(page, *key) for page, known in KNOWN.items() for key in known}


@pytest.mark.parametrize(("one", "query"), PANELS, ids=named)
def test_all_is_each_of_them(stores: Stores, one: Board, query: Query) -> None:
    """Choosing All, and choosing every value that there is, give the same."""
    several = [name for name, variable in one.variables.items() if variable.multi]
    everything = {**CHOSEN[one.name], **dict.fromkeys(several, ALL)}
    each = {**CHOSEN[one.name], **{name: EACH[name] for name in several}}
    assert answered(stores, one, query, everything) == answered(stores, one, query, each), str(query)


@pytest.mark.parametrize(("one", "query"), [pair for pair in PANELS if "operator" in pair[0].variables], ids=named)
def test_one_of_several_is_as_one_alone(stores: Stores, one: Board, query: Query) -> None:
    """With an operator whose name is full of what regular expressions and InfluxQL mean something by."""
    chosen = {**CHOSEN[one.name], "country": "MA"}
    alone = answered(stores, one, query, {**chosen, "operator": STRANGE})
    assert alone == answered(stores, one, query, {**chosen, "operator": [STRANGE]}), str(query)
    known = STRANGE_ONLY.get((one.name, int(query.panel), query.letter))
    assert known is None or alone == padded(known, alone), str(query)


@pytest.mark.parametrize(("one", "query"), PANELS, ids=named)
def test_where_there_is_no_data_there_is_nothing(stores: Stores, one: Board, query: Query) -> None:
    """No row and no series: nothing that could be drawn as a state or read as a zero."""
    assert not answered(stores, one, query, CHOSEN[one.name], BEFORE), str(query)


@pytest.mark.parametrize(("one", "query"), PANELS, ids=named)
def test_days_are_asked_for_too(stores: Stores, one: Board, query: Query) -> None:
    chosen = {**CHOSEN[one.name], "per": "1d"}
    ask(stores, one, query, chosen, Range(T0_MS, T0_MS + 30 * 24 * HOUR_MS))


def test_a_day_is_its_own_total(stores: Stores) -> None:
    country = next(one for one in boards() if one.name == "country")
    calls = next(query for query in country.queries() if query.panel == 3)
    days = answered(stores, country, calls, {**CHOSEN["country"], "per": "1d"})
    assert {name: values[0] for name, values in days.items()} == {
        "Maroc Telecom · 3g · whatsapp": "ok",
        "Maroc Telecom · adsl · whatsapp": "mixed",
        f"{STRANGE} · 4g · viber": "degraded",
    }


@pytest.mark.parametrize(("one", "query"), [pair for pair in OTHERS if pair[1].title == "variable"], ids=named)
def test_variables_offer_what_there_is(stores: Stores, one: Board, query: Query) -> None:
    chosen = {**CHOSEN[one.name], "country": "MA"}
    offered = {row["value"] for row in rows(ask(stores, one, query, chosen, SPAN))}
    assert offered == VARIABLES.get(one.name, IN_MOROCCO)[str(query.panel)], str(query)


@pytest.mark.parametrize(("one", "query"), [pair for pair in OTHERS if pair[1].title == "variable"], ids=named)
def test_variables_offer_nothing_of_another_year(stores: Stores, one: Board, query: Query) -> None:
    year = 365 * 24 * HOUR_MS
    span = Range(SPAN.since_ms - 2 * year, SPAN.until_ms - 2 * year)
    assert ask(stores, one, query, {**CHOSEN[one.name], "country": "MA"}, span) == [], str(query)


def test_variables_are_chained(stores: Stores) -> None:
    country = next(one for one in boards() if one.name == "country")
    access = next(query for query in country.queries() if query.panel == "access")
    chosen = {**CHOSEN["country"], "operator": STRANGE}
    assert rows(ask(stores, country, access, chosen, SPAN)) == [{"key": "access", "value": "4g"}]


@pytest.mark.parametrize(("one", "query"), [pair for pair in OTHERS if pair[1].title == "annotation"], ids=named)
def test_annotations_have_a_time_a_title_and_a_text(stores: Stores, one: Board, query: Query) -> None:
    chosen = {**CHOSEN[one.name], "country": "MA"} if "country" in one.variables else {}
    told = ask(stores, one, query, chosen, SPAN)
    assert [series.columns for series in told] == [["time", "title", "text", "kind"]]
    titles = {row["title"] for row in rows(told)}
    theirs = {"Calls banned"} if chosen else {"Calls banned", "Nothing of note"}
    assert titles == ({"Ringback 1.1"} if query.panel == "Ringback changes" else theirs)


@pytest.mark.parametrize("broken", ['SELECT nonsense("x") FROM "cell_1h"', 'SELECT "x" FROM "cell_1h" WHERE $nobody'])
def test_a_broken_query_says_where_it_stands(stores: Stores, broken: str) -> None:
    text = (
        '{"panels": [{"id": 7, "title": "Broken", "targets": [{"refId": "A", "query": %s, "resultFormat": "table",'
        ' "datasource": {"uid": "ringback-rollup"}}]}], "templating": {}, "annotations": {}}'
    )
    one = board("bad", text % json.dumps(broken))
    [query] = one.queries()
    with pytest.raises(AssertionError) as raised:
        ask(stores, one, query, {}, SPAN)
    assert "bad, panel 7 “Broken”, query A" in str(raised.value)
    assert broken in str(raised.value)
