"""T12: a thousand fresh keys of three networks change nothing of what is public, byte for byte.

Two collectors hear the same volunteers over ten days, with a ticket before each cycle, and one of them hears the liars
too: keys that measure on six days, at sources in the volunteers' own networks, and say the contrary of what is so: once
on each day, and all that they say on the last. The volunteers are ten on 4G behind three /24s, and five on ADSL; what
they say is public. Their batches come through the door, the liars' are written into the log as the door would, for
there are thousands. Only the clock is the story's.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from collector.facts import buckets
from collector.facts.buckets import Buckets, packed
from collector.facts.networks import Networks, read_networks
from collector.facts.standing import DAY_MS, DAYS, day_of
from collector.front.batches import CONTENT_TYPE
from collector.front.listening import address_of, listening, open_socket
from collector.front.tickets import HEADER
from collector.instance import Options, Parts, judged, opened
from collector.judging.rules import RULES
from collector.log import Envelope
from collector.package.export import Order, export
from collector.package.origin import RunningCollector
from collector.package.source import Wanted
from collector.replay.simulate import cycle
from probe.codecs.said_once import say
from probe.codecs.seal import encode, seal
from probe.model import HOUR_MS, BatchHeader, Context, Measurement, Ticket
from tests.collector.batches import Volunteer
from tests.collector.replay.stories import SMALL, small
from tests.collector.servers import Clock
from tests.torture.honest import genuine
from tests.torture.line import Line

SYBILS = 1_000
STORY_DAYS = 10
FRESH_DAYS = DAYS - 1  # on which the liars measure before the last day: one less than lets a key count
LOOKS = 9  # of a key in a day: in six days as many results as are asked for in seven
START_MS = 20_000 * DAY_MS + 12 * HOUR_MS
LAST_MS = START_MS + STORY_DAYS * DAY_MS
EPISODE = small(SMALL.partition("phases:")[0].replace("noise: {lost: 5}\n", ""))
FORMATS = ("csv", "jsonl")
FIRST_SYBIL = 1_000_000  # the number from which on keys are liars'
AT_ONCE = 8

Public = dict[str, bytes]  # what a stranger gets, by where


class Someone(Struct, frozen=True):
    """A line: its key, its source, its access, and whether it is honest."""

    volunteer: Volunteer
    address: str
    access: str
    honest: bool


def volunteers() -> list[Someone]:
    """Ten on 4G behind three /24s, five on ADSL in as many."""
    mobile = [(n, f"203.1.{n % 3}.{n + 1}", "4g") for n in range(10)]
    fixed = [(10 + n, f"203.2.{n}.1", "adsl") for n in range(5)]
    return [Someone(Volunteer(1 + number), address, access, True) for number, address, access in (*mobile, *fixed)]


def liars(count: int) -> list[Someone]:
    """In three networks, each at one source: two are the volunteers', one nobody's else."""
    places = (("203.1.200", "4g"), ("203.2.200", "adsl"), ("203.3.200", "adsl"))
    return [
        Someone(Volunteer(FIRST_SYBIL + n), f"{places[n % 3][0]}.{1 + n // 3 % 250}", places[n % 3][1], False)
        for n in range(count)
    ]


TABLE = """prefix,asn,country,operator
203.1.0.0/16,64501,MA,Mobile
203.2.0.0/16,64502,MA,Fixed
203.3.0.0/16,64503,MA,Third
"""


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    without = asyncio.run(told(directory / "without", []))
    beside = asyncio.run(told(directory / "beside", liars(options.sybils)))
    differ = differences(without, beside)
    yield Line(
        figure=f"{options.sybils} keys of 3 networks on {FRESH_DAYS + 1} days: of {len(without)} public answers, "
        f"{sum(map(len, without.values()))} bytes, {len(differ)} differ; ten volunteers on 4G make {states(without)}",
        mark=f"{SYBILS} keys, none differs; the ten make public states",
        faults=[*differ, *missing(without)],
    )


def differences(one: Public, other: Public) -> list[str]:
    return [f"{where} is another with the liars" for where in one if one[where] != other.get(where)]


def missing(public: Public) -> list[str]:
    return [] if "ok" in states(public).values() else ["ten volunteers on 4G made no public state"]


def states(public: Public) -> Mapping[str, str]:
    """The public states of the ten in the last hour, by target."""
    cells = msgspec.json.decode(public["/v1/cells"])["cells"]
    theirs = [cell for cell in cells if (cell["operator"], cell["hour"]) == ("Mobile", LAST_MS // HOUR_MS)]
    return {cell["target"]: cell["state"] for cell in theirs}


async def told(data: Path, others: Sequence[Someone], days: int = FRESH_DAYS) -> Public:
    """What strangers get after the volunteers' days; on the last, and on so many before it, others measure too."""
    _prepare(data)
    clock = Clock(START_MS)
    options = Options(data=data / "store", networks=data / "networks.csv", trusted_proxies=("127.0.0.1/32",))
    with opened(options, RULES, clock) as parts, open_socket("127.0.0.1", 0) as sock:
        async with listening(parts, options, sock), aiohttp.ClientSession() as session:
            places = Places(read_networks(data / "networks.csv"), Buckets(data / "store" / buckets.FILE, clock))
            story, honest = Story(parts, address_of(sock), clock, session, places), volunteers()
            for day in range(STORY_DAYS + 1):
                clock.now = START_MS + day * DAY_MS
                await story.day([*honest, *(others if day >= STORY_DAYS - days else [])])
            await judged(parts, parts.log.latest())
            clock.now = LAST_MS + 3 * HOUR_MS
            return {**await story.asked(), **await story.exported(data)}


def _prepare(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "networks.csv").write_text(TABLE)


class Places(Struct, frozen=True):
    """Where sources are, as the door finds it."""

    networks: Networks
    buckets: Buckets

    def envelope(self, address: str, body: bytes, received_ms: int) -> Envelope:
        held = self.buckets.of(address).held(day_of(received_ms))
        network = self.networks.lookup(address)
        return Envelope(received_ms=received_ms, network=network, named={}, bucket=packed(held), body=body)


class Story:
    """A collector at `url`, whose clock is set, and who sends to it and asks it."""

    def __init__(self, parts: Parts, url: str, clock: Clock, session: aiohttp.ClientSession, places: Places) -> None:
        self._parts, self._url, self._clock, self._session, self._places = parts, url, clock, session, places
        self._lies = itertools.cycle([each for each in genuine() if _failed(each)])

    async def day(self, lines: Sequence[Someone]) -> None:
        """Each measures and sends, a few at once."""
        left = iter(lines)

        async def send() -> None:
            for each in left:
                await (self._send if each.honest else self._write)(each, self._seen(each))

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        self._parts.projector.announce()

    def _seen(self, line: Someone) -> list[Measurement]:
        """What an honest line sees; a liar says in the same words what others saw who were interfered with."""
        now_ms = self._clock.now
        played = next(one for one in EPISODE.lines if one.access == line.access)
        made = cycle(EPISODE, self._parts.targets, played, LAST_MS)
        assert made is not None
        seen = made.measurements
        if not line.honest:
            seen = [replace(next(self._lies), link=seen[0].link) for _ in range(LOOKS)]
        if now_ms < LAST_MS:  # little is looked at but the line itself
            only = replace(seen[0], resolutions=(), attempts=(), sweeps=())
            seen = [only] * LOOKS if line.honest else [seen[0], *[only] * (LOOKS - 1)]
        return [
            replace(each, uid=line.volunteer.number(), simulated=False, started_ms=now_ms + n, clock_offset_ms=0)
            for n, each in enumerate(seen)
        ]

    async def _send(self, line: Someone, seen: Sequence[Measurement]) -> None:
        ticket = await self._ticket(line)
        header = BatchHeader(
            format=2,
            key=line.volunteer.key,
            batch=line.volunteer.number(),
            sealed_ms=self._clock.now,
            software="ringback 0.1",
            targets=self._parts.targets.digest,
            contexts=1,
            salt=line.volunteer.number(),
        )
        context = encode(Context(link=seen[0].link, ticket=ticket))
        data = seal(header, [say(each, 0) for each in seen], line.volunteer._private.sign, [context])
        headers = {"Content-Type": CONTENT_TYPE, "X-Forwarded-For": line.address}
        async with self._session.post(f"{self._url}/v1/batches", data=data, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def _write(self, line: Someone, seen: Sequence[Measurement]) -> None:
        now_ms = self._clock.now
        body = line.volunteer.seal(seen, now_ms, self._parts.targets.digest)
        await self._parts.log.append(self._places.envelope(line.address, body, now_ms), now_ms)

    async def _ticket(self, line: Someone) -> Ticket:
        url = f"{self._url}/v1/targets?key={line.volunteer.key}&nonce={line.volunteer.number()}"
        async with self._session.get(url, headers={"X-Forwarded-For": line.address}) as answer:
            return msgspec.json.decode(base64.b64decode(answer.headers[HEADER]), type=Ticket)

    async def asked(self) -> Public:
        """All pages and feeds; those that take an interval over the last two days."""
        span = f"since={LAST_MS - 2 * DAY_MS + DAY_MS // 2}&until={LAST_MS + 4 * HOUR_MS}"
        spans = {"/v1/cells": span, "/v1/addresses": span, "/v1/controls": span, "/v1/export/cells": "since=0"}
        paths = {"/": "", "/country/MA": "", "/healthz": "", "/v1/targets": "", **spans}
        found = dict[str, bytes]()
        for path, query in paths.items():
            async with self._session.get(f"{self._url}{path}?{query}") as answer:
                found[path] = await answer.read()
                assert answer.status == 200, (path, found[path])
        return found

    async def exported(self, directory: Path) -> Public:
        """The files of a public package."""
        found = dict[str, bytes]()
        wanted = Wanted(since_ms=0, until_ms=LAST_MS + DAY_MS, now_ms=self._clock.now)
        for form in FORMATS:
            out = directory / form
            order = Order(out=out, format=form, wanted=wanted, publisher="Ringback", now_ms=self._clock.now)
            await export(order, RunningCollector(self._url, None, self._session), lambda _: None)
            files = sorted(path for path in out.rglob("*") if path.is_file())
            found |= {f"{form}/{path.relative_to(out)}": path.read_bytes() for path in files}
        return found


def _failed(seen: Measurement) -> bool:
    return any(each.failure for attempt in seen.attempts for each in attempt.observations)
