"""One cycle in a process of its own, inside a line's namespace: forked from this one, which has everything loaded.

Only the product's public parts are used: `run_cycle` with an injected clock, chance and dialer, and `judge_all`. The
child says what it saw as JSON through a pipe and ends at once; a child that fails says with what.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.facts.networks import Networks, lookup_prefix
from collector.front.batches import prefixes
from probe.cycle import Cycle, run_cycle
from probe.handshakes.trace import Instruments
from probe.local_verdicts import NetworkTable, judge_all, latest
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.session import Settings
from probe.model import ControlMeasurement, Measurement, Network, Targets, Verdict, Void
from probe.net.dialer import SocketDialer
from probe.path.ttl_probe import SocketSweeper
from probe.secure.trust import Trust
from tests.lab.settings import Device, lay_out

CLONE_NEWNET = 0x40000000  # linux/sched.h
BEHIND = 5  # what is measured has its turn before what is judged, which nothing waits for
LIBC = ctypes.CDLL(None, use_errno=True)


class Change(Struct, frozen=True):
    """Another device carries the default route from then on."""

    after: float  # seconds
    device: Device


class Order(Struct, frozen=True, kw_only=True):
    """What one run is made of."""

    namespace: str
    targets: Targets
    trust: Trust
    seed: str
    settings: Settings = Settings()
    skew_ms: int = 0  # of the device's clock
    scale: float = 1.0
    controls: tuple[ControlMeasurement, ...] = ()
    keep: bool = False  # the measurements too
    change: Change | None = None
    freezes: tuple[float, float] | None = None  # after so many seconds, for so many
    clock_steps: tuple[float, int] | None = None  # after so many seconds, by so many ms
    files: int | None = None  # descriptors that may be open
    elsewhere: bool = False  # it stands for a machine of its own, which is not the one that is busy
    network: Network = Network()  # whose the line is, and
    networks: Networks | None = None  # the table by which a collector names networks; None judges as a probe does
    alone: bool = False  # judge as a probe does, too


class Result(Struct, frozen=True, kw_only=True):
    """What came of it; `error` is a traceback when nothing did."""

    verdicts: tuple[Verdict, ...] = ()  # the latest of each target
    alone: tuple[Verdict, ...] = ()  # the latest of each target, without a table of networks
    measurements: tuple[Measurement, ...] = ()
    rtts_us: tuple[int, ...] = ()  # of neutral STUN, answered at the first request
    up: bool = False
    starved: bool = False  # this machine was too busy for it, and it was not to be frozen
    cpu_s: float = 0.0
    took_s: float = 0.0
    error: str = ""


def start(order: Order) -> tuple[int, int]:
    """A child's process id, and the end of the pipe from which its Result can be read until its end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(msgspec.json.encode(run(order)))
    finally:
        os._exit(0)


def finish(child: int, data: bytes) -> Result:
    """Of a child whose pipe has ended."""
    os.waitpid(child, 0)
    return msgspec.json.decode(data, type=Result) if data else Result(error=f"the child {child} ended without a word")


def run(order: Order) -> Result:
    """In the child: what failed here is reported and not raised."""
    gc.disable()  # the process lives for seconds, and a collection would copy the parent's pages
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else asyncio would put a handler in its place, which takes 4 ms
    started = time.monotonic()
    try:
        enter(order.namespace)
        if order.elsewhere:
            with contextlib.suppress(PermissionError):
                os.nice(-10)  # only real root may ask for it
        if order.files is not None:
            limit = room_for(order.files, {int(each) for each in os.listdir("/proc/self/fd")})
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        cycle = asyncio.run(measured(order))
        os.nice(BEHIND)
        verdicts = judge_all(cycle.measurements, order.targets, order.controls, whereabouts(order, cycle))
        alone = judge_all(cycle.measurements, order.targets, order.controls, NetworkTable()) if order.alone else []
    except Exception:
        return Result(error=traceback.format_exc())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Result(
        verdicts=tuple(latest(verdicts)),
        alone=tuple(latest(alone)),
        measurements=cycle.measurements if order.keep else (),
        rtts_us=tuple(rtts(cycle)),
        up=cycle.link.up,
        starved=order.freezes is None and any(each.link.void is Void.STARVED for each in cycle.measurements),
        cpu_s=usage.ru_utime + usage.ru_stime,
        took_s=time.monotonic() - started,
    )


def room_for(files: int, held: set[int]) -> int:
    """The limit below which so many more files can be opened: a child of the board holds its parent's, too."""
    limit = files
    while limit - sum(each < limit for each in held) < files:
        limit += 1
    return limit


def whereabouts(order: Order, cycle: Cycle) -> NetworkTable:
    """What a collector would know of this line, of its resolvers and of routers."""
    if order.networks is None:
        return NetworkTable()
    named = {prefix: lookup_prefix(order.networks, prefix) for prefix in prefixes(cycle.measurements)}
    return NetworkTable(network=order.network, networks=named)


async def measured(order: Order) -> Cycle:
    if order.change is not None:
        asyncio.get_running_loop().call_later(order.change.after, lay_out, order.settings.root, order.change.device)
    if order.freezes is not None:
        after, seconds = order.freezes
        asyncio.get_running_loop().call_later(after, time.sleep, seconds)
    return await run_cycle(order.targets, instruments(order), order.settings, AllocateBudget(), silent, SocketSweeper())


def instruments(order: Order) -> Instruments:
    """The product's own dialer and trust; the clock and the dice are ours."""
    dice = random.Random(order.seed)
    return Instruments(
        dialer=SocketDialer(),
        clock=time.monotonic,
        wall_ms=skewed(order.skew_ms, order.clock_steps),
        random_bytes=dice.randbytes,
        new_uid=lambda: dice.randbytes(16).hex(),
        trust=order.trust,
        scale=order.scale,
    )


def skewed(by_ms: int, steps: tuple[float, int] | None) -> Callable[[], int]:
    """A device's clock: wrong from the beginning on, or set while it measures."""
    began, (after, step_ms) = time.monotonic(), steps or (0.0, 0)
    return lambda: time.time_ns() // 1_000_000 + by_ms + (step_ms if time.monotonic() - began >= after else 0)


def silent(done: int, whole: int, target: str) -> None:
    """Nobody looks on."""


def rtts(cycle: Cycle) -> list[int]:
    """How long neutral STUN took, where the first request was answered."""
    return [
        attempt.observations[-1].took_us
        for measurement in cycle.measurements
        for attempt in measurement.attempts
        if measurement.target == "baseline/stun" and attempt.grade is not None
        if (facts := attempt.observations[-1].stun) and facts.sends == 1
    ]


def enter(namespace: str) -> None:
    """This process's one thread goes into a network namespace. Raises OSError."""
    with (Path("/run/netns") / namespace).open() as file:
        if LIBC.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def preload() -> None:
    """Loads what a first cycle would load, and keeps the collector of garbage off it, so that children share it."""
    import probe.handshakes

    assert probe.handshakes.HANDSHAKES
    gc.collect()
    gc.freeze()
    sys.stdout.flush()
