"""How a state looks: its sign, height and name in the style sheet, so that it is read without colour, and its words.

A relay that answers is no call that gets through, and no absence of evidence either: it has a look of its own, so that
the end of a ban shows.
"""

from __future__ import annotations

from msgspec import Struct

from probe.explain import RELAY_ONLY, STATE_WORDS
from probe.model import Depth, State


class Look(Struct, frozen=True):
    """`name` is that of its class in the style sheet."""

    name: str
    sign: str
    height: int  # of its bar, of 22
    words: str


LOOKS = {
    state: Look(state.value, sign, height, STATE_WORDS[state])
    for state, sign, height in (
        (State.OK, "○", 12),
        (State.DEGRADED, "◐", 16),
        (State.BLOCKED, "✕", 22),
        (State.LIKELY_BLOCKED, "✕?", 20),
        (State.IMPAIRED, "!", 16),
        (State.DOWN, "↓", 16),
        (State.INSUFFICIENT, "?", 14),
        (State.MIXED, "≠", 18),
        (State.UNKNOWN, "~", 14),
    )
}
RELAY_REACHED = Look("relay", "◔", 12, RELAY_ONLY)


def look_of(state: State, depth: Depth | None = None) -> Look:
    is_relay = state is State.INSUFFICIENT and depth is Depth.RELAY_ANSWERS
    return RELAY_REACHED if is_relay else LOOKS[state]
