"""How paths make a target: addresses make an endpoint, families apart; endpoints make the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from probe.attempts import primary_of
from probe.grades import best
from probe.model import AttemptVerdict, Combine, State, Target, Transport

WEAKEST_FIRST = (State.INSUFFICIENT, State.IMPAIRED, State.LIKELY_BLOCKED, State.BLOCKED)
ACCUSING = frozenset({State.BLOCKED, State.LIKELY_BLOCKED})
# What says something about the link, or about how little we know of an endpoint, and nothing about the service.
UNCOUNTED = frozenset({"not_attempted", "fact_only", "family_unusable", "uncalibrated"})
NOTHING = AttemptVerdict(
    host="", port=None, transport=Transport.UNKNOWN, family=None, state=State.INSUFFICIENT, rule="nothing_tried"
)


def combine(paths: Sequence[AttemptVerdict], target: Target) -> AttemptVerdict:
    """The target's state, with the rule, mechanism, step and grade of the path that stands for it."""
    counted = [path for path in paths if path.rule not in UNCOUNTED] or list(paths)
    endpoints = [_of_endpoint(group) for group in _groups(counted)]
    if not endpoints:
        return NOTHING
    whole = _all_of(endpoints) if target.combine is Combine.ALL_OF else _any_of(endpoints)
    return replace(whole, grade=best(path.grade for path in paths))


def _groups(paths: Iterable[AttemptVerdict]) -> list[list[AttemptVerdict]]:
    """The paths of one endpoint and one family; a name that does not resolve is a group of its own."""
    groups: dict[tuple[str, int | None, Transport, str, int | None], list[AttemptVerdict]] = {}
    for path in paths:
        groups.setdefault((path.host, path.port, path.transport, path.handshake, path.family), []).append(path)
    return list(groups.values())


def _of_endpoint(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """ok if any address is; else as endpoints combine."""
    return next((path for path in paths if path.state is State.OK), None) or _weakest(paths)


def _any_of(endpoints: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """Any path complete: not blocked. Where others show an artefact, or only UDP is dead, it is degraded.

    Followers can take from that, and give nothing: they count only where nothing else does.
    """
    leaders = primary_of(endpoints)
    complete = [path for path in leaders if path.state is State.OK]
    if not complete:
        return _weakest(leaders)
    over_udp = primary_of(path for path in endpoints if path.transport is Transport.UDP and path.port is not None)
    if _is_forced_fallback(over_udp, complete):
        return _degraded(over_udp[0], complete[0], "forced_fallback")
    blocked = [path for path in endpoints if path.state is State.BLOCKED]
    return _degraded(blocked[0], complete[0], "partial") if blocked else complete[0]


def _all_of(endpoints: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """Each one is needed: the strongest that can be said of one that fails is said of the whole."""
    failed = [path for path in endpoints if path.state is not State.OK]
    if not failed:
        return endpoints[0]
    states = {path.state for path in failed}
    strongest = next((state for state in reversed(WEAKEST_FIRST) if state in states), State.DOWN)
    return _representative([path for path in failed if path.state is strongest])


def _weakest(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """All down: down. Else, leaving out what is down, the least that can be said."""
    standing = [path for path in paths if path.state is not State.DOWN]
    if not standing:
        return paths[0]
    state = next(state for state in WEAKEST_FIRST if any(path.state is state for path in standing))
    return _representative([path for path in standing if path.state is state])


def _representative(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """One of those that name the most frequent mechanism; of equally frequent ones the first by name."""
    counts = Counter(path.mechanism or "" for path in paths)
    mechanism = min(counts, key=lambda name: (-counts[name], name))
    return next(path for path in paths if (path.mechanism or "") == mechanism)


def _is_forced_fallback(over_udp: Sequence[AttemptVerdict], complete: Sequence[AttemptVerdict]) -> bool:
    return (
        bool(over_udp)
        and all(path.state in ACCUSING for path in over_udp)
        and all(path.transport is not Transport.UDP for path in complete)
    )


def _degraded(interfered: AttemptVerdict, complete: AttemptVerdict, mechanism: str) -> AttemptVerdict:
    return replace(complete, state=State.DEGRADED, rule=mechanism, mechanism=mechanism, step=interfered.step)
