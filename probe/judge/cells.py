"""Cells: the latest verdict of each line of one network and access, in a window.

A cell has two states. `state` is for the operator of the collector: all lines count, whoever they are, and the lines
that make it come from two sources at least. `public_state` is what strangers are told: established lines only, from
three source buckets at least, and it stands when any single one of them is left out. Two are enough where one
source has thousands of subscribers: on cellular networks, and behind a carrier's NAT that the operators' table marks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from probe.judge.conclusion import INTERFERED, Floors, concluded, seen, standing
from probe.model import CELLULAR, Access, Cell, Link, Network, State, Verdict

LINES_FLOOR = 3
MIXED_FLOOR = 2
SOURCES = 3  # of a public state
SHARED_SOURCES = 2  # where one source has thousands of subscribers
SHARED = "+"  # at the end of the name of such a source's bucket
SPEAKS_AGAINST = INTERFERED | {State.MIXED}  # of a cell: some of its lines at least are interfered with
OPERATORS = Floors(voices=LINES_FLOOR, sources=2, mixed=MIXED_FLOOR)


class Line(Struct, frozen=True, kw_only=True):
    """A line in a cell: its latest verdict there, whether its key was established, and from which source it came.

    `bucket` is the keyed hash of the source on the cell's own day, UTC; lines whose source is not known share one.
    None is of an old record: all such lines are one source of a public state, and each of them one of the operator's.
    """

    verdict: Verdict
    established: bool = False
    bucket: str | None = None


def access_of(link: Link) -> Access:
    """A detected cellular type; else what was declared, unless the device shows otherwise; else what it shows."""
    if link.detected in CELLULAR:
        return link.detected
    if link.declared is Access.UNKNOWN or _contradicts(link.declared, link.detected):
        return link.detected
    return link.declared


def sources_floor(lines: Iterable[tuple[Access, str | None]]) -> int:
    """How many source buckets established lines of these accesses and buckets must come from, to be made public: fewer
    where most of their sources have many subscribers. Most, for one that has not must hide nothing.
    """
    shared = {bucket: access in CELLULAR or (bucket or "").endswith(SHARED) for access, bucket in lines}
    return SHARED_SOURCES if 2 * sum(shared.values()) > len(shared) else SOURCES


def cell(target: str, network: Network, access: Access, since_ms: int, until_ms: int, latest: Sequence[Line]) -> Cell:
    """`latest` has each line once, in a window within one UTC day, for buckets are told apart within a day only.

    Lines about which nothing can be concluded are shown and not counted. Except that a relay which answered one of
    them, where it is dropped for others, is counter-evidence and is counted; and where nothing else is concluded, that
    the relays of two thirds of all lines answer is the cell's depth.
    """
    state = concluded(seen((line.bucket or i, line.verdict) for i, line in enumerate(latest)), OPERATORS)
    known = [line for line in latest if line.established]
    floor = sources_floor((access, line.bucket) for line in known)
    public = standing(seen((line.bucket, line.verdict) for line in known), _public_floors(floor))
    states = Counter(line.verdict.state for line in latest)
    return Cell(
        target=target,
        network=network,
        access=access,
        since_ms=since_ms,
        until_ms=until_ms,
        state=state.state,
        mechanism=state.mechanism,
        lines=len(latest),
        counted=state.counted,
        states={str(state): states[state] for state in sorted(states)},
        answered=state.answered,
        depth=state.depth,
        public_state=public.state,
        public_mechanism=public.mechanism,
        public_depth=public.depth,
        established=len(known),
        buckets=len({line.bucket for line in known}),
        sources_floor=floor,
    )


def _public_floors(sources: int) -> Floors:
    return Floors(voices=LINES_FLOOR, sources=sources, mixed=MIXED_FLOOR, mixed_sources=2)


def _contradicts(declared: Access, detected: Access) -> bool:
    """A device on WiFi may hang on any fixed line, but not itself be on 4G or on a cable to the modem."""
    if detected is Access.WIFI:
        return declared in CELLULAR or declared is Access.ETHERNET
    if detected is Access.ETHERNET:
        return declared in CELLULAR or declared is Access.WIFI
    return False
