"""One palette for the states: colour, sign and words, so that each is read without its colour.

The colours are those of the collector's own page (Okabe and Ito's, which the colour-blind tell apart).
"""

from __future__ import annotations

from msgspec import Struct

from collector.front.page import look
from probe.model import Depth, State

COLOURS = {
    State.OK: "#0072b2",
    State.DEGRADED: "#f5b12e",
    State.BLOCKED: "#8f2200",
    State.LIKELY_BLOCKED: "#c14f00",
    State.IMPAIRED: "#a8327a",
    State.DOWN: "#4d4d4d",
    State.INSUFFICIENT: "#d0d4d9",
    State.MIXED: "#f6f3a0",
}
RELAY_REACHED = Depth.RELAY_ANSWERS.value  # the look of a cell, as InfluxDB has it
RELAY = "#8cc8f0"  # nothing is concluded but that the relays of calls answer
NO_DATA = "no data"
SIMULATED = "#a8327a"
QUIET = "#57606a"
OUTLINE = "#808080"  # of countries: seen on a light background and on a dark one
ON_LIGHT, ON_DARK = "#000000", "#ffffff"  # texts
NOTICE = "#e69f00"
CALM = "#0072b2"

# Colours of things that are no states, so that none reads as one; lines of them are seen in both themes. The second
# half of a longer list has the same again, dashed.
KINDS = ("#8888d8", "#b08860", "#b010d8", "#b06088", "#d810b0", "#d83838")
# Of accesses: the same colour in every picture, whatever others there are.
ACCESSES = ("3g", "4g", "5g", "wifi", "adsl", "fibre", "2g", "satellite", "unknown", "ethernet", "vdsl", "cable")


class Look(Struct, frozen=True):
    """How a state is shown: `sign` and `words` say it, `colour` repeats it."""

    sign: str
    words: str
    colour: str

    @property
    def text(self) -> str:
        return f"{self.sign} {self.words}"


# By the words of InfluxDB's field `look`.
LOOKS = {
    **{state.value: Look(look.LOOKS[state].sign, look.LOOKS[state].words, colour) for state, colour in COLOURS.items()},
    RELAY_REACHED: Look(look.RELAY_REACHED.sign, look.RELAY_REACHED.words, RELAY),
}
