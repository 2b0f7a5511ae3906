"""An episode: who measures in a simulated country, and what is done to them when. Read strictly from YAML.

    title  country  since  until      what it is, and the interval that it spans
    stands                            until when it is told unless more is asked for: a moment worth to be looked at
    operators, controls               name → name, asn, prefix (and country, of a control)
    accesses, lines                   so many lines of each operator and access
    venues                            name → operator, access, lines: more lines, which a phase can exempt
    targets                           what is measured, as in the targets file
    noise                             lost, absent, offline: in a hundred
    phases                            name → words, since, until, operators, accesses, targets, technique, coverage,
                                      exempt, everywhere, source

Times are UTC, `YYYY-MM-DDTHH:MM` in quotes. Of two phases that hit a target on a line at once, the first counts.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from msgspec import Struct

from collector.facts.networks import Prefix
from collector.moments import moment_ms
from collector.replay.techniques import TECHNIQUES
from probe.codecs.text import utf8
from probe.failure import UserError
from probe.model import Access, Network
from probe.strict_yaml import Section, compose

MAX_BYTES = 256_000
MOST_LINES = 100  # of one operator and access
ACCESSES = tuple(access.value for access in Access if access is not Access.UNKNOWN)

KEYS = (
    *(
        "title",
        "country",
        "since",
        "until",
        "stands",
        "operators",
        "controls",
        "accesses",
        "lines",
        "venues",
        "targets",
    ),
    *("noise", "phases"),
)
NETWORK_KEYS = ("name", "asn", "prefix", "country")
VENUE_KEYS = ("operator", "access", "lines")
PHASE_KEYS = (
    "words",
    "since",
    "until",
    "operators",
    "accesses",
    "targets",
    "technique",
    "coverage",
    "exempt",
    "everywhere",
    "source",
)
NOISE_KEYS = ("lost", "absent", "offline")


class Place(Struct, frozen=True, kw_only=True):
    """A network of the simulation, and the prefix that its lines' addresses are taken from."""

    name: str  # in the episode
    network: Network
    prefix: Prefix


class Line(Struct, frozen=True, kw_only=True):
    """A simulated subscriber's line; a control has no access and belongs to no venue."""

    name: str
    place: Place
    address: str
    number: int = 0  # among those of its operator and access, or venue; from 1
    access: Access = Access.UNKNOWN
    venue: str | None = None
    control: bool = False


class Noise(Struct, frozen=True, kw_only=True):
    """Noise: how many in a hundred."""

    lost: int = 0  # measurements of a target whose first round stays unanswered by chance
    absent: int = 0  # cycles that a line leaves out
    offline: int = 0  # cycles in which a line has no internet


class Phase(Struct, frozen=True, kw_only=True):
    """A phase: what is done to which lines, in since ≤ t < until (ms)."""

    name: str
    since_ms: int
    until_ms: int
    operators: frozenset[str]
    accesses: frozenset[Access]
    targets: frozenset[str]
    technique: str
    coverage: int = 100  # of a hundred of these lines; always the same ones
    exempt: frozenset[str] = frozenset()  # venues
    everywhere: bool = False  # controls too: then it is the service that is down
    words: str = ""  # for readers: what happens
    source: str = ""  # who told of it, or that nobody did

    def hits(self, line: Line, target: str, moment_ms: int) -> bool:
        return (
            self.since_ms <= moment_ms < self.until_ms
            and target in self.targets
            and (self.everywhere if line.control else self._is_of(line))
        )

    def _is_of(self, line: Line) -> bool:
        of_theirs = line.place.name in self.operators and line.access in self.accesses
        return of_theirs and line.venue not in self.exempt and self._covers(line)

    def _covers(self, line: Line) -> bool:
        """Whether a line is covered: of any n lines numbered in a row, n × coverage ÷ 100 are, give or take one."""
        return line.number * self.coverage // 100 > (line.number - 1) * self.coverage // 100


class Episode(Struct, frozen=True, kw_only=True):
    name: str
    title: str
    country: str | None  # None where each network has its own
    since_ms: int
    until_ms: int
    stands_ms: int
    controls: tuple[Line, ...]
    lines: tuple[Line, ...]
    targets: tuple[str, ...]
    noise: Noise
    phases: tuple[Phase, ...]

    def places(self) -> list[Place]:
        """The networks of the episode, each once."""
        return list(dict.fromkeys(line.place for line in (*self.controls, *self.lines)))

    def technique(self, line: Line, target: str, moment_ms: int) -> str | None:
        """The technique used on this target, line and moment; None: none."""
        return next((p.technique for p in self.phases if p.hits(line, target, moment_ms)), None)


# --- Reading --------------------------------------------------------------------------------------------------


def packaged() -> dict[str, Path]:
    """The episodes that this version ships, by name."""
    directory = Path(str(resources.files("collector.replay") / "episodes"))
    return {path.stem: path for path in sorted(directory.glob("*.yaml"))}


def load(name: str) -> Episode:
    """A shipped episode by its name, or the file at a path. Raises UserError."""
    path = packaged().get(name, Path(name))
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        known = ", ".join(packaged())
        raise UserError(f"Cannot read the episode {name}: {error.strerror}; give a file, or one of {known}.") from error
    if len(body) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES} bytes; an episode is a few kilobytes of YAML.")
    return parse(utf8(body), path.stem, str(path))


def parse(body: bytes, name: str, file: str) -> Episode:
    """The episode in `body`; `file` is what sentences call it. Raises UserError and nothing else."""
    root = Section(file, "the episode", compose(body, file), KEYS)
    operators = {place.name: place for place in _places(root, "operators", root.text("country"))}
    accesses = [Access(word) for word in _words(root, "accesses", ACCESSES)]
    lines = tuple(_lines(root, operators, accesses))
    since_ms, until_ms = _interval(root)
    targets = tuple(root.texts("targets"))
    return Episode(
        name=name,
        title=root.text("title"),
        country=root.text("country"),
        since_ms=since_ms,
        until_ms=until_ms,
        stands_ms=_stands(root, since_ms, until_ms),
        controls=tuple(_controls(root)),
        lines=lines,
        targets=targets,
        noise=_noise(root),
        phases=tuple(_phases(root, tuple(operators), targets)),
    )


def _places(root: Section, key: str, country: str | None) -> Iterator[Place]:
    for name, block in root.sections(key, f"one of `{key}`", NETWORK_KEYS):
        network = Network(
            country=block.text("country") if country is None else country,
            asn=block.integer("asn", 1, 999_999_999),
            operator=block.text("name"),
        )
        yield Place(name=name, network=network, prefix=_prefix(block))


def _prefix(block: Section) -> Prefix:
    try:
        prefix = ipaddress.ip_network(block.text("prefix"))
    except ValueError as error:
        raise block.refused("prefix", f"`prefix` must be one such as 198.18.0.0/17: {error}.") from error
    if prefix.num_addresses < 2**10:
        raise block.refused("prefix", "`prefix` must have room for lines: /22 or shorter.")
    return prefix


def _controls(root: Section) -> Iterator[Line]:
    for place in _places(root, "controls", None):
        yield Line(name=place.name, place=place, address=str(place.prefix[10]), control=True)


def _lines(root: Section, operators: dict[str, Place], accesses: list[Access]) -> Iterator[Line]:
    count = root.integer("lines", 1, MOST_LINES)
    groups = [(place, access, None, count) for place in operators.values() for access in accesses]
    for name, block in root.sections("venues", "a venue", VENUE_KEYS):
        place = operators[block.word("operator", tuple(operators))]
        venue_lines = block.integer("lines", 1, MOST_LINES)
        groups.append((place, Access(block.word("access", ACCESSES)), name, venue_lines))  # type: ignore[arg-type]
    for place, access, venue, lines in groups:
        for number in range(1, lines + 1):
            word = f"{place.name}-{venue or access}-{number}"
            address = place.prefix[16 + int.from_bytes(hashlib.sha256(word.encode()).digest()[:2]) % 1000]
            yield Line(name=word, place=place, address=str(address), number=number, access=access, venue=venue)


def _noise(root: Section) -> Noise:
    if not root.has("noise"):
        return Noise()
    block = root.section("noise", "`noise`", NOISE_KEYS)
    return Noise(**{key: block.integer(key, 1, 100) for key in block.names()})


def _phases(root: Section, operators: tuple[str, ...], targets: tuple[str, ...]) -> Iterator[Phase]:
    venues = tuple(name for name, _ in root.sections("venues", "a venue", VENUE_KEYS))
    for name, block in root.sections("phases", "a phase", PHASE_KEYS):
        since_ms, until_ms = _interval(block)
        yield Phase(
            name=name,
            since_ms=since_ms,
            until_ms=until_ms,
            operators=frozenset(_words(block, "operators", operators)),
            accesses=frozenset(Access(word) for word in _words(block, "accesses", ACCESSES)),
            targets=frozenset(_words(block, "targets", targets)),
            technique=block.word("technique", tuple(TECHNIQUES)),
            coverage=block.integer("coverage", 1, 100) if block.has("coverage") else 100,
            exempt=frozenset(_words(block, "exempt", venues)) if block.has("exempt") else frozenset(),
            everywhere=block.flag("everywhere"),
            words=block.maybe("words") or name,
            source=block.maybe("source") or "",
        )


def _words(block: Section, key: str, words: tuple[str, ...]) -> list[str]:
    return [block.known(key, word, words) for word in block.texts(key)]


def _interval(block: Section) -> tuple[int, int]:
    since_ms, until_ms = _moment(block, "since"), _moment(block, "until")
    if since_ms >= until_ms:
        raise block.refused("until", "`until` must be later than `since`.")
    return since_ms, until_ms


def _stands(root: Section, since_ms: int, until_ms: int) -> int:
    if not root.has("stands"):
        return until_ms
    stands_ms = _moment(root, "stands")
    if not since_ms < stands_ms <= until_ms:
        raise root.refused("stands", "`stands` must be later than `since`, and not later than `until`.")
    return stands_ms


def _moment(block: Section, key: str) -> int:
    try:
        return moment_ms(block.text(key))
    except ValueError as error:
        raise block.refused(key, f"`{key}` must be a time such as 2016-01-05T16:00.") from error
