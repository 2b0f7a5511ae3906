"""Probes of a bench: what a volunteer's probe measures in a cycle, sealed with a key of its own.

Cycles are those of the replay's simulation, of all targets that a probe measures unasked, answered on most networks and
interfered with on some; each probe repeats one of its own network, with other uids and times. So a day of thousands is
made in a minute, and is as long and as varied as what volunteers send.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable, Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from msgspec.structs import replace

from collector.facts.collector_key import CollectorKey
from collector.replay.episode import Episode, Line, Noise, Phase, Place
from collector.replay.simulate import cycle
from probe import __version__
from probe import targets as targets_file
from probe.codecs.said_once import say
from probe.codecs.seal import LIMITS, encode, seal
from probe.codecs.ticket import MINUTE_MS, sign
from probe.model import Access, BatchHeader, Context, Measurement, Network, Target, Targets, Ticket

NETWORKS = 80
LIKE = 3  # lines of each network that are simulated; the others repeat them
COUNTRIES = 20
ACCESSES = (Access.G4, Access.ADSL, Access.WIFI, Access.G3, Access.FIBRE)
INTERFERED = 4  # of so many networks one interferes
BANNED = ("whatsapp/call", "viber/call", "telegram/call", "messenger/call")
SOFTWARE = f"ringback {__version__}"
LONGEST_MS = 2**53 - 1


class Cycle(Struct, frozen=True, kw_only=True):
    """What one line measured, before it is any probe's."""

    started_ms: int
    measurements: tuple[Measurement, ...]


class Population:
    """Everything follows from the seed. `control` cycles are made abroad, and nothing interferes with them."""

    def __init__(self, seed: int = 1, *, simulated: bool = False) -> None:
        self.targets: Targets = targets_file.packaged()
        self._chance, self._simulated = random.Random(seed), simulated
        episode = _episode([each for each in self.targets.targets if _is_asked(each)])
        self._cycles = [[self._cycle(episode, line) for line in lines] for lines in _by_place(episode.lines)]
        self._abroad = [self._cycle(episode, line) for line in episode.controls]
        self.networks = [lines[0].place.network for lines in _by_place(episode.lines)]

    def probe(self, number: int, *, control: bool = False) -> Probe:
        cycles = self._abroad if control else self._cycles[number % NETWORKS]
        network = Network(country="XC", asn=64_499) if control else self.networks[number % NETWORKS]
        return Probe(number, network, cycles[number // NETWORKS % len(cycles)], self.targets.digest)

    def _cycle(self, episode: Episode, line: Line) -> Cycle:
        made = cycle(episode, self.targets, line, episode.since_ms)
        assert made is not None
        seen = tuple(replace(each, simulated=self._simulated) for each in made.measurements)
        return Cycle(started_ms=seen[0].started_ms, measurements=seen[: LIMITS.measurements])


class Probe:
    """A volunteer's probe."""

    def __init__(self, number: int, network: Network, cycle: Cycle, targets: str) -> None:
        self.number = number
        self._private = Ed25519PrivateKey.from_private_bytes((number + 1).to_bytes(32))
        self.key = self._private.public_key().public_bytes_raw().hex()
        self.network, self._cycle, self._targets = network, cycle, targets
        self._chance = random.Random(number)

    def cycle(self, started_ms: int) -> list[Measurement]:
        """The measurements of a cycle that starts then."""
        name, later_ms = self._id(), started_ms - self._cycle.started_ms
        return [
            replace(each, uid=self._id(), cycle=name, started_ms=each.started_ms + later_ms)
            for each in self._cycle.measurements
        ]

    def batch(self, started_ms: int, collector: CollectorKey | None = None, size: int | None = None) -> bytes:
        """A cycle, sealed; with the ticket that this collector gave for it. With `size`, as many as that, of as many
        cycles as it takes, as after a time without a link: each has a context of its own."""
        cycles = [self.cycle(started_ms)]
        while size is not None and sum(map(len, cycles)) < size:
            cycles.append(self.cycle(started_ms + 30 * MINUTE_MS * len(cycles)))
        contexts = [self._context(each, collector) for each in cycles]
        lines = [say(seen, number) for number, each in enumerate(cycles) for seen in each]
        return self.seal(contexts, lines[:size], cycles[-1][-1].started_ms + MINUTE_MS)

    def seal(self, contexts: Sequence[Context], lines: Sequence[bytes], sealed_ms: int) -> bytes:
        header = BatchHeader(
            format=2,
            key=self.key,
            batch=self._id(),
            sealed_ms=sealed_ms,
            software=SOFTWARE,
            targets=self._targets,
            contexts=len(contexts),
            salt=self._id(),
        )
        return seal(header, lines, self._private.sign, [encode(each) for each in contexts])

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)

    def _context(self, seen: Sequence[Measurement], collector: CollectorKey | None) -> Context:
        if collector is None:
            return Context(link=seen[0].link)
        unsigned = Ticket(
            by=collector.key,
            key=self.key,
            network=self.network,
            bucket=self._id(),
            bucket_before=self._id(),
            minute=seen[0].started_ms // MINUTE_MS,
            nonce=self._id(),
            family=4,
            signature="",
        )
        return Context(link=seen[0].link, ticket=sign(unsigned, collector.sign))

    def _id(self) -> str:
        return self._chance.randbytes(16).hex()


def _is_asked(target: Target) -> bool:
    """Whether a probe measures it unasked."""
    return bool(target.endpoints) and not target.on_request


def _episode(targets: Sequence[Target]) -> Episode:
    """Three lines of each network, and two controls."""
    places = [_place(number) for number in range(NETWORKS)]
    banned = [place.name for number, place in enumerate(places) if number % INTERFERED == 0]
    calls = Phase(
        name="calls",
        since_ms=0,
        until_ms=LONGEST_MS,
        operators=frozenset(banned),
        accesses=frozenset(ACCESSES),
        targets=frozenset(BANNED),
        technique="silence",
    )
    return Episode(
        name="bench",
        title="Bench",
        country=None,
        since_ms=0,
        until_ms=LONGEST_MS,
        stands_ms=LONGEST_MS,
        controls=tuple(Line(name=f"control{n}", place=places[n], address="", control=True) for n in range(2)),
        lines=tuple(line for number, place in enumerate(places) for line in _lines(place, ACCESSES[number % 5])),
        targets=tuple(target.id for target in targets),
        noise=Noise(lost=3),
        phases=(calls,),
    )


def _place(number: int) -> Place:
    country = f"{chr(ord('A') + number % COUNTRIES)}A"
    network = Network(country=country, asn=64_512 + number, operator=f"Operator {number}")
    return Place(name=f"operator{number}", network=network, prefix=ipaddress.ip_network(f"10.{number}.0.0/16"))


def _lines(place: Place, access: Access) -> Iterator[Line]:
    for number in range(1, LIKE + 1):
        yield Line(name=f"{place.name}-{number}", place=place, address="", number=number, access=access)


def _by_place(lines: Iterable[Line]) -> list[list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.place.name, []).append(line)
    return list(found.values())
