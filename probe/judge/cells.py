"""Cells: the latest verdict of each line of one network and access, in a window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from probe.addresses import prefix_of
from probe.model import CELLULAR, Access, Cell, Link, Network, State, Transport, Verdict

LINES_FLOOR = 3
MIXED_FLOOR = 2
INTERFERED = frozenset({State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED})
SPEAKS_AGAINST = INTERFERED | {State.MIXED}  # of a cell: some of its lines at least are interfered with
DROPPED = frozenset({State.BLOCKED, State.LIKELY_BLOCKED, State.IMPAIRED})  # of a path: it died, whoever did it
ANSWERING = frozenset({State.OK})
UNDECIDED = frozenset({State.INSUFFICIENT, State.IMPAIRED})


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
    """`latest` has one verdict per line. Lines about which nothing can be concluded are shown and not counted.

    Except that a relay which answered one of them, where it is dropped for others, is counter-evidence and is counted.
    """
    counted = [verdict for verdict in latest if verdict.state is not State.INSUFFICIENT]
    answered = sum(_contradicts_a_drop(verdict, latest) for verdict in latest)
    states = Counter(verdict.state for verdict in latest)
    state = _state(Counter(verdict.state for verdict in counted), len(counted), answered)
    mechanism = _mechanism(verdict for verdict in counted if verdict.state is state)
    if state in UNDECIDED and _all_udp_is_dropped(latest):
        state, mechanism = State.LIKELY_BLOCKED, "udp.all.drop"
    return Cell(
        target=target,
        network=network,
        access=access,
        since_ms=since_ms,
        until_ms=until_ms,
        state=state,
        mechanism=mechanism,
        lines=len(latest),
        counted=len(counted) + answered,
        states={str(state): states[state] for state in sorted(states)},
        answered=answered,
    )


def _state(states: Mapping[State, int], counted: int, answered: int) -> State:
    """`answered`: lines of which nothing is concluded but that the relay answers; alone they make no state."""
    whole = counted + answered
    if whole >= LINES_FLOOR:
        agreed = next((state for state, lines in states.items() if lines * 3 >= whole * 2), None)
        if agreed is not None:
            return agreed
        if (states[State.BLOCKED] + states[State.LIKELY_BLOCKED]) * 3 >= whole * 2:
            return State.LIKELY_BLOCKED  # at least that is said by two thirds
    interfered = sum(lines for state, lines in states.items() if state in INTERFERED)
    if interfered >= MIXED_FLOOR and states[State.OK] + answered >= MIXED_FLOOR:
        return State.MIXED
    return State.INSUFFICIENT


def _mechanism(agreeing: Iterable[Verdict]) -> str | None:
    """The most frequent; of equally frequent ones the first by name."""
    counts = Counter(verdict.mechanism for verdict in agreeing if verdict.mechanism)
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None


def _contradicts_a_drop(verdict: Verdict, latest: Sequence[Verdict]) -> bool:
    """Nothing is concluded of this line, and what answered it, at the same transport, is dropped for another one."""
    if verdict.state is not State.INSUFFICIENT:
        return False
    answers = _places(verdict, ANSWERING)
    return any(answers & _places(other, DROPPED) for other in latest if other is not verdict)


def _places(verdict: Verdict, states: Set[State]) -> set[tuple[Transport, str]]:
    """The announced prefixes of the service that fared so, by transport: whoever drops one address drops its pool."""
    return {
        (path.transport, prefix_of(path.address))
        for path in verdict.paths
        if path.state in states and path.address is not None
    }


def _all_udp_is_dropped(latest: Iterable[Verdict]) -> bool:
    """On enough lines, two thirds of those that tell of UDP, it dies beyond their homes; controls' networks pass.

    What one line cannot tell from its own household or workplace, several can: direct UDP calls of every service.
    """
    telling = [each for each in latest if each.state is not State.INSUFFICIENT or _gets_through_over_udp(each)]
    dead = sum(each.rule == "udp_dead_beyond_home" for each in telling)
    return dead >= LINES_FLOOR and dead * 3 >= len(telling) * 2


def _gets_through_over_udp(verdict: Verdict) -> bool:
    return any(path.state in ANSWERING and path.transport is Transport.UDP for path in verdict.paths)


def _contradicts(declared: Access, detected: Access) -> bool:
    """A device on WiFi may hang on any fixed line, but not itself be on 4G or on a cable to the modem."""
    if detected is Access.WIFI:
        return declared in CELLULAR or declared is Access.ETHERNET
    if detected is Access.ETHERNET:
        return declared in CELLULAR or declared is Access.WIFI
    return False
