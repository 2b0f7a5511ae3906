"""A cycle from end to end, once or on schedule: measure, judge, print, keep, upload."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiohttp
from msgspec import Struct
from msgspec.structs import replace

from probe import __version__
from probe.cycle import Cycle, run_cycle
from probe.durable import make_directory, tighten
from probe.failure import UserError, fault_text
from probe.handshakes.trace import Instruments
from probe.local_verdicts import (
    fetch_controls_near,
    judge_all,
    latest,
    out_of_window,
    read_controls,
)
from probe.measuring import extra_addresses
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.session import Settings
from probe.model import ControlMeasurement, Targets
from probe.net.dialer import SocketDialer
from probe.net.gateway import gateway
from probe.net.platform import HERE, Platform
from probe.net.system_names import system_addresses
from probe.output import write_json, write_summary, write_table
from probe.path.ttl_probe import SocketSweeper, Sweeper
from probe.secure.trust import load_trust
from probe.submit.fetch import is_url
from probe.submit.identity import Keys, load_or_create
from probe.submit.keeping import Keeping
from probe.submit.known_networks import KnownNetworks
from probe.submit.membership import Ask, Member, Membership
from probe.submit.pins import Collector, Pins
from probe.submit.signing import Authorize, signer, unsigned
from probe.submit.spool import Spool
from probe.submit.target_updates import renew
from probe.submit.tickets import ask
from probe.submit.upload import upload
from probe.submit.waiting import Waiting
from probe.targets import chosen

SOFTWARE = f"ringback {__version__}"
UPLOAD_ATTEMPTS = 2
OURS = ("identity.key*", "spool", "allocates.json*", "targets.yaml*", "networks.json*")  # in the data directory
JITTER = 0.1  # of the interval, either side: probes must not come in step

logger = logging.getLogger(__name__)


class NotKept(UserError):
    """What was measured could not be kept or sent."""


class Options(Struct, frozen=True, kw_only=True):
    """What the command line asks for, checked."""

    targets: Targets  # the file that was given, or the one that came with the program
    follow: bool = False  # measure the collector's targets instead, where it has any
    ca_file: str | None = None
    settings: Settings
    data_dir: Path
    collector: Collector | None = None
    upload: bool = True
    one_key: bool = False  # signs with the same key everywhere, as a control does
    controls: tuple[str, ...] = ()  # files and URLs
    also: tuple[str, ...] = ()  # files and URLs
    format: str = "text"
    verbose: bool = False  # a table of every check, and of what each handshake took
    services: tuple[str, ...] = ()  # to measure; without any, all that are not on request
    scale: float = 1.0
    interval_s: float = 1800.0
    random_bytes: Callable[[int], bytes]  # orders and transaction ids: repeatable with --seed
    secret_bytes: Callable[[int], bytes]  # keys and uids: never repeatable


async def check(options: Options) -> None:
    """One cycle. Raises UserError for a file that cannot be read."""
    files = _read_files(options)
    dials = extra_addresses.read_files(options.also)
    _prepare(options.data_dir)
    member = _member(options) if options.collector is not None or not options.upload else None
    if options.follow and options.collector:
        shipped = options.targets
        options = replace(
            options, targets=await renew(options.collector.url, options.data_dir / "targets.yaml", shipped)
        )
    membership = await _join(options, member)
    dials += await extra_addresses.fetch_all(options.also, _authorize(options))
    settings = replace(options.settings, extra_addresses=extra_addresses.chosen(dials, options.targets))
    cycle = await _measure(replace(options, settings=settings), chosen(options.targets, options.services))
    try:
        await _print(options, cycle, files)
    finally:
        await _submit(options, cycle, member, membership)


async def run(options: Options) -> None:
    """Cycle after cycle until cancelled; what one cycle could not upload, the next one does.

    Raises UserError for what is wrong before the first cycle; what goes wrong later may pass, and ends nothing.
    """
    for cycle in itertools.count(1):
        started = time.monotonic()
        try:
            await check(options)
        except NotKept as error:
            logger.warning("%s", error)
        except UserError as error:
            if cycle == 1:
                raise
            logger.warning("%s", error)
        except Exception as error:  # a mistake of ours, a full disk: the next cycle may fare better
            logger.error("A cycle ended early:\n%s", fault_text(error))
        jitter = 1 + JITTER * (2 * options.random_bytes(1)[0] / 255 - 1)
        await asyncio.sleep(max(0.0, started + options.interval_s * jitter - time.monotonic()))


def now_ms() -> int:
    """This device's clock, Unix time."""
    return time.time_ns() // 1_000_000


def _prepare(directory: Path) -> None:
    """Makes the data directory, and knows before measuring that it can be written to. Raises UserError."""
    try:
        make_directory(directory)
        loose = tighten(path for pattern in OURS for path in directory.glob(pattern))
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise UserError(f"Cannot write in the data directory {directory}: {error.strerror}.") from error
    if loose:
        logger.warning("Until now, others on this machine could read %d of the files in %s.", loose, directory)


def open_keys(options: Options) -> Keys:
    return load_or_create(options.data_dir, options.secret_bytes)


async def _measure(options: Options, targets: Targets) -> Cycle:
    instruments = Instruments(
        dialer=SocketDialer(),
        clock=time.monotonic,
        wall_ms=now_ms,
        random_bytes=options.random_bytes,
        new_uid=lambda: options.secret_bytes(16).hex(),
        trust=load_trust(targets.authorities, options.ca_file),
        scale=options.scale,
        system_names=system_addresses,
    )
    budget = AllocateBudget(options.data_dir / "allocates.json")
    return await run_cycle(targets, instruments, options.settings, budget, show_progress, _sweeper(HERE))


def _sweeper(platform: Platform) -> Sweeper | None:
    """None where it could find out nothing."""
    return SocketSweeper(platform) if platform.can_sweep else None


def show_progress(done: int, whole: int, target: str) -> None:
    """A line on stderr for each target that was measured."""
    with suppress(OSError):  # nobody may be there to read it
        sys.stderr.write(f"[{done:2}/{whole}] {target}\n")
        sys.stderr.flush()


def _read_files(options: Options) -> list[ControlMeasurement]:
    """Before measuring, so that a wrong file does not cost a cycle."""
    files = [control for control in options.controls if not is_url(control)]
    return [each for number, path in enumerate(files, start=1) for each in read_controls(path, number)]


async def _print(options: Options, cycle: Cycle, files: Sequence[ControlMeasurement]) -> None:
    controls = list(files)
    authorize = _authorize(options, cycle.clock_offset_ms or 0)
    for url in filter(is_url, options.controls):
        controls += await _fetch(url, cycle, authorize)
    if out_of_window(controls, cycle.measurements):
        logger.warning("The controls are not of this hour: nothing can be compared with them. Take them again.")
    verdicts = judge_all(cycle.measurements, options.targets, controls)
    if options.format == "json":
        write_json(sys.stdout, cycle, verdicts, latest(verdicts), options.targets, SOFTWARE)
    elif options.verbose or options.format == "table":
        write_table(sys.stdout, cycle, latest(verdicts), with_bytes=options.verbose)
    else:
        write_summary(sys.stdout, cycle, latest(verdicts))


async def _fetch(url: str, cycle: Cycle, authorize: Authorize) -> list[ControlMeasurement]:
    """What cannot be had is said, and the cycle is judged without it."""
    try:
        return await fetch_controls_near(url, cycle.started_ms + (cycle.clock_offset_ms or 0), authorize)
    except UserError as error:
        logger.warning("%s", error)
        return []


def _authorize(options: Options, offset_ms: int = 0) -> Authorize:
    """Signs a control's GETs of the collectors that are known here, at this clock's time and the offset where that is
    known. A volunteer's are not signed: one key at all of them would join the networks."""
    if not options.one_key:
        return unsigned
    pins = Pins(options.data_dir)
    return signer(pins, options.collector, lambda: open_keys(options).fixed, lambda: now_ms() + offset_ms)


# --- Keeping and sending


def _member(options: Options) -> Member:
    url = "" if options.collector is None else options.collector.url.rstrip("/")
    return Member(
        keys=open_keys(options),
        known=KnownNetworks(options.data_dir),
        url=url,
        gateway=lambda: gateway(options.settings.root),
        random_bytes=options.secret_bytes,
        one_key=options.one_key,
    )


async def _join(options: Options, member: Member | None) -> Membership | None:
    """By what the cycle that begins belongs to a network, and what waited for that; None: nothing is to be kept."""
    if member is None:
        return None
    asking = _asking(options)
    membership = await member.join(asking, now_ms())
    try:
        await _keeping(options).settle(member, membership, asking)
    except OSError as error:
        logger.warning("Cycles that wait cannot be sealed now: %s.", error.strerror)
    return membership


def _asking(options: Options) -> Ask:
    if options.collector is None:
        return _no_ticket
    return partial(ask, options.collector, pins=Pins(options.data_dir), random_bytes=options.secret_bytes)


async def _no_ticket(key: str) -> None:
    return None


def _keeping(options: Options) -> Keeping:
    """Raises OSError."""
    spool = options.data_dir / "spool"
    return Keeping(
        spool=Spool(spool),
        waiting=Waiting(spool),
        software=SOFTWARE,
        random_bytes=options.secret_bytes,
        now_ms=now_ms,
    )


async def _submit(options: Options, cycle: Cycle, member: Member | None, membership: Membership | None) -> None:
    """Keeps it, then sends what waits, which makes room where there was none. Raises NotKept."""
    if member is None or membership is None:
        return
    try:
        keeping = _keeping(options)
        unkept = keeping.keep(cycle.uid, cycle.measurements, options.targets.digest, member, membership)
        if options.collector is not None and options.upload:
            await _send(keeping.spool, options.collector, Pins(options.data_dir))
    except OSError as error:
        raise NotKept(f"The spool cannot be used: {error.strerror}.") from error
    if unkept is not None:
        raise NotKept(f"What was measured cannot be kept in the spool: {unkept.strerror}.") from unkept


async def _send(spool: Spool, collector: Collector, pins: Pins) -> None:
    async with aiohttp.ClientSession() as session:
        report = await upload(spool, collector, pins, session=session, attempts=UPLOAD_ATTEMPTS)
    if report.left:
        logger.warning("%d batches wait for the collector: %s", report.left, report.reason)
