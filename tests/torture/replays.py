"""T10: batches that were heard, sent again: as they are, in another order, with parts of others in place of their own.

What is the same is known; what was signed by nobody is refused; the same lines in other bytes are kept, and count once.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from collector.instance import Options, now_ms, opened
from collector.judging.rules import RULES
from probe import targets as targets_file
from tests.collector.batches import Volunteer
from tests.torture.honest import Honest, genuine
from tests.torture.kills import COUNTED
from tests.torture.line import Line
from tests.torture.served import Served, load, served
from tests.torture.wire import Wire, post, source

BODIES = 100_000
HONEST = 500  # batches that are heard
SIZE = 3
WIRES = 8  # connections

Lines = list[bytes]


class Heard(Struct, frozen=True):
    """A batch as it went by: its bytes, and its lines."""

    body: bytes
    lines: Lines


def _between(one: Lines, change: Callable[[Lines], Lines]) -> Lines:
    """With other lines between header and signature."""
    return [one[0], *change(one[1:-1]), one[-1]]


def _key(line: bytes) -> bytes:
    return str(json.loads(line)["key"]).encode()


# What is made of one batch and another; each is signed by nobody.
FORGED: Mapping[str, Callable[[Lines, Lines], Lines]] = {
    "reordered": lambda one, other: _between(one, lambda lines: lines[::-1]),
    "with another's header": lambda one, other: [other[0], *one[1:]],
    "with another's key": lambda one, other: [one[0].replace(_key(one[0]), _key(other[0])), *one[1:]],
    "with another's line": lambda one, other: [*one[:-2], other[-2], one[-1]],
    "with another's signature": lambda one, other: [*one[:-1], other[-1]],
    "a line short": lambda one, other: _between(one, lambda lines: lines[:-1]),
    "with a line of another's more": lambda one, other: _between(one, lambda lines: [*lines, other[-2]]),
    "with a line twice": lambda one, other: _between(one, lambda lines: [*lines, lines[-1]]),
    "at another time": lambda one, other: [one[0].replace(b'"sealed_ms":', b'"sealed_ms":1'), *one[1:]],
    "in another format": lambda one, other: [one[0].replace(b'"format":', b'"format":1'), *one[1:]],
}


class Replayed(Struct, frozen=True, kw_only=True):
    answers: Counter[str]
    faults: list[str]


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    seen = asyncio.run(replay(directory / "data", options.replays, HONEST, options.seed))
    told = ", ".join(f"{count} {what}" for what, count in sorted(seen.answers.items()))
    yield Line(
        figure=f"{options.replays} bodies ({told}); {len(seen.faults)} faults, {load()}",
        mark=f"{BODIES} bodies, none stored twice, none accepted wrongly",
        faults=seen.faults,
    )


async def replay(data: Path, bodies: int, batches: int, seed: int) -> Replayed:
    """Sends so many batches, then so many bodies that are made of them, and looks what is there of it."""
    seen, chance = Replayed(answers=Counter(), faults=[]), random.Random(seed)
    heard = _heard(batches)
    async with served(data) as one:
        await one.ready()
        await _sent(one, [(each.body, "stored") for each in heard], seen)
        await _sent(one, list(_made(heard, bodies, chance)), seen)
    copies = seen.answers["stored again"]
    with opened(Options(data=data), RULES) as parts:
        parts.projector.catch_up()
        ((verdicts, distinct),) = parts.warehouse.select(COUNTED)
        in_log = parts.log.latest()
    expected = {"batches in the log": (in_log, batches + copies), "verdicts": (verdicts, batches * SIZE)}
    expected["measurements judged"] = (distinct, batches * SIZE)
    wrong = [f"{found} {what} instead of {right}" for what, (found, right) in expected.items() if found != right]
    return Replayed(answers=seen.answers, faults=[*seen.faults, *wrong])


def _heard(count: int) -> list[Heard]:
    """Of both formats, of as many probes as there are batches, which all measure."""
    honest, found = Honest(genuine(), targets_file.packaged().digest), list[Heard]()
    for number in range(count):
        volunteer = Volunteer(number + 1)
        measured = honest.measured(volunteer, SIZE, now_ms())
        body = volunteer.seal_2(measured) if number % 2 else honest.sealed(volunteer, measured, now_ms())
        found.append(Heard(body, gzip.decompress(body)[:-1].split(b"\n")))
    return found


def _made(heard: Sequence[Heard], count: int, chance: random.Random) -> Iterator[tuple[bytes, str]]:
    """Bodies, and what must become of each."""
    times = Counter[int]()  # that a batch was compressed anew
    for _ in range(count):
        number = chance.randrange(len(heard))
        one, other = heard[number], heard[(number + 2 * chance.randrange(1, len(heard) // 2)) % len(heard)]
        kind = chance.choice(["again", "again", "other bytes", *FORGED])
        if kind == "again":
            yield one.body, "known"
        elif kind == "other bytes":
            times[number] += 1
            yield one.body[:4] + times[number].to_bytes(4) + one.body[8:], "stored again"
        else:
            yield gzip.compress(b"\n".join([*FORGED[kind](one.lines, other.lines), b""]), 1, mtime=0), "refused"


async def _sent(one: Served, bodies: list[tuple[bytes, str]], seen: Replayed) -> None:
    left = iter(bodies)
    await asyncio.gather(*(_send(one, source(number), left, seen) for number in range(WIRES)))


async def _send(one: Served, address: str, left: Iterator[tuple[bytes, str]], seen: Replayed) -> None:
    wire = await Wire.to(one.address, address)
    for body, expected in left:
        answer = await wire.ask(post(body))
        said = json.loads(answer.body)
        became = _became(answer.status, said)
        seen.answers[expected] += 1
        if became != expected.partition(" ")[0]:
            seen.faults.append(f"what is to be {expected} was {became}, {answer.status}: {said}")
    wire.close()


def _became(status: int, said: Mapping[str, object]) -> str:
    if status in (400, 413, 422):
        return "refused"
    counts = (status, said.get("stored"), said.get("known"))
    return "stored" if counts == (200, SIZE, 0) else "known" if counts == (200, 0, SIZE) else "answered"
