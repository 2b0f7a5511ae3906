"""A log of some days, for the tests of what goes and what stays: lines, a control, standing, and hours at midnight."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from collector.instance import Options, Parts, opened
from collector.log import Envelope
from collector.log.segment import DAY_MS
from probe.model import HOUR_MS, Measurement, Network, Neutral, Transport
from tests.collector.batches import DIGEST, NAMED, Volunteer, enveloped
from tests.collector.judging.evidence import MAROC, MEDI, RULES, SPAIN, record

START_MS = 20_500 * DAY_MS
CONTROL = Volunteer(9)
LINES = {Volunteer(1): MAROC, Volunteer(2): MAROC, Volunteer(3): MAROC, Volunteer(4): MEDI}
ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
NEUTRAL = Neutral(target="baseline/web", handshake="tls", transport=Transport.TCP, port=443, family=4, failure=None)

Arrival = tuple[Envelope, int]


@contextmanager
def collector(data: Path, keep: int | None) -> Iterator[Parts]:
    with opened(Options(data=data, control_keys=(CONTROL.key,), keep_bodies=keep), RULES) as parts:
        parts.kept_targets.put(DIGEST, (Path(__file__).parents[3] / "targets.yaml").read_bytes())
        yield parts


def take(parts: Parts, arrivals: list[Arrival], *, judged: bool = True) -> None:
    """Receives, and judges all."""

    async def append() -> None:
        for arrival in arrivals:
            await parts.log.append(*arrival)

    asyncio.run(append())
    if judged:
        parts.projector.catch_up()


def day(number: int, chance: random.Random) -> list[Arrival]:
    """What is received on one day: of each line and the control a batch at any time of it, and one after midnight."""
    midnight_ms = START_MS + number * DAY_MS
    arrivals = [
        _batch(one, network, moment_ms, chance)
        for one, network in [*LINES.items(), (CONTROL, SPAIN)]
        for moment_ms in (midnight_ms + chance.randrange(60_000, HOUR_MS), midnight_ms + chance.randrange(DAY_MS))
    ]
    return sorted(arrivals, key=lambda arrival: arrival[0].received_ms)


def _batch(one: Volunteer, network: Network, received_ms: int, chance: random.Random) -> Arrival:
    cycle = one.number()
    measured = [_measured(one, received_ms, cycle, chance) for _ in range(8)]
    envelope, sealed_ms = enveloped(one.seal(measured, received_ms), received_ms, network, NAMED)
    return replace(envelope, bucket=one.key[:32].encode()[:16]), sealed_ms


def _measured(one: Volunteer, received_ms: int, cycle: str, chance: random.Random) -> Measurement:
    seen = record(
        reached=chance.sample(ADDRESSES, chance.randrange(3)),
        failing=chance.sample(ADDRESSES, chance.randrange(3)),
        target=chance.choice(["whatsapp/chat", "viber/call"]),
        resolver=chance.choice([None, "212.217.0.0/24"]),
        round=chance.choice([1, 2]),
    ).measurement
    started_ms = received_ms - chance.choice([60_000, 600_000, HOUR_MS, 3 * HOUR_MS])
    link = replace(seen.link, neutrals=(NEUTRAL,))
    return replace(seen, uid=one.number(), cycle=cycle, started_ms=started_ms, link=link)
