"""Where nobody bans anything, nobody is accused: a service's outage is `down`, and noise is noise."""

from __future__ import annotations

from pathlib import Path

from collector.replay import load, moment_ms
from collector.warehouse import questions
from collector.warehouse.questions import CellQuery, VerdictQuery
from tests.collector.replay.stories import told

ACCUSING = {"blocked", "likely_blocked", "degraded", "mixed"}
# Controls got the relay's answer less than a day before it went down: without that, nothing would be concluded.
WHEN = [moment_ms(f"2016-03-{day:02}T{hour:02}:00") for day, hour in ((4, 20), (5, 12), (7, 8), (9, 20), (13, 15))]


def test_an_outage_accuses_nobody(tmp_path: Path) -> None:
    episode = load("outage")
    span = {"since_ms": episode.since_ms, "until_ms": episode.until_ms}
    with told(tmp_path, episode, WHEN) as parts:
        cells = questions.cells(parts.warehouse, CellQuery(**span))
        verdicts = questions.verdicts(parts.warehouse, VerdictQuery(**span, limit=10_000))
    assert [each for each in (*cells, *verdicts) if each.state in ACCUSING] == []
    down = {(cell.target, cell.since_ms) for cell in cells if cell.state == "down"}
    assert down == {("viber/call", WHEN[1]), ("telegram/chat", WHEN[3])}
    assert sum(cell.state == "down" for cell in cells) > 8  # of 12 places, some have too few lines
