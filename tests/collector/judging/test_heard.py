"""Gaps follow from the log: whatever the order of arrival, after any restart, and with a new index."""

from __future__ import annotations

import asyncio
import random
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.facts.gaps import MOST_MISSING, Missing
from collector.judging.heard import MOST_LOST
from collector.judging.index import SqliteIndex
from collector.log.sqlite import SqliteLog
from tests.collector.batches import Volunteer, enveloped


def body(volunteer: Volunteer, sequence: int | None, **lost: int) -> bytes:
    header: dict[str, Any] = {} if sequence is None else {"sequence": sequence}
    return volunteer.seal_2([volunteer.measure()], **header, **lost)


def kept(directory: Path, bodies: list[bytes]) -> None:
    """Appends to the log of a directory."""
    with closing(SqliteLog(directory / "log")) as log:
        asyncio.run(_append(log, bodies))


async def _append(log: SqliteLog, bodies: list[bytes]) -> None:
    for one in bodies:
        await log.append(*enveloped(one))


def missing(directory: Path) -> Missing:
    """By the index in the directory, which goes on from where it was."""
    with (
        closing(SqliteLog(directory / "log")) as log,
        closing(SqliteIndex(directory / "index.sqlite", log)) as index,
    ):
        while index.extend(3):
            pass
        return index.missing()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 30), min_size=1), st.randoms(use_true_random=False))
def test_what_lies_between_the_first_and_the_last_and_did_not_come(
    tmp_path_factory: Any, came: list[int], chance: random.Random
) -> None:
    directory, volunteer = tmp_path_factory.mktemp("gaps"), Volunteer()
    chance.shuffle(came)
    half = len(came) // 2
    for some in (came[:half], came[half:]):  # and a restart in between
        kept(directory, [body(volunteer, number) for number in some])
        found = missing(directory)
    assert found.batches == max(came) - min(came) + 1 - len(set(came))
    (directory / "index.sqlite").unlink()
    assert missing(directory) == found


def test_keys_are_told_apart_and_old_formats_passed_over(tmp_path: Path) -> None:
    one, other, third = Volunteer(1), Volunteer(2), Volunteer(3)
    kept(tmp_path, [body(one, 1), body(other, 5), body(one, 3), body(third, None), third.seal([third.measure()])])
    assert missing(tmp_path) == Missing(1, 0, 0)


def test_what_probes_dropped_is_added_up_once_a_key(tmp_path: Path) -> None:
    one, other = Volunteer(1), Volunteer(2)
    first, later = body(one, 1, lost_batches=2), body(one, 2, lost_batches=3, lost_measurements=1)
    kept(tmp_path, [later, first, body(other, 1, lost_batches=1)])
    assert missing(tmp_path) == Missing(0, 4, 1)


def test_no_stranger_makes_a_sum_without_end(tmp_path: Path) -> None:
    most = 2**53 - 1
    volunteers = [Volunteer(number) for number in range(1, 4)]
    kept(tmp_path, [body(each, number, lost_batches=most) for each in volunteers for number in (1, most)])
    assert missing(tmp_path) == Missing(3 * MOST_MISSING, 3 * MOST_LOST, 0)
