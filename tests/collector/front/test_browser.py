"""The page in a real browser, as people meet it: on a phone and on a desk, by day and by night, and read aloud."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from collector.front.page.page import render
from collector.warehouse.store import Warehouse
from collector.warehouse.tables import CellRow
from probe.model import HOUR_MS
from tests.collector.rows import HOUR, KEYS, cell_row, content, fill, verdict_row
from tests.components import program

PHONE, DESK = (390, 844), (1280, 900)
OPERATORS = ("Maroc Telecom", "Orange Maroc", "inwi")
ACCESSES = ("3g", "4g", "adsl", "wifi")
TARGETS = ("whatsapp/call", "viber/call", "messenger/call", "whatsapp/chat", "viber/chat", "messenger/chat")
STATES = ("blocked", "likely_blocked", "degraded", "mixed", "impaired", "down", "insufficient", "ok")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def twelve_connections(warehouse: Warehouse) -> None:
    """Twelve connections, and on each six targets for a day: every state somewhere, a relay that answers as well."""
    hours: dict[tuple[str, int], list[CellRow]] = {}
    for number, operator in enumerate(OPERATORS):
        for access in ACCESSES:
            for at, target in enumerate(TARGETS):
                for hour in range(HOUR - 20, HOUR, 4):
                    state = STATES[(at + number) % len(STATES)]
                    row = cell_row(
                        target=target, hour=hour, operator=operator, asn=number + 1, access=access, state=state,
                        lines=4, counted=4, states={state: 4}, public_state=state, established=4, buckets=4,
                    )  # fmt: skip
                    hours.setdefault((target, hour), []).append(row)
    reached = [
        verdict_row(target="viber/call", state="insufficient", depth="relay_answers", operator="Relay", key=KEYS[n])
        for n in range(2)
    ]
    fill(warehouse, [content([], rows) for rows in hours.values()], 1)
    fill(warehouse, [content(reached)], 1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = Warehouse(None)
    twelve_connections(warehouse)
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(render(warehouse, HOUR * HOUR_MS + 60_000, True), encoding="utf-8")
    warehouse.close()
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def shown(browser: Browser, file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    (width, height), scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(file.as_uri())
    yield page
    page.close()


def every(name: str) -> pytest.MarkDecorator:
    cases = [(size, scheme) for size in (PHONE, DESK) for scheme in ("light", "dark")]
    return pytest.mark.parametrize(name, cases, indirect=True, ids=lambda case: f"{case[0][0]}-{case[1]}")


@every("shown")
def test_nobody_is_kept_out(shown: Page) -> None:
    """axe-core finds nothing, details open and shut: contrast, names, order of headings, what can be scrolled."""
    for open_ in (False, True):
        shown.eval_on_selector_all("details", f"all => all.forEach(each => each.open = {str(open_).lower()})")
        found = Axe().run(shown, options={"runOnly": {"type": "tag", "values": RULES}})
        assert found.response["passes"]
        assert [each["id"] for each in found.response["violations"]] == [], found.generate_report()


@every("shown")
def test_nothing_is_cut_off_at_the_side(shown: Page) -> None:
    width = shown.viewport_size["width"] if shown.viewport_size else 0
    assert shown.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("shown", [(PHONE, "light")], indirect=True)
def test_a_phone_shows_twelve_connections_on_six_screens(shown: Page) -> None:
    assert shown.evaluate("document.documentElement.scrollHeight") <= 6 * PHONE[1]


@pytest.mark.parametrize("shown", [(PHONE, "light"), (DESK, "light")], indirect=True)
def test_a_name_in_the_overview_opens_its_details(shown: Page) -> None:
    hidden = shown.locator("#connection-7")
    assert not hidden.is_visible()
    shown.locator(".overview a").nth(6).click()
    hidden.wait_for(state="visible")
    assert hidden.is_visible()


@pytest.mark.parametrize("shown", [(DESK, "light")], indirect=True)
def test_it_asks_for_nothing_elsewhere_and_runs_nothing(shown: Page) -> None:
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.reload()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert shown.locator("script").count() == 0


@pytest.mark.needs("lynx")
def test_it_reads_as_a_text(file: Path) -> None:
    command = [program("lynx"), "-dump", "-nolist", "-display_charset=utf-8", str(file)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines[:2] == ["Ringback", "Do internet calls get through?"]
    words = " ".join(lines)
    for sentence in ("calls: blocked on 4 of 12 connections", "Maroc Telecom (MA, AS1), 3G", "How to read this"):
        assert sentence in words
