"""The picture of an episode: what it shows of a day is what the cells of that day say."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.replay import load, moment_ms
from collector.replay.picture import AGAINST, CALM, SHADES, Day, days, draw
from tests.collector.replay.stories import small, told
from tests.source import ROOT

DAY_MS = 24 * 3_600_000
FIRST = small().since_ms // DAY_MS
SVG = "{http://www.w3.org/2000/svg}"

one_day = st.builds(
    lambda day, cells, against: Day("call", "4g", FIRST + day, min(against, cells), cells),
    st.integers(0, 30),
    st.integers(1, 6),
    st.integers(0, 6),
)


def shades(picture: str) -> dict[int, int]:
    """Of each day that is drawn, how dark."""
    found: dict[int, int] = {}
    for box in ElementTree.fromstring(picture).iter(f"{SVG}rect"):
        first, _, last = box.get("data-days", "").partition("-")
        if first:
            assert box.get("fill") in (CALM, AGAINST)
            shade = round(float(box.get("fill-opacity", "1")) * SHADES) if box.get("fill") == AGAINST else 0
            found |= dict.fromkeys(range(int(first), int(last) + 1), shade)
    return found


@given(st.lists(one_day, unique_by=lambda day: day.day))
def test_each_day_is_as_dark_as_it_is_bad(seen: list[Day]) -> None:
    drawn = shades(draw(small(), seen))
    assert drawn.keys() == {day.day for day in seen}
    for day in seen:
        assert (drawn[day.day] == 0) == (day.against == 0)
        assert (drawn[day.day] == SHADES) == (day.against * SHADES > day.cells * (SHADES - 1))


def test_a_replay_is_drawn_as_its_cells_are(tmp_path: Path) -> None:
    banned, free = (moment_ms(f"2016-01-{day}T12:00") for day in (15, 25))
    with told(tmp_path, small(), [banned, free]) as parts:
        seen = days(parts.warehouse)
    calls = {day.day: day.against for day in seen if (day.role, day.access) == ("call", "4g")}
    assert calls == {banned // DAY_MS: 1, free // DAY_MS: 0}
    assert all(day.against == 0 for day in seen if day.role == "chat")
    assert {day.cells for day in seen if day.access == "4g"} == {2}


@pytest.mark.parametrize(("day", "banned"), [("2016-01-20", {"3g", "4g"}), ("2016-02-10", set()), ("2016-06-01", None)])
def test_the_picture_of_the_readme_shows_the_ban(day: str, banned: set[str] | None) -> None:
    """Its first four rows are of calls, in the order of their names."""
    root = ElementTree.parse(ROOT / "docs" / "pictures" / "morocco-2016.svg").getroot()
    assert "simulated" in (root.findtext(f"{SVG}title") or "")
    number = moment_ms(day) // DAY_MS
    rows: dict[str, list[str]] = {}
    for box in root.iter(f"{SVG}rect"):
        found = re.fullmatch(r"(\d+)-(\d+)", box.get("data-days", ""))
        if found and int(found[1]) <= number <= int(found[2]):
            rows.setdefault(box.get("y", ""), []).append(box.get("fill", ""))
    dark = [AGAINST in fills for fills in rows.values()]
    names = [text.text for text in root.iter(f"{SVG}text") if text.text in ("3G", "4G", "WiFi", "ADSL")]
    assert len(dark) == len(names) == 8
    shown = {name.lower() for name, is_dark in zip(names, dark, strict=True) if is_dark and name}
    assert shown == ({"3g", "4g", "wifi", "adsl"} if banned is None else banned)
    assert not any(dark[4:])
    assert load("morocco-2016").since_ms // DAY_MS <= number
