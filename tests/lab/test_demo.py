"""The demo's story is told as it is written, every record is marked, and the whole runs once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from probe.model import Link, Measurement
from tests.lab.demo import NEEDS
from tests.lab.plan import ACCESSES, COUNTRY
from tests.lab.story import ACTS, HOTEL, LINES, MOBILE, Act, Volunteer, censor, everybody
from tests.lab.volunteer import HOUR_MS, as_simulated, identity
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
CALLS = ("Viber", "Telegram", "Signal", "Messenger")


def banned(act: Act) -> set[tuple[str, str]]:
    return {(one.operator, one.access) for one in everybody() if censor(act, one)}


def test_there_are_lines_enough_for_cells() -> None:
    volunteers = everybody()
    assert len(volunteers) == len({one.name for one in volunteers}) == len(COUNTRY) * len(ACCESSES) * LINES
    assert len({identity(one.name).key for one in volunteers}) == len(volunteers)


def test_the_ban_comes_in_two_steps_and_spares_a_hotel() -> None:
    before, mobile, everywhere = ACTS
    places = {(operator, access) for operator in COUNTRY for access in ACCESSES}
    assert banned(before) == set()
    assert banned(mobile) == {place for place in places if place[1] in MOBILE}
    assert banned(everywhere) == places - {HOTEL}
    assert [act.hours_ago for act in ACTS] == [2, 1, 0]
    assert not any(censor(everywhere, Volunteer("control1", "adsl", 1)) for _ in ACTS)


def test_every_measurement_is_marked_and_in_the_storys_hour() -> None:
    seen = Measurement(
        uid="0" * 32,
        target="viber/call",
        cycle="1" * 32,
        round=1,
        started_ms=10 * HOUR_MS,
        clock_offset_ms=None,
        link=Link(up=True),
    )
    (marked,) = as_simulated([seen], 2)
    assert marked.simulated
    assert marked.started_ms == 8 * HOUR_MS


@pytest.mark.needs("root", *NEEDS)
def test_the_demo_runs_once_and_leaves_a_page_that_says_simulated(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "tests.lab.demo", "--once", "--lines", "1", "--page", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    assert "brought nothing" not in done.stdout
    text = page.read_text()
    assert "(simulated)</title>" in text
    places = re.findall(r"<h2[^>]*>[^<]*AS\d+.*?</h2>", text, re.DOTALL)
    assert len(places) == len(COUNTRY) * len(ACCESSES)
    assert all("simulated" in place for place in places)
    sentences = re.findall(r"<p>([^<]*calls[^<]*: likely blocked on 11 of 12 connections[^<]*)</p>", text)
    for service in CALLS:
        assert any(service in sentence.partition(" calls")[0] for sentence in sentences)
