"""The order in which the files of the suite are begun: the longest first, or the end is a wait for one of them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
# Those of some ten seconds and more on two idle cores, the longest first (`make test ARGS=--durations=100` shows them).
LONGEST = (
    "tests/test_interference.py",
    "tests/lab/test_slice.py",
    "tests/collector/log/test_crash.py",
    "tests/collector/judging/test_projector.py",
    "tests/test_also.py",
    "tests/lab/test_differential.py",
    "tests/country/test_country.py",
    "tests/collector/replay/test_morocco.py",
    "tests/lab/test_demo.py",
    "tests/lab/test_boxes.py",
    "tests/grafana/test_load.py",
    "tests/lab/test_world.py",
    "tests/lab/test_net.py",
    "tests/opinion/test_opinion.py",
    "tests/probe/test_cli.py",
    "tests/grafana/test_morocco.py",
    "tests/test_packaging.py",
    "tests/grafana/test_queries.py",
    "tests/collector/replay/test_outage.py",
)
_PLACES = {ROOT / name: place for place, name in enumerate(LONGEST)}


def place(path: Path) -> int:
    """Files beside the longest keep their order, after them."""
    return _PLACES.get(path, len(LONGEST))
