"""The page: escaped, balanced, self-contained, and never more than the data says."""

from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.facts.credits import Credit
from collector.facts.published.publishers import DBIP
from collector.front import page as site
from collector.front.access import ACCESS, OwnerAccess
from collector.front.executors import add_executors
from collector.front.page import rows as page_rows
from collector.front.page import timeline
from collector.front.page.look import LOOKS, RELAY_REACHED, look_of
from collector.front.page.page import MEANINGS, Instance, render
from collector.front.page.summary import MOST_ROWS, summarize
from collector.front.page.timeline import bars
from collector.front.page.words import plain
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CellRow, VerdictRow
from probe.explain import STATE_WORDS
from probe.model import HOUR_MS, Depth, State
from tests.collector.rows import CELL, HOUR, KEYS, VERDICT, cell_row, content, fill, verdict_row

NOW_MS = HOUR * HOUR_MS + 35 * 60_000
HOSTILE = "</svg><script>alert(1)</script>\"'>&{{7*7}}\u202e"
VOID = {"meta", "link", "br", "line", "rect", "circle"}


class Page(HTMLParser):
    """Checks that elements close in order; keeps the elements, what they refer to, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page(*rows: VerdictRow | CellRow, full: bool = True) -> Page:
    warehouse = Warehouse(None)
    hours: dict[tuple[str, int], tuple[list[VerdictRow], list[CellRow]]] = {}
    for row in rows:
        verdicts, cells = hours.setdefault((row.target, row.hour), ([], []))
        if isinstance(row, VerdictRow):
            verdicts.append(row)
        else:
            cells.append(row)
    fill(warehouse, [content(*of_hour) for of_hour in hours.values()], 1)
    text = render(warehouse, NOW_MS, full)
    warehouse.close()
    assert "://" not in text, "the page asks for nothing elsewhere"
    return Page(text)


def bar_count(shown: Page) -> int:
    return shown.count("rect")


def test_an_empty_warehouse_says_so() -> None:
    assert "Nothing was measured in the last 24 hours." in page().words
    words = page(full=False).words
    assert "no network was measured in any hour on 3 established lines from 3 places" in words
    assert "a young collector shows its owner everything, and others little" in words


def rendered(instance: Instance, *, full: bool) -> str:
    warehouse = Warehouse(None)
    text = render(warehouse, NOW_MS, full, instance=instance)
    warehouse.close()
    return text


@pytest.mark.parametrize("full", [True, False])
def test_what_takes_only_what_is_simulated_says_so_before_anything_was_measured(full: bool) -> None:
    mark = "They say nothing about any real network."
    assert mark in rendered(Instance(simulated=True), full=full)
    assert mark not in rendered(Instance(), full=full)


def test_what_is_not_judged_yet_is_said_where_it_is_much() -> None:
    assert "1,500 batches of measurements have been received" in rendered(Instance(behind=lambda: 1500), full=True)
    assert "have been received" not in rendered(Instance(behind=lambda: 99), full=True)


def test_one_line_reads_as_this_link() -> None:
    shown = page(
        verdict_row(),
        verdict_row(
            target="viber/call",
            state="blocked",
            mechanism="tls.sni.reset",
            step="tls",
            reason="Reset 12 ms after the name.",
        ),
        verdict_row(target="imo/call", state="insufficient", depth="relay_answers"),
        verdict_row(target="baseline/stun"),
    )
    for words in (
        "3 targets were measured on this link.",
        "Viber calls: blocked.",
        "imo calls: cannot be concluded, relay reached, call not exercised.",
        "WhatsApp messages: no interference seen.",
        "No control measured in these hours",
        "TLS connection reset after the service's name was sent",
        "setting up encryption",
        "Reset 12 ms after the name.",
        "cannot be concluded: relay reached, call not exercised",
        "25 Feb 06:00",
        "Page made on 25 Feb 2026, 06:35 UTC.",
    ):
        assert words in shown.words
    assert "Simulated" not in shown.words


def test_where_nothing_can_be_concluded_nothing_else_is_claimed() -> None:
    shown = page(verdict_row(state="insufficient"), verdict_row(target="viber/call", state="insufficient"))
    assert "Nothing can be concluded about any of them." in shown.words
    assert "No interference was found" not in shown.words


def test_the_latest_verdict_of_a_line_is_shown() -> None:
    early = verdict_row(uid="1", state="blocked", started_ms=HOUR * HOUR_MS, reason="Early.")
    late = verdict_row(uid="2", started_ms=HOUR * HOUR_MS + 60_000, reason="Late.")
    shown = page(early, late)
    assert "Late." in shown.words
    assert "Early." not in shown.words
    assert bar_count(shown) == 1


def test_two_lines_speak_for_themselves() -> None:
    shown = page(verdict_row(), verdict_row(key=KEYS[2], uid="2", state="blocked"))
    assert "WhatsApp messages: blocked on 1 of 2 connections, no interference seen on 1." in shown.words
    assert "line 1" in shown.words
    assert "line 2" in shown.words
    assert KEYS[2][:8] not in shown.words


def test_controls_are_no_lines_and_are_known_of() -> None:
    shown = page(verdict_row(), verdict_row(key=KEYS[2], uid="2", is_control=True, operator="Elsewhere"))
    assert "No control measured" not in shown.words
    assert "Elsewhere" not in shown.words


def test_three_lines_are_shown_as_a_cell() -> None:
    lines = [verdict_row(key=KEYS[n], uid=str(n), reason="Of one line.") for n in range(3)]
    shown = page(*lines, cell_row(lines=3, counted=3, states={"ok": 2, "blocked": 1}))
    assert "Of one line. 2 lines: no interference seen; 1 line: blocked" in shown.words
    assert "Maroc Telecom (MA, AS36903), ADSL" in shown.words


def test_a_cell_says_whom_a_relay_answers_that_others_miss() -> None:
    cell = cell_row(lines=20, counted=20, answered=17, states={"insufficient": 17, "likely_blocked": 3})
    assert "a relay that is dropped for others answered 17 of these" in page(cell).words
    assert "dropped for others" not in page(cell_row(lines=3, counted=3, states={"ok": 3})).words


ENOUGH: dict[str, Any] = {"public_state": "blocked", "established": 4, "buckets": 3, "operator": "Enough", "asn": 2}


def test_strangers_see_no_line_and_no_cell_below_the_floor() -> None:
    shown = page(
        verdict_row(reason="Of one line."),
        cell_row(hour=HOUR - 2, lines=9, states={"ok": 2}, established=2, buckets=2, operator="Few"),
        cell_row(hour=HOUR - 2, lines=9, states={"ok": 2}, established=3, buckets=2, operator="Few", asn=3),
        cell_row(hour=HOUR - 2, state="ok", states={"blocked": 3, "ok": 9}, **ENOUGH),
        cell_row(hour=HOUR - 3, **{**ENOUGH, "buckets": 2}),
        cell_row(hour=HOUR - 1, **ENOUGH),
        full=False,
    )
    assert "Of one line." not in shown.words
    assert "Few (" not in shown.words
    assert "Enough (MA, AS2), ADSL" in shown.words
    assert "WhatsApp messages: blocked." in shown.words
    assert "3-5 lines" in shown.words
    assert KEYS[1][:8] not in shown.text
    assert bar_count(shown) == 1


def test_what_is_simulated_is_said_to_be() -> None:
    shown = page(verdict_row(simulated=True), verdict_row(uid="2", key=KEYS[2], operator="Real", asn=2))
    assert "Simulated. Measurements on this page were made in a simulated country." in shown.words
    assert "ADSL simulated" in shown.words
    assert "(simulated)" in shown.words


@pytest.mark.parametrize("full", [True, False])
def test_hostile_text_stays_text(full: bool) -> None:
    """In every column that is text, of verdicts and of cells; in a target too, for a probe may send any."""
    texts = {f.name: HOSTILE for f in msgspec.structs.fields(VERDICT) if isinstance(getattr(VERDICT, f.name), str)}
    optional = {"mechanism": HOSTILE, "depth": HOSTILE, "step": HOSTILE}
    verdict = msgspec.structs.replace(VERDICT, **texts, **optional)
    words = {f.name: HOSTILE for f in msgspec.structs.fields(CELL) if isinstance(getattr(CELL, f.name), str)}
    cell = msgspec.structs.replace(CELL, **words, mechanism=HOSTILE, lines=3, states={HOSTILE: 3}, asn=2)
    cell = msgspec.structs.replace(cell, hour=HOUR - 2, established=3, buckets=3, public_mechanism=HOSTILE)
    shown = page(verdict, cell, full=full)
    assert shown.count("script") == 0
    assert "alert(1)" in shown.text
    assert "\u202e" not in shown.text
    assert "{{7*7}}" in shown.text
    assert all(not name.startswith("on") for _, attributes in shown.elements for name in attributes)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(0, 30), st.sampled_from([s.value for s in State]), max_size=20),
    st.booleans(),
)
def test_an_hour_is_drawn_if_and_only_if_there_is_data(states: dict[int, str], alone: bool) -> None:
    """`states`: how many hours ago → state. What is older than 24 hours is not on the page."""
    rows: list[VerdictRow | CellRow]
    if alone:
        rows = [verdict_row(hour=HOUR - ago, state=state) for ago, state in states.items()]
    else:
        enough = {"established": 3, "buckets": 3}
        rows = [cell_row(hour=HOUR - ago, public_state=state, **enough) for ago, state in states.items()]
    shown = page(*rows, full=alone)
    drawn = [state for ago, state in states.items() if (0 if alone else 2) <= ago < 24]
    assert bar_count(shown) == len(drawn)
    assert shown.count("circle") == (24 - len(drawn) if drawn else 0)
    for state in State:
        groups = [a for tag, a in shown.elements if tag == "g" and a.get("class") == state.value]
        assert len(groups) == drawn.count(state.value)


def test_each_state_is_told_apart_without_colour() -> None:
    assert set(LOOKS) == set(State)
    assert len({look.sign for look in (*LOOKS.values(), RELAY_REACHED)}) == len(State) + 1
    assert look_of(State.INSUFFICIENT, Depth.RELAY_ANSWERS) is RELAY_REACHED
    assert look_of(State.BLOCKED, Depth.RELAY_ANSWERS) is LOOKS[State.BLOCKED]
    (absent,) = bars([None], HOUR)
    assert (absent.state, absent.sign, absent.height) == ("none", "", 0)
    assert absent.title.endswith("without data")


def field(shown: Page, words: str) -> str | None:
    """The class of the field of the overview that says this."""
    said = [each["class"] for tag, each in shown.elements if tag == "span" and each.get("aria-label") == words]
    return said[0] if said else None


def test_the_overview_has_a_field_for_each_connection_and_service_calls_first() -> None:
    shown = page(
        verdict_row(target="viber/chat"),
        verdict_row(target="viber/call", uid="2", state="likely_blocked"),
        verdict_row(target="imo/call", uid="3", state="insufficient", depth="relay_answers"),
        verdict_row(target="baseline/stun", uid="4"),
    )
    overview = shown.words.partition("Overview")[2].partition("How to read")[0]
    assert overview.index("calls") < overview.index("messages")
    assert field(shown, "Viber calls: likely blocked") == "sign likely_blocked"
    assert field(shown, "imo calls: cannot be concluded: relay reached, call not exercised") == "sign relay"
    assert field(shown, "Viber messages: no interference seen") == "sign ok"
    assert not any("omparison" in (each.get("aria-label") or "") for _, each in shown.elements)


def test_every_link_of_the_overview_leads_somewhere() -> None:
    shown = page(*(cell_row(asn=asn, lines=3, counted=3) for asn in (1, 2, 3)))
    ids = {each["id"] for _, each in shown.elements if "id" in each}
    leads = {(each["href"] or "").lstrip("#") for tag, each in shown.elements if tag == "a"}
    assert leads == ids
    assert len(ids) == 3


def test_a_cell_tells_its_owner_the_commonest_reason_and_strangers_none() -> None:
    lines = [
        verdict_row(key=KEYS[n], uid=str(n), state="blocked", reason=reason, hour=HOUR - 2)
        for n, reason in enumerate(("It was reset.", "It was reset.", "Of one line."))
    ]
    cell = cell_row(hour=HOUR - 2, state="blocked", lines=3, states={"blocked": 3}, established=3, buckets=3)
    assert "It was reset." in page(*lines, cell).words
    assert "Of one line." not in page(*lines, cell).words
    assert "It was reset." not in page(*lines, cell, full=False).words


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(("depth", "shown_as"), [("relay_answers", "relay"), (None, "insufficient")])
def test_a_cell_whose_relays_answered_says_so_in_each_hour(depth: str | None, shown_as: str, full: bool) -> None:
    said = {"target": "viber/call", "state": "insufficient", "lines": 3, "established": 3, "buckets": 3}
    said |= {"depth": depth if full else None, "public_depth": None if full else depth}
    shown = page(*(cell_row(hour=HOUR - ago, **said) for ago in (2, 3, 5)), full=full)
    classes = [each.get("class") for tag, each in shown.elements if tag == "span" and each.get("role") == "img"]
    assert classes == [f"sign {shown_as}"]
    assert [a["class"] for tag, a in shown.elements if tag == "g" and "class" in a].count(shown_as) == 3


def test_the_page_explains_each_state_and_never_says_works() -> None:
    shown = page(verdict_row())
    assert set(MEANINGS) == set(State) - {State.UNKNOWN}
    assert all(STATE_WORDS[state] in shown.words for state in MEANINGS)
    said = re.sub("Nothing on this page says that a service works", "", shown.words)
    assert not re.search(r"\bworks\b", said)


def test_text_that_turns_its_surroundings_is_made_visible() -> None:
    assert plain("a\u202eb\x00\u200d\nc") == "a\ufffdb\ufffd\ufffd\ufffdc"
    assert plain("اتصالات المغرب") == "اتصالات المغرب"


def test_whose_data_names_the_networks_stands_below() -> None:
    """With a link, as their licences ask; and no word of it where nobody asks."""
    warehouse = Warehouse(None)
    fill(warehouse, [content([verdict_row()], [])], 1)
    hostile = Credit(HOSTILE, "https://example.org/", "CC BY 4.0")
    shown = Page(render(warehouse, NOW_MS, True, instance=Instance(credits=lambda: (DBIP, hostile))))
    links = {given["href"] for name, given in shown.elements if name == "a" and not str(given["href"]).startswith("#")}
    assert links == {"https://db-ip.com/", "https://example.org/"}
    assert "told by: IP Geolocation by DB-IP (CC BY 4.0); </svg>" in shown.words
    assert "told by" not in Page(render(warehouse, NOW_MS, True)).words
    warehouse.close()


class Asked:
    """A site whose clocks are the test's, and how often it made a page."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms, self.now_s, self.made = NOW_MS, 0.0, 0
        self.warehouse = Warehouse(None)
        self.tell("Of one line.")
        self.app = web.Application()
        self.app[ACCESS] = OwnerAccess("secret", lambda: NOW_MS)
        add_executors(self.app)
        site.add_routes(self.app, self.warehouse, lambda: self.now_ms, Instance(), lambda: self.now_s)
        monkeypatch.setattr(site, "render", self._render)

    def tell(self, reason: str) -> None:
        public = cell_row(hour=HOUR - 2, established=3, buckets=3, operator=f"Operator {reason}")
        fill(self.warehouse, [content([verdict_row(reason=reason)], []), content([], [public])], 1)

    def _render(self, *given: Any) -> str:
        self.made += 1
        return render(*given)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


async def test_the_route_shows_by_who_asks(asked: Asked, aiohttp_client: Any) -> None:
    client = await aiohttp_client(asked.app)
    for _ in range(2):
        stranger = await client.get("/")
        operator = await client.get("/", headers={"Authorization": "Bearer secret"})
        assert stranger.content_type == "text/html"
        assert "Of one line." not in Page(await stranger.text()).words.replace("Operator Of one line.", "")
        assert "Of one line." in await operator.text()
        assert stranger.headers["Cache-Control"] == "max-age=60"
        assert stranger.headers["Vary"] == "Authorization, Cookie"
        assert operator.headers["Cache-Control"] == "no-store"
        assert "ETag" not in operator.headers


async def test_strangers_cause_a_page_a_minute_and_one_a_new_hour(asked: Asked, aiohttp_client: Any) -> None:
    client = await aiohttp_client(asked.app)

    async def text() -> str:
        return str(await (await client.get("/")).text())

    first = await asyncio.gather(*(text() for _ in range(20)))
    assert (asked.made, len(set(first))) == (1, 1)
    asked.tell("Later.")
    asked.now_s = 59.9
    assert (await text(), asked.made) == (first[0], 1)
    asked.now_s = 60.0
    later = await text()
    assert "Operator Later." in later
    assert asked.made == 2
    asked.now_ms += HOUR_MS
    assert await text() != later
    assert asked.made == 3


async def test_a_page_that_is_known_is_not_sent_again(asked: Asked, aiohttp_client: Any) -> None:
    client = await aiohttp_client(asked.app)
    tag = (await client.get("/")).headers["ETag"]
    known = await client.get("/", headers={"If-None-Match": f'"x", {tag}'})
    assert (known.status, await known.read(), known.headers["ETag"]) == (304, b"", tag)
    assert known.headers["Cache-Control"] == "max-age=60"
    asked.tell("Later.")
    asked.now_s = 60.0
    assert (await client.get("/", headers={"If-None-Match": tag})).status == 200
    owner = await client.get("/", headers={"If-None-Match": "*", "Authorization": "Bearer secret"})
    assert owner.status == 200


async def test_a_page_that_fails_is_made_anew(asked: Asked, aiohttp_client: Any) -> None:
    client = await aiohttp_client(asked.app)
    asked.warehouse.change(lambda connection: connection.execute("ALTER TABLE cell RENAME TO lost"))
    assert (await client.get("/")).status == 500
    asked.warehouse.change(lambda connection: connection.execute("ALTER TABLE lost RENAME TO cell"))
    assert (await client.get("/")).status == 200


@pytest.mark.parametrize("full", [True, False])
async def test_a_page_has_500_rows_and_each_country_its_own(asked: Asked, aiohttp_client: Any, full: bool) -> None:
    enough = {"hour": HOUR - 2, "established": 3, "buckets": 3}
    rows = [
        cell_row(country=country, asn=asn, operator=f"{country}{asn}", **enough)
        for country, count in (("ES", 400), ("MA", 200))
        for asn in range(1, count + 1)
    ]
    fill(asked.warehouse, [content([], rows)], 2)
    client = await aiohttp_client(asked.app)
    headers = {"Authorization": "Bearer secret"} if full else {}

    async def shown(path: str) -> Page:
        return Page(await (await client.get(path, headers=headers)).text())

    def links(page: Page) -> list[str | None]:
        return [link for tag, each in page.elements if tag == "a" and (link := each["href"] or "").startswith("/")]

    both, one = await shown("/"), await shown("/country/MA")
    assert (both.count("details"), links(both)) == (500, ["/country/ES", "/country/MA"])
    assert "There is more than this page can hold" in both.words
    assert (one.count("details"), links(one)) == (200 + full, [])  # the owner sees a line, too
    assert "ES1 (" not in one.words
    assert (await shown("/country/FR")).count("details") == 0
    assert (await client.get("/country/france")).status == 404


def test_what_does_not_fit_is_not_made_and_what_recurs_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    drawn: list[object] = []
    whole, bar = page_rows._cell_row, timeline.bar
    monkeypatch.setattr(page_rows, "_cell_row", lambda *given: (made.append(given), whole(*given))[1])
    monkeypatch.setattr(timeline, "bar", lambda *given: (drawn.append(given), bar(*given))[1])
    warehouse = Warehouse(None)
    rows = [cell_row(asn=asn, operator=f"MA{asn}", hour=HOUR - 2) for asn in range(1, 1_000)]
    fill(warehouse, [content([], rows)], 1)
    assert Page(render(warehouse, NOW_MS, full=True)).count("details") == MOST_ROWS
    assert len(made) == MOST_ROWS
    assert len(drawn) <= 24
    warehouse.close()


def test_a_page_shows_all_hours_of_what_it_shows_however_many_places_there_are() -> None:
    """A query for so many cells had room for the newest hours only, once there were more than eleven places."""
    warehouse = Warehouse(None)
    rows = [cell_row(asn=asn, operator=f"MA{asn}", hour=HOUR - ago) for asn in range(1, 501) for ago in range(24)]
    fill(warehouse, [content([], [row for row in rows if row.hour == hour]) for hour in range(HOUR - 23, HOUR + 1)], 1)
    shown = summarize(warehouse, NOW_MS, full=True)
    assert [len(place.rows) for place in shown.places] == [1] * MOST_ROWS
    assert all(None not in row.hours for place in shown.places for row in place.rows)
    assert shown.complete
    warehouse.close()
