"""What an entry makes of a run and of its controls: same seeds, same interference; same world, same controls."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tests.lab.model import Entry, Run, Stage
from tests.lab.plan import CONTROLS
from tests.lab.settings import Settings
from tests.lab.situation import (
    NO_LINK,
    PAST,
    WORLD_SEEDS,
    controls_of,
    minutes_of,
    of_control,
    situation,
    world_key,
)


def draw(random: Random) -> Sequence[Stage]:
    return [Stage("link.delay", {"seconds": random.random()})]


def entry(at: str = "operator", **settings: Any) -> Entry:
    return Entry("late", "Delays.", "here", draw, at=at, settings=settings)


def run(seed: int = 1, access: str = "4g") -> Run:
    return Run("late", "iam", access, seed)


def key(one: Entry, of: Run) -> str:
    return world_key(situation(one, of), of)


def test_a_seed_means_the_same_on_every_access() -> None:
    assert situation(entry(), run(1, "3g")) == situation(entry(), run(1, "adsl"))
    assert situation(entry(), run(1)) != situation(entry(), run(2))


@pytest.mark.parametrize(
    ("at", "place"), [("operator", "censor"), ("home", "home"), ("link", "home"), ("world", "world")]
)
def test_stages_stand_where_the_entry_says(at: str, place: str) -> None:
    found = situation(entry(at), run())
    assert [name for name in ("home", "censor", "world") if getattr(found, name)] == [place]


def test_controls_meet_the_world_and_nothing_else() -> None:
    world = situation(entry("world"), run())
    assert of_control(world, "control1") == of_control(world, "control2")
    assert of_control(world, "control1").world == world.world
    assert of_control(situation(entry("operator"), run()), "control1").censor == ()
    assert of_control(situation(entry("world", spares_controls=True), run()), "control1").world == ()


def test_runs_share_controls_where_the_world_is_the_same() -> None:
    assert key(entry(), run(1)) == key(entry("home"), run(2))
    assert key(entry("world"), run(1)) == key(entry("world"), run(1 + WORLD_SEEDS, "3g"))
    assert key(entry("world"), run(1)) != key(entry("world"), run(2))
    assert key(entry(controls="dead"), run()) != key(entry(), run())


def test_how_controls_fare() -> None:
    away, alive, as_the_line = (
        of_control(situation(entry(controls=mood), run()), control)
        for mood, control in (("dead", "control1"), ("disagree", "control1"), ("disagree", "control2"))
    )
    assert away.home == NO_LINK
    assert (alive.home, alive.censor) == ((), ())
    assert as_the_line.censor == situation(entry(), run()).censor
    assert as_the_line.settings == Settings()


def test_how_many_controls_there_are() -> None:
    counts = {"live": 2, "dead": 2, "disagree": 2, "one": 1, "none": 0, "stale": 2}
    for mood, count in counts.items():
        of = situation(entry(controls=mood), run())
        assert [control.operator for control in controls_of(of, run())] == [*CONTROLS[:count]]


def test_controls_stand_on_both_sides_of_a_failure() -> None:
    of = situation(entry("world"), run())
    assert [minutes_of(of, control) for control in controls_of(of, run())] == [(-20, 20), (-20, 20)]


def test_the_world_was_another_when_controls_measured_before() -> None:
    of = situation(entry("world", controls="died"), run())
    now, past = controls_of(of, run())[:2], controls_of(of, run())[2:]
    assert [minutes_of(of, control) for control in (*now, *past)] == [(10,), (10,), (-40,), (-40,)]
    assert {control.entry for control in past} == {"late" + PAST}
    assert of_control(situation(entry("world", controls="died"), past[0]), "control1").world == ()
    assert of_control(situation(entry("world", controls="died"), now[0]), "control1").world == of.world
    assert key(entry("world", controls="died"), run()) != key(entry("world"), run())
