"""A volunteer of the demo: one cycle on a line, sealed and uploaded from that line, in a process of its own.

Everything is the product's: the cycle, the seal, the spool, the upload. Ours is only that every measurement is marked
as simulated before it is sealed, and put into the story's hour.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import signal
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from probe.daemon import SOFTWARE
from probe.model import Measurement
from probe.submit.identity import Identity
from probe.submit.pins import Collector, Pins
from probe.submit.sealing import Sealer, seal_measurements
from probe.submit.spool import Spool
from probe.submit.upload import upload
from tests.lab.fork import Order, enter, measured

LIMIT_S = 120  # after which the kernel ends a child that hangs
HOUR_MS = 3_600_000


class Errand(Struct, frozen=True, kw_only=True):
    """What one volunteer does in one act."""

    name: str
    order: Order
    collector: str
    data: Path
    hours_ago: int


def identity(name: str) -> Identity:
    """The same for the same volunteer, so that the collector can be told beforehand who the controls are."""
    return Identity(hashlib.sha256(f"a simulated line: {name}".encode()).digest())


@contextmanager
def sent_out(errands: Iterable[Errand]) -> Iterator[dict[str, int]]:
    """Name → process id. What ends before they are back ends them too."""
    children: dict[str, int] = {}
    try:
        for errand in errands:
            children[errand.name] = send_out(errand)
        yield children
    except BaseException:
        for child in children.values():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        raise


def send_out(errand: Errand) -> int:
    """A child that runs the errand: its process id. What goes wrong is in NAME.log in its data directory."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(LIMIT_S)
        run(errand)
        code = 0
    except BaseException:
        (errand.data / f"{errand.name}.log").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def returned(child: int) -> bool:
    """Waits for a child; whether it did its errand."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def run(errand: Errand) -> None:
    """Raises RuntimeError when the collector has not taken everything."""
    enter(errand.order.namespace)
    asyncio.run(_run(errand))


async def _run(errand: Errand) -> None:
    cycle = await measured(errand.order)
    spool = Spool(errand.data / errand.name)
    seen = as_simulated(cycle.measurements, errand.hours_ago)
    sealer = Sealer(
        identity=identity(errand.name),
        software=SOFTWARE,
        targets=errand.order.targets.digest,
        random_bytes=secrets.token_bytes,
    )
    for batch, data in seal_measurements(sealer, seen, time.time_ns() // 1_000_000, spool):
        spool.put(batch, data)
    async with aiohttp.ClientSession() as session:
        report = await upload(spool, Collector(errand.collector), Pins(errand.data / errand.name), session=session)
    if report.left or report.refused:
        raise RuntimeError(f"The collector did not take everything: {report}.")


def as_simulated(measurements: Sequence[Measurement], hours_ago: int) -> list[Measurement]:
    """Marked, and moved into the story's hour."""
    return [replace(each, simulated=True, started_ms=each.started_ms - hours_ago * HOUR_MS) for each in measurements]
