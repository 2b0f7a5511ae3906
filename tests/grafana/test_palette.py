"""The states' colours: those of the collector's page, apart from each other for every eye, and never alone."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

import collector.front.page
from collector.influx.schema import RELAY_REACHED
from grafana.building.fields import share_steps
from grafana.building.palette import ACCESSES, COLOURS, KINDS, LOOKS, ON_DARK, ON_LIGHT, QUIET, RELAY, SIMULATED
from probe.explain import STATE_WORDS
from probe.model import Access, State

CSS = (Path(collector.front.page.__file__).parent / "templates" / "page.css").read_text()
Triple = tuple[float, float, float]

# How dichromats see linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.0.
EYES: dict[str, tuple[Triple, Triple, Triple]] = {
    "trichromat": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanope": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranope": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanope": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
WHITE, DARK = "#ffffff", "#181b1f"  # the panels of Grafana's two themes
APART = 12.0  # CIELAB; 2.3 is just noticeable side by side


def test_all_seven_states_and_mixed_have_a_look() -> None:
    assert set(LOOKS) == set(State) - {State.UNKNOWN} | {RELAY_REACHED}
    assert all(LOOKS[state].words == STATE_WORDS[state] for state in COLOURS)


def test_each_state_is_read_without_its_colour() -> None:
    assert len({look.sign for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.words for look in LOOKS.values()}) == len(LOOKS)


def test_the_colours_are_those_of_the_page() -> None:
    names = {State.LIKELY_BLOCKED: "likely"}
    for state, colour in {**COLOURS, "relay": RELAY}.items():
        found = re.search(rf"--{names.get(state, str(state))}: (#\w+);", CSS)
        assert found is not None
        assert found[1] == colour


@pytest.mark.parametrize("eye", EYES)
def test_states_are_told_apart_by_every_eye(eye: str) -> None:
    seen = {state: lab(through(EYES[eye], linear(colour))) for state, colour in {**COLOURS, "relay": RELAY}.items()}
    close = {
        (a, b): round(distance(seen[a], seen[b]))
        for a, b in combinations(seen, 2)
        if distance(seen[a], seen[b]) < APART
    }
    assert close == {}


@pytest.mark.parametrize("eye", EYES)
def test_what_is_no_state_has_colours_of_its_own(eye: str) -> None:
    states = [lab(through(EYES[eye], linear(look.colour))) for look in LOOKS.values()]
    kinds = [lab(through(EYES[eye], linear(colour))) for colour in KINDS]
    assert min(distance(a, b) for a, b in combinations(kinds, 2)) >= APART
    assert min(distance(kind, state) for kind in kinds for state in states) >= 9
    assert all(contrast(kind, ground) >= 3 for kind in KINDS for ground in (WHITE, DARK))
    assert len(ACCESSES) == len(set(ACCESSES)) == len(Access)


@pytest.mark.parametrize("colour", [*(look.colour for look in LOOKS.values()), SIMULATED, QUIET])
def test_a_text_on_a_colour_is_read(colour: str) -> None:
    """Grafana chooses it, by the contrast or by the brightness: 4.5 to 1 in either case, in both themes."""
    by_contrast = WHITE if contrast(colour, WHITE) >= 3 else "#000000"
    by_brightness = "#202226" if brightness(colour) > 180 else "#f7f8fa"
    assert contrast(colour, by_contrast) >= 4.5
    assert contrast(colour, by_brightness) >= 4.5


def test_the_figures_on_the_map_are_read() -> None:
    assert all(contrast(step.color, ON_DARK) >= 4.5 for step in share_steps().build().steps)
    assert contrast(COLOURS[State.INSUFFICIENT], ON_LIGHT) >= 4.5


def contrast(a: str, b: str) -> float:
    """As WCAG 2 counts it."""
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(a), linear(b)))
    return (high + 0.05) / (low + 0.05)


def brightness(colour: str) -> float:
    """As tinycolor counts it, 0 to 255."""
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return (299 * r + 587 * g + 114 * b) / 1000


def linear(colour: str) -> Triple:
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _straight(r), _straight(g), _straight(b)


def _straight(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def through(eye: tuple[Triple, Triple, Triple], rgb: Triple) -> Triple:
    x, y, z = (max(0.0, sum(factor * part for factor, part in zip(row, rgb, strict=True))) for row in eye)
    return x, y, z


def lab(rgb: Triple) -> Triple:
    """CIELAB of linear sRGB, white point D65."""
    r, g, b = rgb
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(a: Triple, b: Triple) -> float:
    return float(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5)
