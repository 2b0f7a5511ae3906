"""Cells: the latest verdict of each line of one network and access, in a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from probe.model import CELLULAR, Access, Cell, Link, Network, State, Verdict

LINES_FLOOR = 3
MIXED_FLOOR = 2
INTERFERED = frozenset({State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED})


def access_of(link: Link) -> Access:
    """A detected cellular type; else what was declared, unless the device shows otherwise; else what it shows."""
    if link.detected in CELLULAR:
        return link.detected
    if link.declared is Access.UNKNOWN or _contradicts(link.declared, link.detected):
        return link.detected
    return link.declared


def cell(
    target: str, network: Network, access: Access, since_ms: int, until_ms: int, latest: Sequence[Verdict]
) -> Cell:
    """`latest` has one verdict per line. Lines about which nothing can be concluded are shown and not counted."""
    counted = [verdict for verdict in latest if verdict.state is not State.INSUFFICIENT]
    states = Counter(verdict.state for verdict in latest)
    state = _state(Counter(verdict.state for verdict in counted), len(counted))
    mechanisms = Counter(verdict.mechanism for verdict in counted if verdict.state is state and verdict.mechanism)
    return Cell(
        target=target,
        network=network,
        access=access,
        since_ms=since_ms,
        until_ms=until_ms,
        state=state,
        mechanism=min(mechanisms, key=lambda name: (-mechanisms[name], name)) if mechanisms else None,
        lines=len(latest),
        counted=len(counted),
        states={str(state): states[state] for state in sorted(states)},
    )


def _state(states: Mapping[State, int], counted: int) -> State:
    if counted >= LINES_FLOOR:
        agreed = next((state for state, lines in states.items() if lines * 3 >= counted * 2), None)
        if agreed is not None:
            return agreed
        if (states[State.BLOCKED] + states[State.LIKELY_BLOCKED]) * 3 >= counted * 2:
            return State.LIKELY_BLOCKED  # at least that is said by two thirds
    interfered = sum(lines for state, lines in states.items() if state in INTERFERED)
    if interfered >= MIXED_FLOOR and states[State.OK] >= MIXED_FLOOR:
        return State.MIXED
    return State.INSUFFICIENT


def _contradicts(declared: Access, detected: Access) -> bool:
    """A device on WiFi may hang on any fixed line, but not itself be on 4G or on a cable to the modem."""
    if detected is Access.WIFI:
        return declared in CELLULAR or declared is Access.ETHERNET
    if detected is Access.ETHERNET:
        return declared in CELLULAR or declared is Access.WIFI
    return False
