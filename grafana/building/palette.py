"""One palette for the states: colour, sign and words, so that each is read without its colour.

The colours are those of the collector's own page (Okabe and Ito's, which the colour-blind tell apart).
"""

from __future__ import annotations

from msgspec import Struct

from collector.front.page import look
from probe.model import State

COLOURS = {
    State.OK: "#0072b2",
    State.DEGRADED: "#e69f00",
    State.BLOCKED: "#b03a00",
    State.LIKELY_BLOCKED: "#c14f00",
    State.IMPAIRED: "#cc79a7",
    State.DOWN: "#4d4d4d",
    State.INSUFFICIENT: "#d0d4d9",
    State.MIXED: "#f0e442",
}
NO_DATA = "no data"
SIMULATED = "#cc79a7"
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


LOOKS = {state: Look(look.LOOKS[state].sign, look.LOOKS[state].words, colour) for state, colour in COLOURS.items()}
