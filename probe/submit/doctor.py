"""What the volunteer asks about sending: what waits, whom this probe believes, and how to believe another."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from probe.codecs.receipt import is_key, succeeds
from probe.failure import UserError
from probe.submit.identity import FILE, NO_NETWORK, load_or_create
from probe.submit.known_networks import KnownNetworks
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool
from probe.submit.upload import public_key
from probe.submit.waiting import Waiting


def trust(data_dir: Path, collector: Collector, key: str) -> None:
    """Believes this key of the collector instead of the one before. Raises UserError."""
    if not is_key(key):
        raise UserError(f"{key} is no key: it has 64 hex digits in small letters. Ask the collector's operator.")
    Pins(data_dir).pin(collector.url, key)


def resend(data_dir: Path) -> int:
    """Has the batches of the last week wait again; returns how many. Raises UserError."""
    try:
        return Spool(data_dir / "spool").resend()
    except OSError as error:
        raise UserError(f"The spool in {data_dir} cannot be used: {error.strerror}.") from error


async def examine(data_dir: Path) -> list[str]:
    """Lines for the spool, for each network measured, and for each collector ever believed. Raises UserError."""
    try:
        lines = [*_of_spool(data_dir / "spool"), *_of_keys(data_dir)]
    except OSError as error:
        raise UserError(f"The spool in {data_dir} cannot be read: {error.strerror}.") from error
    async with aiohttp.ClientSession() as session:
        lines += [await _of_collector(url, key, session) for url, key in Pins(data_dir).all().items()]
    return lines


def _of_spool(directory: Path) -> Iterator[str]:
    if not directory.exists():
        yield "Nothing was kept for a collector yet."
        return
    spool = Spool(directory)
    refused = len(list((directory / "refused").glob("*.batch")))
    yield f"{len(spool.pending())} batches wait, {len(spool.sent())} were sent within a week, {refused} were refused."
    lost = spool.lost
    if lost.batches or lost.measurements:
        yield f"{lost.batches} batches were dropped unsent for want of room, {lost.measurements} results never sealed."

    held = len(Waiting(directory).paths())
    if held:
        yield f"{held} cycles wait for a ticket, a day at most: without it nobody can say to which network they belong."


def _of_keys(data_dir: Path) -> Iterator[str]:
    """By which of its keys a collector knows this probe: who may ask for something to be deleted names it."""
    if not (data_dir / FILE).exists():
        return
    keys = load_or_create(data_dir, secrets.token_bytes)
    for asn, quarters in sorted(KnownNetworks(data_dir).networks().items()):
        where = f"AS{asn}" if asn != NO_NETWORK else "no known network"
        yield f"{where}: signs with {keys.of(asn, quarters[-1]).key} in this quarter, unless it runs with --one-key."


async def _of_collector(url: str, pinned: str, session: aiohttp.ClientSession) -> str:
    said = await public_key(url, session)
    if said is None:
        return f"{url}: does not answer, or is no collector. Its key is {pinned}."
    if said.key == pinned or succeeds(said.key, pinned, said.hand_overs):
        return f"{url}: its key is {said.key}, as expected."
    return (
        f"{url}: shows the key {said.key} instead of {pinned}, and the old one does not vouch for it. Nothing is let go"
        f" for it. If the operator says that the key was replaced: `ringback trust {url} {said.key}`."
    )
