"""`ringback-collector networks update`: the table that tells whose an address is, made of what others publish."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from collector.commands.arguments import add_data, say, say_aside
from collector.facts.credits import Credit
from collector.facts.networks_file import TABLE_FILE
from collector.facts.published import fetching
from collector.facts.published.making import Made, make
from probe import durable
from probe.failure import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("action", choices=("update",))
    parser.add_argument(
        "--from",
        dest="sources",
        metavar="FILE|URL",
        action="append",
        default=[],
        help="a table, or an archive of some: CSV from,to,…; iptoasn's TSV; MMDB; several are put together",
    )
    parser.add_argument("--attribution", metavar="TEXT", help="what the licence of --from asks to be shown")
    parser.add_argument(
        "--registry", metavar="URL", default=fetching.REGISTRY, help="where, without --from, the npm packages are"
    )


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Make the table of networks anew, from published tables; a collector that runs on --data takes it within a minute.

    Without --from it fetches two packages from the npm registry: @ip-location-db/asn and
    @ip-location-db/geo-whois-asn-country.
    """
    sources = asyncio.run(fetching.fetch(arguments.sources, arguments.registry))
    if arguments.attribution:
        sources = [replace(each, credits=(Credit(arguments.attribution),)) for each in sources]
    made = make(sources)
    path = arguments.data / TABLE_FILE
    _write(path, made.data)
    for sentence in _told(path, made):
        say(sentence)
    for name in made.uncredited:
        say_aside(f"Whose data {name} is, is not known: if its licence asks for a credit, say it with --attribution.")
    return 0


def _write(path: Path, data: bytes) -> None:
    """Raises UserError."""
    try:
        durable.make_directory(path.parent)
        durable.write(path, data)
    except OSError as error:
        raise UserError(f"The table {path} cannot be written: {error.strerror}.") from error


def _told(path: Path, made: Made) -> list[str]:
    owners, places = made.ranges
    of = f", of {datetime.fromtimestamp(made.about.data_ms / 1000, UTC):%Y-%m-%d}" if made.about.data_ms else ""
    said = [f"{path} tells whose an address is: {owners} ranges of networks, {places} of countries{of}."]
    if made.about.credits:
        said.append(f"Shown with it: {'; '.join(credit.in_words() for credit in made.about.credits)}.")
    return said
