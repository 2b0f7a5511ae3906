"""Whatever is accepted survives: it is judged, shown, exported and written as points, and nothing of it fails.

Mutants pass the real door, over HTTP, into a whole collector, in worlds that stand hours apart: in each two controls,
lines of two operators, and some genuine measurements beside the mutants, so that each bears on others as evidence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from collector.front.access import TOKEN_FILE
from collector.front.batches import CONTENT_TYPE
from collector.front.cells import NDJSON
from collector.front.listening import address_of, listening, open_socket
from collector.influx.forwarder import Forwarder
from collector.influx.points import Points
from collector.influx.schema import Database
from collector.influx.vocabulary import release_of
from collector.instance import Options, Parts, judged, opened
from collector.judging.evidence import TargetFiles
from collector.judging.rules import RULES
from collector.package.export import Order, export
from collector.package.origin import RunningCollector
from collector.package.source import Wanted
from collector.package.writing import FORMATS
from probe import __version__
from probe import targets as targets_file
from probe.codecs.seal import LIMITS, SealError, unseal
from probe.model import HOUR_MS, Measurement
from tests.collector.batches import Volunteer
from tests.genuine import STARTED_MS
from tests.torture.contexts import Contexts
from tests.torture.corpus import corpus
from tests.torture.line import Line
from tests.torture.mutants import Mutator

MUTANTS = 20_000
APART_MS = 4 * HOUR_MS
DAY_MS = 24 * HOUR_MS
SOURCES = ("192.0.2.1", "198.51.100.1", "203.0.113.1", "203.0.113.2", "203.0.113.129", "192.0.2.129")  # of one world
CONTROLS = 2  # the first of them
GENUINE = 5  # in each batch
NETWORKS = """prefix,asn,country,operator
192.0.2.0/25,64501,XA,First Control
198.51.100.0/24,64502,XB,Second Control
203.0.113.0/25,36903,MA,Maroc Telecom
203.0.113.128/25,36925,MA,Medi Telecom
"""
PAGES = ("/", "/v1/cells", "/v1/verdicts", "/v1/addresses", "/v1/controls", "/healthz", "/metrics")

Say = Callable[[str], None]


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    """T7: what a stranger may write in the right types, through the door and all that stands behind it."""
    found = asyncio.run(survive(directory, options.mutants, options.seed))
    exported = sum(found.exported.values())
    yield Line(
        figure=f"{options.mutants} mutants, {found.accepted} let in; {exported} rows exported, {found.lines} points; "
        f"{len(found.faults)} faults",
        mark=f"≥ {MUTANTS} mutants, 0 faults",
        faults=found.faults,
    )


class Survival(Struct, kw_only=True):
    """What became of the mutants. All but `accepted` and `refused` must be empty."""

    accepted: int = 0
    refused: int = 0
    lines: int = 0  # of InfluxDB
    exported: Counter[str] = Counter()  # rows by data set and format
    unjudgeable: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    failures: list[str] = []

    @property
    def faults(self) -> list[str]:
        left = [f"{count} × {what}" for what, count in (self.unjudgeable + self.left_out).items()]
        return [*self.failures, *left]


async def survive(directory: Path, mutants: int, seed: int) -> Survival:
    """Sends so many mutants through a collector in `directory`, and asks for all that can be asked."""
    (directory / "networks.csv").write_text(NETWORKS)
    volunteers = [Volunteer(number + 1) for number in range(len(SOURCES))]
    options = Options(
        data=directory,
        networks=directory / "networks.csv",
        control_keys=tuple(one.key for one in volunteers[:CONTROLS]),
        trusted_proxies=("127.0.0.1/32",),
    )
    found = Survival()
    now_ms = STARTED_MS + HOUR_MS
    with opened(options, RULES, lambda: now_ms) as parts, open_socket("127.0.0.1", 0) as sock:
        async with listening(parts, options, sock), _owner(directory) as session:
            url = address_of(sock)
            known = corpus(parts.targets)
            accepted = _accepted(Mutator(known, seed).mutants(mutants), volunteers[0], found)
            contexts = Contexts(seed, (parts.key.key, volunteers[0].key))
            for number, batch in enumerate(_batches(accepted, known)):
                await _send(session, url, volunteers, contexts, number, batch, parts.targets.digest)
            await judged(parts, parts.log.latest())
            await _ask(session, url, now_ms, found)
            await _export(session, url, directory, found)
            await asyncio.to_thread(_write_points, parts, now_ms, found)
            found.unjudgeable += parts.projector.quarantined
            found.left_out += parts.warehouse.faults.counts
    return found


def _owner(directory: Path) -> aiohttp.ClientSession:
    token = (directory / TOKEN_FILE).read_text().strip() if (directory / TOKEN_FILE).exists() else ""
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})


def _accepted(mutants: Iterator[Measurement], volunteer: Volunteer, found: Survival) -> Iterator[Measurement]:
    for mutant in mutants:
        try:
            unseal(volunteer.seal([mutant]))
        except SealError:
            found.refused += 1
        else:
            found.accepted += 1
            yield replace(mutant, simulated=False)  # what is simulated is refused by a collector for volunteers


def _batches(mutants: Iterator[Measurement], known: Sequence[Measurement]) -> Iterator[list[Measurement]]:
    """Mutants, with a few of the genuine ones beside them."""
    number = 0
    while some := list(islice(mutants, LIMITS.measurements - GENUINE)):
        beside = [known[(number + at) % len(known)] for at in range(GENUINE)]
        number += GENUINE
        yield [*(replace(each, uid=f"f{number + at:031x}") for at, each in enumerate(beside)), *some]


async def _send(
    session: aiohttp.ClientSession,
    url: str,
    volunteers: Sequence[Volunteer],
    contexts: Contexts,
    number: int,
    batch: Sequence[Measurement],
    targets: str,
) -> None:
    """Sends a batch as of one line of one world; what does not say another time is moved to that of the world.

    Each third one is in format 2; each line of a world has some.
    """
    world, line = divmod(number, len(SOURCES))
    moved = [
        replace(each, started_ms=each.started_ms - world * APART_MS)
        if abs(each.started_ms - STARTED_MS) < HOUR_MS
        else each
        for each in batch
    ]
    if (number + world) % 3:
        data = volunteers[line].seal(moved, STARTED_MS + HOUR_MS, targets)
    else:
        data = contexts.batch(volunteers[line], moved, STARTED_MS + HOUR_MS, targets)
    headers = {"Content-Type": CONTENT_TYPE, "X-Forwarded-For": SOURCES[line]}
    async with session.post(f"{url}/v1/batches", data=data, headers=headers) as answer:
        status, text = answer.status, await answer.text()
    if status == 413 and len(batch) > 1:  # each is small enough, and what repeats in them all inflates too much
        half = len(batch) // 2
        for some in (batch[:half], batch[half:]):
            await _send(session, url, volunteers, contexts, number, some, targets)
    elif status != 200:
        raise AssertionError(f"What the door lets in was answered with {status}: {text}")


# --- Asking for all of it --------------------------------------------------------------------------------------------


async def _ask(session: aiohttp.ClientSession, url: str, now_ms: int, found: Survival) -> None:
    """All pages and feeds, as the owner and as a stranger, over the whole time where they take one."""
    spans = [f"since={until - DAY_MS}&until={until}" for until in range(now_ms, now_ms - 20 * DAY_MS, -DAY_MS)]
    for path in PAGES:
        for span in [""] if path in ("/", "/healthz", "/metrics") else spans:
            for headers in ({}, {"Authorization": "nobody"}):
                async with session.get(f"{url}{path}?{span}", headers=headers) as answer:
                    text = await answer.text()
                if answer.status not in (200, 403):
                    found.failures.append(f"{path} was answered with {answer.status}: {text[:200]}")
                elif answer.content_type.endswith("json"):
                    # U+2028 may stand in a line as it is, where Python's splitlines would break it.
                    for line in text.removesuffix("\n").split("\n") if answer.content_type == NDJSON else [text]:
                        json.loads(line or "null")


async def _export(session: aiohttp.ClientSession, url: str, directory: Path, found: Survival) -> None:
    """Every format, as the owner and as a stranger."""
    token = (directory / TOKEN_FILE).read_text().strip()
    async with aiohttp.ClientSession() as anybody:
        for form in FORMATS:
            for given, name in ((token, "full"), (None, "public")):
                if given is None and form == "ooni":
                    continue  # of single lines
                wanted = Wanted(
                    since_ms=0, until_ms=STARTED_MS + DAY_MS, full=given is not None, now_ms=STARTED_MS + HOUR_MS
                )
                out = directory / f"{form}-{name}"
                order = Order(out=out, format=form, wanted=wanted, publisher="Ringback", now_ms=STARTED_MS)
                await export(order, RunningCollector(url, given, anybody), lambda _: None)
                described = json.loads((out / "datapackage.json").read_text())
                for each in described["resources"]:
                    found.exported[f"{each['name']}.{form}"] += each["ringback:rows"]


def _write_points(parts: Parts, now_ms: int, found: Survival) -> None:
    """All marks, as an InfluxDB would be given them."""

    def write(database: Database, lines: Sequence[str]) -> None:
        found.lines += len(lines)
        found.failures += [f"a point of more than one line: {each[:80]!r}" for each in lines if "\n" in each]

    files = TargetFiles(parts.kept_targets, targets_file.parse)
    ids = frozenset(target.id for target in parts.targets.targets)
    points = Points(parts.warehouse, RULES.cell, files, parts.pseudonyms, ids, release_of(__version__))
    parts.warehouse.feed("torture")
    seconds = iter(range(0, 10**9, 10_000))  # each look is hours after the last: nothing waits for its pace
    forwarder = Forwarder(parts.warehouse, points, write, parts.metrics, lambda: now_ms, clock=lambda: next(seconds))
    while forwarder.step():
        pass
    for family in parts.metrics.influx_failures.collect():
        found.failures += [f"points: {each.labels}" for each in family.samples if each.value]
