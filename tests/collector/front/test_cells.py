"""What may be asked, by whom, and what a slip gets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from collector.facts.published.publishers import DBIP
from collector.front import cells
from collector.front.access import ACCESS, OwnerAccess
from collector.front.executors import add_executors
from collector.front.refusals import in_json
from collector.warehouse.privacy_floor import band
from collector.warehouse.store import Warehouse
from probe.model import HOUR_MS, Plane, Target
from tests.collector.rows import HOUR, KEYS, cell_row, content, fill, verdict_row
from tests.collector.warehouse.test_early_signal import NEW, NOON

NOW_MS = (HOUR + 1) * HOUR_MS
LATER_MS = NOW_MS + HOUR_MS
TARGETS = [Target(id=name, plane=Plane.SIGNALLING) for name in ("whatsapp/chat", "viber/call")]


@pytest.fixture
def warehouse() -> Warehouse:
    warehouse = Warehouse(None)
    lines = [verdict_row(uid=str(n), key=KEYS[n], started_ms=HOUR * HOUR_MS + n) for n in range(4)]
    many = cell_row(lines=9, counted=4, states={"ok": 3, "blocked": 1}, public_state="mixed", established=4, buckets=3)
    few = cell_row(lines=2, counted=2, states={"ok": 2}, asn=36925, operator="Medi Telecom", established=2, buckets=2)
    viber = cell_row(
        target="viber/call", hour=HOUR - 1, lines=11, counted=0, states={"insufficient": 11}, established=11, buckets=7
    )
    gone = verdict_row(target="tango/call", hour=HOUR - 1, state="down", country="ES", asn=3352, access="4g")
    fill(warehouse, [content(lines, [many, few]), content([], [viber]), content([gone], [])], 1)
    return warehouse


@pytest.fixture
def ask(warehouse: Warehouse, aiohttp_client: Any) -> Any:
    async def ask(path: str, full: bool = True, now_ms: int = LATER_MS, **headers: str) -> tuple[int, Any]:
        app = web.Application(middlewares=[in_json])
        app[ACCESS] = OwnerAccess("t", lambda: NOW_MS)
        add_executors(app)
        cells.add_routes(app, warehouse, TARGETS, lambda: now_ms)
        client: TestClient[Any, Any] = await aiohttp_client(app)
        owner = {"Authorization": "Bearer t"} if full else {}
        response = await client.get(path, headers={**owner, **headers})
        return response.status, await (response.text() if headers else response.json())

    return ask


async def test_verdicts_come_newest_first(ask: Any) -> None:
    status, answer = await ask("/v1/verdicts")
    assert status == 200
    assert [row["uid"] for row in answer["verdicts"]] == ["3", "2", "1", "0", "1"]
    assert answer["complete"] is True


async def test_verdicts_as_lines(ask: Any) -> None:
    _, text = await ask("/v1/verdicts?limit=2", Accept="application/x-ndjson")
    assert [json.loads(line)["uid"] for line in text.splitlines()] == ["3", "2"]


async def test_lines_that_contradict_a_drop_are_shown_to_the_operator_only(ask: Any, warehouse: Warehouse) -> None:
    states = {"insufficient": 17, "likely_blocked": 3}
    mixed = cell_row(hour=HOUR - 2, lines=20, counted=20, answered=17, states=states, established=20, buckets=20)
    fill(warehouse, [content([], [mixed])], 2)
    asked = f"/v1/cells?since={(HOUR - 2) * HOUR_MS}&until={(HOUR - 1) * HOUR_MS}"
    for full, answered in ((True, 17), (False, None)):
        _, answer = await ask(asked, full)
        assert [cell.get("answered") for cell in answer["cells"]] == [answered]


async def test_a_limit_says_that_more_was_there(ask: Any) -> None:
    assert (await ask("/v1/verdicts?limit=2"))[1]["complete"] is False


async def test_below_the_floor_no_verdict_is_shown(ask: Any) -> None:
    status, answer = await ask("/v1/verdicts", full=False)
    assert (status, answer["error"]) == (403, "full_access_only")
    assert "/v1/cells" in answer["message"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("target=tango/call", 1),  # measured once, no longer in the file
        ("target=whatsapp/chat", 4),
        ("country=ES", 1),
        ("asn=3352", 1),
        ("access=4g", 1),
        (f"since={HOUR * HOUR_MS + 2}", 2),
        (f"until={HOUR * HOUR_MS + 2}", 3),
        (f"since={HOUR * HOUR_MS + 1}&until={HOUR * HOUR_MS + 2}", 1),
        ("target=whatsapp/chat&country=ES", 0),
    ],
)
async def test_verdicts_are_chosen(ask: Any, query: str, count: int) -> None:
    assert len((await ask(f"/v1/verdicts?{query}"))[1]["verdicts"]) == count


async def test_whether_a_name_was_ever_measured_is_no_strangers_business(ask: Any) -> None:
    for name in ("tango", "never-measured"):
        status, answer = await ask(f"/v1/cells?service={name}", full=False)
        assert (status, answer["error"]) == (400, "unknown_word")
    assert (await ask("/v1/cells?service=tango"))[0] == 200


async def test_cells_in_full_have_their_counts(ask: Any) -> None:
    _, answer = await ask("/v1/cells")
    assert [(c["target"], c["lines"]) for c in answer["cells"]] == [
        ("whatsapp/chat", 9),
        ("whatsapp/chat", 2),
        ("viber/call", 11),
    ]
    assert answer["cells"][0]["states"] == {"blocked": 1, "ok": 3}


@pytest.mark.parametrize(
    ("query", "signals"),
    [("", 1), ("&service=whatsapp&country=MA&access=4g", 1), ("&role=call", 0), ("&asn=1", 0), ("&operator=x", 0)],
)
async def test_the_owner_is_told_early_what_new_measurers_see(
    ask: Any, warehouse: Warehouse, query: str, signals: int
) -> None:
    fill(warehouse, [content(NEW, [])], 2)
    asked = f"/v1/cells?since={(NOON - 1) * HOUR_MS}&until={(NOON + 1) * HOUR_MS}{query}"
    _, answer = await ask(asked)
    assert [one["sources"] for one in answer["early_signals"]] == [10] * signals
    assert "early_signals" not in (await ask(asked, full=False))[1]
    assert (await ask(f"/v1/cells?since={(NOON - 2) * HOUR_MS}&until={NOON * HOUR_MS}"))[1]["early_signals"] == []


async def test_whose_data_names_the_networks_is_said_where_there_is_somebody(
    ask: Any, warehouse: Warehouse, aiohttp_client: Any
) -> None:
    assert "credits" not in (await ask("/v1/cells"))[1]
    app = web.Application(middlewares=[in_json])
    app[ACCESS] = OwnerAccess("t", lambda: NOW_MS)
    add_executors(app)
    cells.add_routes(app, warehouse, TARGETS, lambda: LATER_MS, lambda: (DBIP,))
    client: TestClient[Any, Any] = await aiohttp_client(app)
    answer = await (await client.get("/v1/cells")).json()
    assert answer["credits"] == [{"text": DBIP.text, "url": DBIP.url, "licence": DBIP.licence}]


async def test_strangers_see_cells_of_three_established_lines_in_a_band(ask: Any) -> None:
    """And nothing of who said what: one line that differs would show."""
    _, answer = await ask("/v1/cells", full=False)
    shown = [(c["target"], c["state"], c["lines"]) for c in answer["cells"]]
    assert shown == [("whatsapp/chat", "mixed", "3-5"), ("viber/call", "insufficient", ">10")]
    hidden = {"counted", "states", "established", "buckets", "sources_floor", "public_state", "shown_from_ms"}
    assert not hidden & set(answer["cells"][0])


@pytest.mark.parametrize(("now_ms", "targets"), [(LATER_MS, 2), (LATER_MS - 1, 1), (NOW_MS - 1, 0)])
async def test_strangers_see_an_hour_when_it_has_been_over_for_one(ask: Any, now_ms: int, targets: int) -> None:
    _, answer = await ask("/v1/cells", full=False, now_ms=now_ms)
    assert len(answer["cells"]) == targets


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("service=viber", 1),
        ("role=chat", 2),
        ("operator=Medi%20Telecom", 1),
        ("asn=36925", 1),
        ("access=wifi", 0),
        (f"since={HOUR * HOUR_MS}", 2),
        (f"until={HOUR * HOUR_MS}", 1),
        (f"until={datetime.fromtimestamp(HOUR * 3600, UTC):%Y-%m-%dT%H:%M}", 1),
        ("operator=%27%20OR%20%271%27=%271", 0),
    ],
)
async def test_cells_are_chosen(ask: Any, query: str, count: int) -> None:
    assert len((await ask(f"/v1/cells?{query}"))[1]["cells"]) == count


@pytest.mark.parametrize(
    ("path", "reason", "sentence"),
    [
        ("/v1/cells?contry=MA", "unknown_parameter", "There is no parameter `contry`; did you mean `country`."),
        ("/v1/cells?limit=3", "unknown_parameter", "There is no parameter `limit`; give one of since, "),
        ("/v1/verdicts?target=whatsap/chat", "unknown_word", "did you mean `whatsapp/chat`."),
        ("/v1/cells?service=vibr", "unknown_word", "did you mean `viber`."),
        ("/v1/cells?role=cal", "unknown_word", "did you mean `call`."),
        ("/v1/cells?access=wi-fi", "unknown_word", "did you mean `wifi`."),
        ("/v1/cells?access=", "unknown_word", "give one of 2g, 3g"),
        ("/v1/cells?country=ma", "bad_value", "`country` is two capital letters, such as MA."),
        ("/v1/cells?asn=AS36903", "bad_value", "`asn` is a whole number of at most 4294967295, such as 36903."),
        (
            "/v1/cells?since=yesterday",
            "bad_value",
            "`since` is a date such as 2026-02-26T16:00, UTC, or milliseconds since 1970.",
        ),
        ("/v1/cells?since=2026-02-26T16:00%2B01:00", "bad_value", "`since` is a date"),
        ("/v1/verdicts?service=viber", "unknown_parameter", "give one of target, "),
        ("/v1/cells?asn=99999999999999999999", "bad_value", "`asn` is a whole number"),
        ("/v1/cells?since=0&until=9999999999", "bad_span", "at most 31 days"),
        ("/v1/cells?since=5&until=4", "bad_span", "at most 31 days"),
        ("/v1/cells?asn=1&asn=2", "repeated_parameter", "once"),
    ],
)
async def test_a_slip_is_named(ask: Any, path: str, reason: str, sentence: str) -> None:
    status, answer = await ask(path)
    assert (status, answer["error"]) == (400, reason)
    assert sentence in answer["message"]


def test_bands() -> None:
    assert [band(n) for n in (0, 1, 2, 3, 5, 6, 10, 11)] == ["0", "<3", "<3", "3-5", "3-5", "6-10", "6-10", ">10"]


async def test_strangers_get_so_many_rows_at_most(ask: Any, warehouse: Warehouse) -> None:
    rows = [cell_row(hour=HOUR - 2, asn=asn, operator="x", established=3, buckets=3) for asn in range(1, 602)]
    fill(warehouse, [content([], rows)], 2)
    asked = f"/v1/cells?since={(HOUR - 2) * HOUR_MS}&until={(HOUR - 1) * HOUR_MS}"
    for full, count, complete in ((True, 601, True), (False, 500, False)):
        _, answer = await ask(asked, full)
        assert (len(answer["cells"]), answer["complete"]) == (count, complete)
    _, one = await ask(f"{asked}&asn=600", False)
    assert (len(one["cells"]), one["complete"]) == (1, True)
