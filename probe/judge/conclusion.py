"""What the lines of a cell conclude together, and whether that stands when any single source is left out.

Nobody may make, turn or silence a finding alone. A conclusion *stands* when, whichever source is left out, the rest
concludes the same, of however few lines. So what one source says can complete a finding or keep it from being made,
and never decides which one it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set

from msgspec import Struct
from msgspec.structs import replace

from probe.addresses import prefix_of
from probe.judge.voices import Votes, votes
from probe.model import AttemptVerdict, Depth, State, Transport, Verdict

INTERFERED = frozenset({State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED})
DROPPED = frozenset({State.BLOCKED, State.LIKELY_BLOCKED, State.IMPAIRED})  # of a path: it died, whoever did it
ANSWERING = frozenset({State.OK})
UNDECIDED = frozenset({State.INSUFFICIENT, State.IMPAIRED})
ANSWERED = None  # what a line says of which nothing is concluded but that a relay answers it
ALL_UDP = "udp.all.drop"
# Of equally many lines of one source, those are heard first that accuse less.
CAUTION = (State.OK, ANSWERED, State.DOWN, State.IMPAIRED, State.DEGRADED, State.LIKELY_BLOCKED, State.BLOCKED)

Said = State | None  # None: ANSWERED
Place = tuple[Transport, str]  # a prefix of the service, over one transport


class Floors(Struct, frozen=True, kw_only=True):
    """The floors of a conclusion: voices in all, and sources of those who agree; of `mixed`, of either side."""

    voices: int = 1
    sources: int = 1
    mixed: int = 1
    mixed_sources: int = 1


class Conclusion(Struct, frozen=True, kw_only=True):
    """What lines say together. `counted` are voices; of these, of `answered` nothing is known but that a relay does.

    `depth`: how deep two thirds of all voices get into a call, where nothing else can be concluded.
    """

    state: State
    mechanism: str | None = None
    counted: int = 0
    answered: int = 0
    depth: Depth | None = None


class Seen(Struct, frozen=True, kw_only=True):
    """A line as far as it counts. `udp_dead`: None where it tells nothing of UDP. `drops` are asked beside answers."""

    source: Hashable
    state: State
    mechanism: str | None
    answers: frozenset[Place]
    drops: frozenset[Place]
    udp_dead: bool | None
    reached: bool = False  # of a call nothing is concluded but that its relay answers


class _Heard(Struct, frozen=True):
    said: Counter[Said]
    udp: Counter[bool]


def seen(verdicts: Iterable[tuple[Hashable, Verdict]]) -> list[Seen]:
    """What lines' verdicts say, each with the source that it came from."""
    pairs = list(verdicts)
    answered = [_places(v, ANSWERING) if v.state is State.INSUFFICIENT else frozenset() for _, v in pairs]
    contradicting = any(answered)
    return [
        Seen(
            source=source,
            state=verdict.state,
            mechanism=verdict.mechanism,
            answers=answers,
            drops=_places(verdict, DROPPED) if contradicting else frozenset(),
            udp_dead=_udp_dead(verdict),
            reached=verdict.state is State.INSUFFICIENT and verdict.depth is not None,
        )
        for (source, verdict), answers in zip(pairs, answered, strict=True)
    ]


def heard_paths(verdict: Verdict) -> tuple[AttemptVerdict, ...]:
    """The paths of a verdict by which a cell may conclude something: whoever keeps only these concludes the same."""
    answers = ANSWERING if verdict.state is State.INSUFFICIENT else frozenset()
    return tuple(path for path in verdict.paths if path.state in answers or (path.state in DROPPED and path.address))


def concluded(lines: Sequence[Seen], floors: Floors) -> Conclusion:
    """The state on which two thirds of the voices agree, and its mechanism."""
    said, udp = _said(lines), _udp(lines)
    state = _agreed(said.heard, floors, said) or _mixed(said.heard, floors, said) or State.INSUFFICIENT
    mechanism = _mechanism(line for line in lines if line.state is state)
    if state in UNDECIDED and _is_all_udp_dropped(udp.heard, floors, udp):
        state, mechanism = State.LIKELY_BLOCKED, ALL_UDP
    heard = said.heard
    depth = _depth(lines, floors) if state is State.INSUFFICIENT else None
    return Conclusion(state=state, mechanism=mechanism, counted=heard.total(), answered=heard[ANSWERED], depth=depth)


def standing(lines: Sequence[Seen], floors: Floors) -> Conclusion:
    """The conclusion if it stands whichever source is left out; else that nothing can be concluded."""
    whole = concluded(lines, floors)
    if whole.state is State.INSUFFICIENT:
        return whole if _depth_stands(lines) else replace(whole, depth=None)
    if all(_confirms(rest, whole.state) for rest in without_each(lines)):
        return whole
    return Conclusion(state=State.INSUFFICIENT, counted=whole.counted, answered=whole.answered)


def without_each(lines: Sequence[Seen]) -> Iterator[State]:
    """What the rest concludes, of however few lines, when one source after the other is left out."""
    said, udp = _said(lines), _udp(lines)
    decisive = _decisive(lines)
    for source in dict.fromkeys(line.source for line in lines):
        if source in decisive:
            yield concluded([line for line in lines if line.source != source], Floors()).state
        else:
            yield _of_rest(_Heard(said.without(source), udp.without(source)))


def _of_rest(heard: _Heard) -> State:
    state = _agreed(heard.said, Floors()) or _mixed(heard.said, Floors()) or State.INSUFFICIENT
    all_udp = state in UNDECIDED and _is_all_udp_dropped(heard.udp, Floors())
    return State.LIKELY_BLOCKED if all_udp else state


def _decisive(lines: Sequence[Seen]) -> set[Hashable]:
    """The sources without which some line of another may say nothing: they drop what answers it."""
    at = {place for line in lines for place in line.answers}
    return {line.source for line in lines if not at.isdisjoint(line.drops)} if at else set()


def _confirms(rest: State, whole: State) -> bool:
    """The same, or more than that: to say less than the rest does accuses nobody."""
    return rest is whole or (rest is State.BLOCKED and whole is State.LIKELY_BLOCKED)


# --- What lines say


def _said(lines: Sequence[Seen]) -> Votes[Said]:
    """Of lines that conclude nothing, those say something whom a place answers that is dropped for another line."""
    droppers = _droppers(lines) if any(line.answers for line in lines) else {}
    said: list[tuple[Hashable, Said]] = []
    for line in lines:
        if line.state is not State.INSUFFICIENT:
            said.append((line.source, line.state))
        elif any(droppers.get(place, 0) > (place in line.drops) for place in line.answers):
            said.append((line.source, ANSWERED))
    return votes(said, lambda label: CAUTION.index(label) if label in CAUTION else len(CAUTION))


def _droppers(lines: Iterable[Seen]) -> dict[Place, int]:
    counts: dict[Place, int] = defaultdict(int)
    for line in lines:
        for place in line.drops:
            counts[place] += 1
    return counts


def _udp(lines: Iterable[Seen]) -> Votes[bool]:
    return votes(((line.source, line.udp_dead) for line in lines if line.udp_dead is not None), int)


def _udp_dead(verdict: Verdict) -> bool | None:
    tells = verdict.state is not State.INSUFFICIENT or _gets_through_over_udp(verdict)
    return verdict.rule == "udp_dead_beyond_home" if tells else None


def _gets_through_over_udp(verdict: Verdict) -> bool:
    return any(path.state in ANSWERING and path.transport is Transport.UDP for path in verdict.paths)


def _places(verdict: Verdict, states: Set[State]) -> frozenset[Place]:
    """The announced prefixes of the service that fared so, by transport: whoever drops one address drops its pool."""
    return frozenset(
        (path.transport, prefix_of(path.address))
        for path in verdict.paths
        if path.state in states and path.address is not None
    )


# --- What follows; without `votes`, one source is enough


def _agreed(heard: Counter[Said], floors: Floors, votes: Votes[Said] | None = None) -> State | None:
    """One state; else `likely_blocked`, if at least that is said by two thirds."""
    whole = heard.total()
    if whole < floors.voices:
        return None
    for said in heard:
        if said is not ANSWERED and _is_agreed({said}, heard, floors, votes):
            return said
    likely: set[Said] = {State.BLOCKED, State.LIKELY_BLOCKED}
    return State.LIKELY_BLOCKED if _is_agreed(likely, heard, floors, votes) else None


def _is_agreed(labels: Set[Said], heard: Counter[Said], floors: Floors, votes: Votes[Said] | None) -> bool:
    enough = sum(heard[said] for said in labels) * 3 >= heard.total() * 2
    return enough and (votes is None or votes.sources(labels) >= floors.sources)


def _mixed(heard: Counter[Said], floors: Floors, votes: Votes[Said] | None = None) -> State | None:
    sides: tuple[Set[Said], ...] = (INTERFERED, {State.OK, ANSWERED})
    enough = all(
        sum(heard[said] for said in side) >= floors.mixed
        and (votes is None or votes.sources(side) >= floors.mixed_sources)
        for side in sides
    )
    together = votes is None or votes.sources(sides[0] | sides[1]) >= floors.sources
    return State.MIXED if enough and together else None


def _is_all_udp_dropped(heard: Counter[bool], floors: Floors, votes: Votes[bool] | None = None) -> bool:
    """Of the voices that tell of UDP, for two thirds it dies beyond their homes; controls' networks pass.

    What one line cannot tell from its own household or workplace, several can: direct UDP calls of every service.
    """
    dead = heard[True]
    enough = dead >= floors.voices and dead * 3 >= heard.total() * 2
    return enough and (votes is None or votes.sources({True}) >= floors.sources)


def _depth(lines: Sequence[Seen], floors: Floors) -> Depth | None:
    """The least depth is the only one that lines can say alone; deeper ones are not concluded of a cell yet."""
    reached = _reached(lines)
    enough = reached.heard.total() >= floors.voices and reached.sources({True}) >= floors.sources
    return Depth.RELAY_ANSWERS if enough and _most_reach(reached.heard) else None


def _depth_stands(lines: Sequence[Seen]) -> bool:
    """Whether most of the rest reach it, whichever source is left out."""
    reached = _reached(lines)
    return all(_most_reach(reached.without(source)) for source in {line.source for line in lines})


def _reached(lines: Sequence[Seen]) -> Votes[bool]:
    return votes(((line.source, line.reached) for line in lines), int)


def _most_reach(heard: Counter[bool]) -> bool:
    return heard[True] > 0 and heard[True] * 3 >= heard.total() * 2


def _mechanism(agreeing: Iterable[Seen]) -> str | None:
    """The most frequent among the voices; of equally frequent ones the first by name."""
    heard = votes(((line.source, line.mechanism) for line in agreeing if line.mechanism), str).heard
    return min(heard, key=lambda name: (-heard[name], name)) if heard else None
