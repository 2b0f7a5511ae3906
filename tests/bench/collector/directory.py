"""A data directory with a log that is full: envelopes written as ingest would have, without the way there."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from collector.facts.kept_targets import KeptTargets
from collector.instance import LOG_DIRECTORY, TARGETS_DIRECTORY
from collector.log import Envelope
from collector.log.sqlite import SqliteLog
from probe.model import HOUR_MS
from tests.bench.collector.population import Population, Probe

HOUR = 492_222  # some hour of 2026
START_MS = HOUR * HOUR_MS
GROUP = 64  # appended at once
CONTROLS = 1_000_000  # the first number of a control


class Sent(Struct, frozen=True):
    """A batch of a probe, received just after it was measured."""

    probe: Probe
    started_ms: int
    targets: int | None = None  # so many of a cycle; None: all

    def envelope(self) -> tuple[Envelope, int]:
        size = None if self.targets is None else min(self.targets, len(self.probe.cycle(self.started_ms)))
        bucket = hashlib.blake2s(self.probe.key.encode(), digest_size=16).digest()
        received_ms = self.started_ms + HOUR_MS // 2
        body = self.probe.batch(self.started_ms, size=size)
        envelope = Envelope(received_ms=received_ms, network=self.probe.network, named={}, bucket=2 * bucket, body=body)
        return envelope, received_ms


def control_keys(population: Population, controls: int) -> tuple[str, ...]:
    return tuple(population.probe(CONTROLS + number, control=True).key for number in range(controls))


def sent(
    population: Population,
    probes: int,
    *,
    cycles: int = 2,
    hours: int = 1,
    controls: int = 2,
    targets: int | None = None,
) -> Iterable[Sent]:
    """What so many probes send, each `cycles` times an hour, and controls with them."""
    everybody = [population.probe(CONTROLS + number, control=True) for number in range(controls)]
    everybody += [population.probe(number) for number in range(probes)]
    step_ms = HOUR_MS // cycles
    for number in range(cycles * hours):
        for place, probe in enumerate(everybody):
            yield Sent(probe, START_MS + number * step_ms + place % 997 * (step_ms // 1_000), targets)


def fill(directory: Path, population: Population, batches: Iterable[Sent]) -> int:
    """Writes them into the log of a data directory; the number of measurements."""
    directory.mkdir(mode=0o700, exist_ok=True)
    KeptTargets(directory / TARGETS_DIRECTORY).put(population.targets.digest, population.targets.body)
    with closing(SqliteLog(directory / LOG_DIRECTORY)) as log:
        return asyncio.run(_append(log, list(batches)))


async def _append(log: SqliteLog, batches: list[Sent]) -> int:
    measurements = 0
    for at in range(0, len(batches), GROUP):
        group = batches[at : at + GROUP]
        await asyncio.gather(*(log.append(*each.envelope()) for each in group))
        measurements += sum(each.targets or len(each.probe.cycle(0)) for each in group)
    return measurements
