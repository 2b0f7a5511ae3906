"""The order in which the files of the suite are begun: the longest first, or the end is a wait for one of them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
# Those of some ten seconds and more, the longest first (`make test ARGS=--durations=100` shows them): whose processes
# and networks mostly wait, and those that keep to the processor.
WAITING = (
    "tests/test_interference.py",
    "tests/lab/test_demo.py",
    "tests/test_also.py",
    "tests/lab/test_slice.py",
    "tests/lab/test_differential.py",
    "tests/country/test_country.py",
    "tests/lab/test_boxes.py",
    "tests/lab/test_sweeps.py",
    "tests/lab/test_net.py",
    "tests/lab/test_world.py",
    "tests/probe/test_cli.py",
    "tests/opinion/test_opinion.py",
    "tests/test_readme.py",
    "tests/test_packaging.py",
)
COMPUTING = (
    "tests/collector/judging/test_projector.py",
    "tests/collector/log/test_crash.py",
    "tests/test_parsers_are_linear.py",
    "tests/collector/influx/test_projection.py",
    "tests/collector/replay/test_morocco.py",
    "tests/collector/front/test_batches.py",
    "tests/collector/warehouse/test_privacy_floor.py",
    "tests/probe/test_daemon.py",
    "tests/collector/influx/test_forwarder.py",
    "tests/probe/submit/test_target_updates.py",
    "tests/collector/log/test_moving.py",
    "tests/grafana/test_morocco.py",
    "tests/collector/influx/test_end_to_end.py",
)
# By turns, so that there is always something to compute while others wait.
_PLACES = {ROOT / name: place for names in (WAITING, COMPUTING) for place, name in enumerate(names)}


def place(path: Path) -> int:
    """Files beside the longest keep their order, after them."""
    return _PLACES.get(path, len(_PLACES))
