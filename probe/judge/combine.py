"""How paths make a target: addresses make an endpoint, families apart; endpoints make the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from probe.attempts import primary_of
from probe.grades import best
from probe.model import AttemptVerdict, Combine, Plane, State, Step, Target, Transport

WEAKEST_FIRST = (State.INSUFFICIENT, State.IMPAIRED, State.LIKELY_BLOCKED, State.BLOCKED)
ACCUSING = frozenset({State.BLOCKED, State.LIKELY_BLOCKED})
WORKS = frozenset({State.OK, State.DEGRADED})
# What says something about the link, or about how little we know of an endpoint, and nothing about the service.
UNCOUNTED = frozenset({"not_attempted", "fact_only", "family_unusable", "family_without_control", "uncalibrated"})
NOTHING = AttemptVerdict(
    host="", port=None, transport=Transport.UNKNOWN, family=None, state=State.INSUFFICIENT, rule="nothing_tried"
)


def combine(paths: Sequence[AttemptVerdict], target: Target) -> AttemptVerdict:
    """The target's state, with the rule, mechanism, step and grade of the path that stands for it."""
    counted = [path for path in paths if path.rule not in UNCOUNTED] or list(paths)
    endpoints = [_of_endpoint(group) for group in _groups(counted)]
    if not endpoints:
        return NOTHING
    whole = _all_of(endpoints) if target.combine is Combine.ALL_OF else _any_of(endpoints, target.plane)
    return replace(whole, grade=best(path.grade for path in paths))


def _groups(paths: Iterable[AttemptVerdict]) -> list[list[AttemptVerdict]]:
    """The paths of one endpoint and one family; a name, in both families and by all resolvers, is one of its own."""

    def place(path: AttemptVerdict) -> object:
        return path.host, path.port, path.transport, path.handshake, None if _is_name(path) else path.family

    return _grouped(paths, place)


def _is_name(path: AttemptVerdict) -> bool:
    return path.port is None and path.step is Step.DNS


def _is_artefact(path: AttemptVerdict) -> bool:
    """What it leaves is told also where something else works."""
    return path.state is State.BLOCKED or (_is_name(path) and path.state is State.DEGRADED)


def _grouped(paths: Iterable[AttemptVerdict], place: Callable[[AttemptVerdict], object]) -> list[list[AttemptVerdict]]:
    groups: dict[object, list[AttemptVerdict]] = {}
    for path in paths:
        groups.setdefault(place(path), []).append(path)
    return list(groups.values())


def _of_endpoint(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """ok if any address is, unless another is interfered with, as every rule that accuses says after two looks.

    What one resolver says of a name excuses no other, and trouble in one family hides no lie in the other.
    """
    if all(map(_is_name, paths)):
        return _strongest(paths)
    complete = next((path for path in paths if path.state is State.OK), None)
    if complete is None:
        return _weakest(paths)
    interfered = next((path for path in paths if path.state in ACCUSING), None)
    return _degraded(interfered, complete, "partial") if interfered else complete


def _any_of(endpoints: Sequence[AttemptVerdict], plane: Plane) -> AttemptVerdict:
    """Any path complete: not blocked. Where others show an artefact, or only UDP is dead, it is degraded.

    Followers can take from that, and give nothing: they count only where nothing else does.
    """
    leaders = primary_of(endpoints)
    complete = [path for path in leaders if path.state in WORKS and not _is_name(path)]
    if not complete:
        return _weakest(leaders)
    over_udp = primary_of(path for path in endpoints if path.transport is Transport.UDP and path.port is not None)
    if _is_left_to_a_fallback(over_udp, complete):
        return _fallback(over_udp, complete[0], plane)
    blocked = [path for path in endpoints if _is_artefact(path)]
    if blocked:
        return _degraded(blocked[0], complete[0], "partial")
    return next((path for path in complete if path.state is State.DEGRADED), complete[0])


def _all_of(endpoints: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """Each one is needed, in one family: the strongest that can be said of one that fails is said of the whole."""
    needed = [_of_families(group) for group in _needed(endpoints)]
    failed = [path for path in needed if path.state not in WORKS]
    if not failed:
        return next((path for path in needed if path.state is State.DEGRADED), needed[0])
    return _strongest(failed)


def _needed(endpoints: Sequence[AttemptVerdict]) -> list[list[AttemptVerdict]]:
    """Both families of one endpoint, with what became of its name where that did not resolve."""
    dialled = _grouped(
        (path for path in endpoints if path.port is not None),
        lambda path: (path.host, path.port, path.transport, path.handshake),
    )
    names = _grouped((path for path in endpoints if path.port is None), lambda path: path.host)
    hosts = {group[0].host for group in dialled}
    beside = [
        [*group, *(name for each in names if each[0].host == group[0].host for name in each)] for group in dialled
    ]
    return beside + [each for each in names if each[0].host not in hosts]


def _of_families(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """An app connects over the family that works; an artefact in the other one is not hidden by that."""
    complete = next((path for path in paths if path.state in WORKS), None)
    if complete is None:
        return _weakest(paths)
    blocked = next((path for path in paths if _is_artefact(path)), None)
    return _degraded(blocked, complete, "partial") if blocked else complete


def _strongest(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    states = {path.state for path in paths}
    strongest = next((state for state in reversed(WEAKEST_FIRST) if state in states), paths[0].state)
    return _representative([path for path in paths if path.state is strongest])


def _weakest(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """All down: down. Else, leaving out what is down, the least that can be said."""
    standing = [path for path in paths if path.state is not State.DOWN]
    if not standing:
        return paths[0]
    states = {path.state for path in standing}
    state = next((state for state in WEAKEST_FIRST if state in states), standing[0].state)
    return _representative([path for path in standing if path.state is state])


def _representative(paths: Sequence[AttemptVerdict]) -> AttemptVerdict:
    """One of those that name the most frequent mechanism; of equally frequent ones the first by name."""
    counts = Counter(path.mechanism or "" for path in paths)
    mechanism = min(counts, key=lambda name: (-counts[name], name))
    return next(path for path in paths if (path.mechanism or "") == mechanism)


def _is_left_to_a_fallback(over_udp: Sequence[AttemptVerdict], complete: Sequence[AttemptVerdict]) -> bool:
    """Whatever goes over UDP fails, and what works goes over something else."""
    udp_works = any(path.state in WORKS for path in over_udp)
    return bool(over_udp) and not udp_works and all(path.transport is not Transport.UDP for path in complete)


def _fallback(over_udp: Sequence[AttemptVerdict], complete: AttemptVerdict, plane: Plane) -> AttemptVerdict:
    """Media go over UDP: where that fails for whatever reason, a relay that answers over TCP makes no clean line."""
    weakest = _weakest(over_udp)
    if weakest.state in ACCUSING:
        return _degraded(weakest, complete, "forced_fallback")
    return weakest if plane is Plane.MEDIA and weakest.state is not State.DOWN else complete


def _degraded(interfered: AttemptVerdict, complete: AttemptVerdict, mechanism: str) -> AttemptVerdict:
    return replace(complete, state=State.DEGRADED, rule=mechanism, mechanism=mechanism, step=interfered.step)
