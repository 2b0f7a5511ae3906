"""What an entry makes of one run: what stands on the path and where, and which controls the run is compared with.

Parameters are drawn by the entry's name and the seed alone, so that a seed means the same interference on every
access. The world is drawn with few of the seeds, so that its controls can be measured once for many runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.lab.model import Entry, Run, Stage
from tests.lab.plan import CONTROLS
from tests.lab.settings import Settings, parse

Stages = tuple[Stage, ...]
CONTROL_ACCESS = "adsl"
WORLD_SEEDS = 3  # states that the world is drawn in
ALIVE, AWAY = "alive", "away"
AS_THE_LINE = "as the line"
MOODS = {  # Settings.controls → how each control fares
    "live": (ALIVE, ALIVE),
    "dead": (AWAY, AWAY),
    "one": (ALIVE,),
    "disagree": (ALIVE, AS_THE_LINE),
    "none": (),
}
NO_LINK = (Stage("link.loss", {"fraction": 1.0, "direction": "both"}),)


@dataclass(frozen=True, slots=True)
class Situation:
    """Stages by where they stand."""

    home: Stages
    censor: Stages
    world: Stages
    settings: Settings


def situation(entry: Entry, run: Run) -> Situation:
    """Of a run on a line of the country, or elsewhere."""
    settings = parse(entry.settings)
    seed = run.seed % WORLD_SEEDS if entry.at == "world" and not settings.spares_controls else run.seed
    drawn = tuple(entry.draw(Random(f"{entry.name}:{seed}")))
    return Situation(
        home=drawn if entry.at in ("home", "link") else (),
        censor=drawn if entry.at == "operator" else (),
        world=drawn if entry.at == "world" else (),
        settings=settings,
    )


def of_control(of_run: Situation, operator: str) -> Situation:
    """A control meets what the world does to everybody, and what becomes of controls under this entry."""
    mood = MOODS[of_run.settings.controls][CONTROLS.index(operator)]
    if mood is AS_THE_LINE:
        return Situation(of_run.home, of_run.censor, of_run.world, Settings())
    world = () if of_run.settings.spares_controls else of_run.world
    return Situation(NO_LINK if mood is AWAY else (), (), world, Settings())


def controls_of(of_run: Situation, run: Run) -> list[Run]:
    """The cycles of its controls."""
    moods = MOODS[of_run.settings.controls]
    return [Run(run.entry, operator, CONTROL_ACCESS, run.seed) for operator, _ in zip(CONTROLS, moods, strict=False)]


def world_key(of_run: Situation, run: Run) -> str:
    """The same for all runs whose controls see the same."""
    seen = [of_control(of_run, control.operator) for control in controls_of(of_run, run)]
    return json.dumps([[_data(each.home), _data(each.censor), _data(each.world)] for each in seen], default=str)


def _data(stages: Sequence[Stage]) -> list[list[object]]:
    return [[stage.filter, dict(sorted(stage.parameters.items()))] for stage in stages]
