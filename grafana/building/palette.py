"""One palette for the states: colour, sign and words, so that each is read without its colour.

The colours are those of the collector's own page (Okabe and Ito's, which the colour-blind tell apart).
"""

from __future__ import annotations

from msgspec import Struct

from collector.front.page import look
from probe.model import Depth, State

COLOURS = {
    State.OK: "#0072b2",
    State.DEGRADED: "#e69f00",
    State.BLOCKED: "#8f2200",
    State.LIKELY_BLOCKED: "#c14f00",
    State.IMPAIRED: "#d895bb",
    State.DOWN: "#4d4d4d",
    State.INSUFFICIENT: "#d0d4d9",
    State.MIXED: "#f0e442",
}
RELAY_REACHED = Depth.RELAY_ANSWERS.value  # the look of a cell, as InfluxDB has it
RELAY = "#8cc8f0"  # nothing is concluded but that the relays of calls answer
NO_DATA = "no data"
SIMULATED = "#d895bb"
QUIET = "#57606a"
NOTICE = "#e69f00"
CALM = "#0072b2"

# Colours of things that are not states, in the order in which Grafana's own palette would be used.
KINDS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")


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
