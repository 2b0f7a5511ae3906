"""What an entry makes of one run: what stands on the path and where, and which controls the run is compared with.

Parameters are drawn by the entry's name and the seed alone, so that a seed means the same interference on every
access. The world is drawn with few of the seeds, so that its controls can be measured once for many runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.lab.model import Entry, Run, Stage
from tests.lab.moments import BEFORE_AND_AFTER
from tests.lab.plan import CONTROLS
from tests.lab.settings import Settings, parse

Stages = tuple[Stage, ...]
CONTROL_ACCESS = "adsl"
WORLD_SEEDS = 3  # states that the world is drawn in
ALIVE, AWAY = "alive", "away"
AS_THE_LINE = "as the line"
V4_ONLY = "without IPv6"
MOODS = {  # Settings.controls → how each control fares
    "live": (ALIVE, ALIVE),
    "dead": (AWAY, AWAY),
    "one": (ALIVE,),
    "disagree": (ALIVE, AS_THE_LINE),
    "none": (),
    "died": (ALIVE, ALIVE),
    "stale": (ALIVE, ALIVE),
    "without-ipv6": (V4_ONLY, V4_ONLY),
}
PAST = "@before"  # of an entry: how it was before the world became what the entry says
TIMES: Mapping[str, tuple[int, ...]] = {"died": (10,), "stale": ()}  # Settings.controls → of the world as it is
PAST_TIMES: Mapping[str, tuple[int, ...]] = {"died": (-40,), "stale": (-40,)}  # of the world before
NO_LINK = (Stage("link.loss", {"fraction": 1.0, "direction": "both"}),)


@dataclass(frozen=True, slots=True)
class Situation:
    """Stages by where they stand."""

    home: Stages
    censor: Stages
    world: Stages
    settings: Settings
    carrier: Stages = ()


PEACE = Situation((), (), (), Settings())  # nothing anywhere


def situation(entry: Entry, run: Run) -> Situation:
    """Of a run on a line of the country, or elsewhere."""
    settings = parse(entry.settings)
    if run.entry.endswith(PAST):
        return Situation((), (), (), settings)
    seed = run.seed % WORLD_SEEDS if entry.at == "world" and not settings.spares_controls else run.seed
    drawn = tuple(entry.draw(Random(f"{entry.name}:{seed}")))
    return Situation(
        home=drawn if entry.at in ("home", "link") else (),
        censor=drawn if entry.at == "operator" else (),
        world=drawn if entry.at == "world" else (),
        settings=settings,
        carrier=drawn if entry.at == "carrier" else (),
    )


def of_control(of_run: Situation, operator: str) -> Situation:
    """A control meets what the world does to everybody, and what becomes of controls under this entry."""
    mood = MOODS[of_run.settings.controls][CONTROLS.index(operator)]
    if mood is AS_THE_LINE:
        return Situation(of_run.home, of_run.censor, of_run.world, Settings())
    world = () if of_run.settings.spares_controls else of_run.world
    families = Settings(families=(4,)) if mood is V4_ONLY else Settings()
    return Situation(NO_LINK if mood is AWAY else (), (), world, families)


def controls_of(of_run: Situation, run: Run) -> list[Run]:
    """The cycles of its controls."""
    how = of_run.settings.controls
    entries = [run.entry] * bool(TIMES.get(how, BEFORE_AND_AFTER)) + [run.entry + PAST] * bool(PAST_TIMES.get(how))
    return [
        Run(entry, operator, CONTROL_ACCESS, run.seed)
        for entry in entries
        for operator, _ in zip(CONTROLS, MOODS[how], strict=False)
    ]


def minutes_of(of_run: Situation, control: Run) -> tuple[int, ...]:
    """When, from a line's failure on, a control saw what it sees in this cycle."""
    how = of_run.settings.controls
    return PAST_TIMES[how] if control.entry.endswith(PAST) else TIMES.get(how, BEFORE_AND_AFTER)


def world_key(of_run: Situation, run: Run) -> str:
    """The same for all runs whose controls see the same."""
    seen = [
        (
            minutes_of(of_run, control),
            of_control(of_run if not control.entry.endswith(PAST) else PEACE, control.operator),
        )
        for control in controls_of(of_run, run)
    ]
    stages = [
        [when, each.settings.families, _data(each.home), _data(each.censor), _data(each.world)] for when, each in seen
    ]
    return json.dumps(stages, default=str)


def _data(stages: Sequence[Stage]) -> list[list[object]]:
    return [[stage.filter, dict(sorted(stage.parameters.items()))] for stage in stages]
