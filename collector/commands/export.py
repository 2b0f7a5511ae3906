"""`ringback-collector export`: from the collector that runs, or from the files that nobody holds, to a directory."""

from __future__ import annotations

import argparse
import asyncio
import hmac
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from collector.commands.arguments import add_data, moment, say_aside
from collector.front.access import TOKEN_FILE, admin_token
from collector.instance import DirectoryInUse, Options, holds_log, now_ms, opened
from collector.judging.rules import RULES, Rules
from collector.package.export import Order, Say, export
from collector.package.origin import OwnFiles, RunningCollector
from collector.package.source import Source, Wanted
from collector.package.writing import FORMATS
from probe.codecs.text import utf8
from probe.failure import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser, required=False)
    parser.add_argument("--format", choices=tuple(FORMATS), required=True)
    parser.add_argument("--since", metavar="DATE", type=moment, required=True, help="start, such as 2026-02-26, UTC")
    parser.add_argument("--until", metavar="DATE", type=moment, help="end, exclusive (default: now)")
    parser.add_argument("--country", metavar="CC", help="such as MA (default: all)")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="directory to create")
    parser.add_argument("--collector", metavar="URL", help="ask the collector that runs there, instead of --data")
    parser.add_argument("--admin-token", metavar="FILE", type=Path, help="export single lines and exact counts too")
    parser.add_argument(
        "--simulated", action="store_true", help="export what was simulated instead of what was measured"
    )
    parser.add_argument("--publisher", metavar="NAME", default="Ringback", help="whom readers should cite")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Write what was measured as a data package: OONI's format, Parquet, CSV or JSON Lines.

    Without --admin-token it is what everybody may see: cells that pass the privacy floor, with counts in bands.
    """
    token = None if arguments.admin_token is None else read_token(arguments.admin_token)
    order = Order(
        out=arguments.out,
        format=arguments.format,
        wanted=_wanted(arguments, full=token is not None),
        publisher=arguments.publisher,
        now_ms=now_ms(),
    )
    asyncio.run(export_from(order, arguments.data, arguments.collector, token, RULES, say_aside))
    return 0


def _wanted(arguments: argparse.Namespace, *, full: bool) -> Wanted:
    """The interval and place to export. Raises UserError."""
    country, until_ms = arguments.country, arguments.until or now_ms() + 1
    if country is not None and not (
        len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    ):
        raise UserError(f"--country takes two capital letters, such as MA, not {country!r}.")
    if arguments.since >= until_ms:
        raise UserError(f"{'--until' if arguments.until else 'Now'} must be later than --since.")
    return Wanted(
        since_ms=arguments.since,
        until_ms=until_ms,
        now_ms=now_ms(),
        country=country,
        simulated=arguments.simulated,
        full=full,
    )


def read_token(path: Path) -> str:
    """The admin token that a file holds. Raises UserError."""
    try:
        return utf8(path.read_bytes()).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The admin token cannot be read from {path}; it is in DATA/{TOKEN_FILE}.") from error


async def export_from(
    order: Order, data: Path | None, url: str | None, token: str | None, rules: Rules, say: Say
) -> None:
    """Exports from the collector at `url`; or from the directory `data`, through the collector that runs there if any.

    Raises UserError.
    """
    if url is None:
        url = await _from_files(order, data, token, rules, say)
    if url is not None:
        async with aiohttp.ClientSession() as session:
            await export(order, RunningCollector(url, token, session), say)


async def _from_files(order: Order, data: Path | None, token: str | None, rules: Rules, say: Say) -> str | None:
    """Exports from the files of `data`. Returns the address of the collector that holds them, else None when done.

    Raises UserError.
    """
    if data is None or not holds_log(data):
        raise UserError("Give --data, the directory of a collector, or --collector, the address of one that runs.")
    try:
        with opened(Options(data=data), rules) as parts:
            if token is not None and not hmac.compare_digest(token.encode(), admin_token(data).encode()):
                raise UserError(f"That is not the admin token of {data}; it is in {data / TOKEN_FILE}.")
            parts.projector.index(parts.warehouse.cursor())
            source = Source(
                log=parts.log,
                index=parts.index,
                targets=parts.kept_targets,
                warehouse=parts.warehouse,
                pseudonyms=parts.pseudonyms,
                credits=parts.networks.credits,
            )
            await export(order, OwnFiles(source), say)
    except DirectoryInUse as held:
        if held.address is None:
            raise
        return held.address
    return None
