"""What the lab is made of, as values: packets' fates, lines, techniques, impairments, cells. No behaviour.

A technique says what it does by naming *filters* (tests/lab/filters: raw packet in, fates out) with parameters, and
what must be said of each target that it touches: one state and one mechanism, written from what it does and from the
design, before anybody looks at what the program says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, Protocol

Parameters = Mapping[str, Any]


class Fate(NamedTuple):  # some are made for every packet of every line
    """A packet that leaves a filter: onward in its direction (`up` towards the internet), or back, after a delay."""

    packet: bytes
    up: bool
    delay: float = 0.0  # seconds


class Filter(Protocol):
    """Something on the path. Keeps its own state (flows, tables); time comes in as `now`, monotonic seconds."""

    def __call__(self, packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        """What becomes of one whole IP packet: [] when it is dropped, [Fate(packet, up)] when it passes."""
        ...


MakeFilter = Callable[[Parameters, Random], Filter]


@dataclass(frozen=True, slots=True)
class Stage:
    """One filter by name (a key of FILTERS), with parameters drawn for this run."""

    filter: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be said of one target. `mechanism` None: none may be named."""

    state: str
    mechanism: str | None = None
    not_yet: str = ""  # the handshake or call flow that this waits for; counted apart, never as right
    or_open: bool = False  # `insufficient` is as right: of a line so bad that a cycle may conclude nothing


Draw = Callable[[Random], Sequence[Stage]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A technique (interference) or an impairment (harmless). One entry each, in tests/lab/techniques|impairments.

    `at` says whose packets meet it: the `operator`'s, those between a `carrier`'s gateway and its first public router
    (on cellular accesses), those of the `home` (or workplace) before the first public hop, the `link` itself, or the
    `world`: the service's own side, which controls meet as well.
    """

    name: str
    does: str  # one sentence
    source: str  # where it was seen, or the RFC, or the reference's label
    draw: Draw  # parameters from a stated range
    ranges: Mapping[str, str] = field(default_factory=dict)  # parameter → its range, in words
    expected: Mapping[str, Expected] = field(default_factory=dict)  # target → what must be said; others are clean
    at: str = "operator"
    accesses: tuple[str, ...] = ("3g", "4g", "wifi", "adsl")
    settings: Parameters = field(default_factory=dict)  # of the line or the probe: see tests/lab/settings.py
    mild: bool = False  # an impairment under which everything must be `ok`
    self_test: bool = False  # keys on bytes of our own making: reported apart


@dataclass(frozen=True, slots=True)
class Access:
    """How a line carries packets. Times in seconds, rates in bytes a second."""

    name: str
    delay: float  # one way
    jitter: float  # uniform, added one way, order kept
    loss: float  # one way, 0..1
    up_rate: float
    down_rate: float
    cgnat: bool


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    asn: int
    country: str
    v4: str  # prefix of its public addresses
    v6: str
    resolver: str  # its resolver's public address


@dataclass(frozen=True, slots=True)
class Run:
    """One cycle of one line under one entry."""

    entry: str
    operator: str
    access: str
    seed: int


@dataclass(frozen=True, slots=True)
class Scored:
    """One target of one run against what was expected of it."""

    run: Run
    target: str
    expected: Expected
    state: str
    mechanism: str | None
    rule: str
    verdict: str  # right, shallow, wrong_state, wrong_mechanism, not_yet, false_accusation
