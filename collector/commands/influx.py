"""`ringback-collector influx ACTION`: the care for an InfluxDB, by hand."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.commands.arguments import add_data, options, say
from collector.influx import reader, settings, setup, upkeep
from collector.influx.client import Misconfigured, Server
from collector.instance import opened, require_log
from collector.judging.rules import RULES
from collector.warehouse.store import Warehouse
from probe.failure import UserError

OF_DATA: dict[str, Callable[[Warehouse], list[str]]] = {"refill": upkeep.refill, "refused": upkeep.refused}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_arguments(parser)
    parser.add_argument("action", choices=("setup", "check", *OF_DATA))
    parser.add_argument(
        "--raw-days", metavar="DAYS", type=_days, default=setup.RAW_DAYS, help="how long single verdicts are kept (90)"
    )
    parser.add_argument(
        "--influx-reader-file",
        metavar="FILE",
        type=Path,
        help=f"setup: an account for Grafana that may only read, made where it lacks; or in {reader.VARIABLE} (1.x)",
    )
    add_data(parser, required=False)


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Care for an InfluxDB: make its databases, and a reader's account for Grafana (setup), see whether it takes points
    (check), have all that --data holds written again (refill), list the points that it refused (refused).
    """
    sentences = _of_data(arguments) if arguments.action in OF_DATA else _of_server(arguments)
    for sentence in sentences:
        say(sentence)
    return 0


def _of_data(arguments: argparse.Namespace) -> list[str]:
    """What an action on a collector's directory says. Raises UserError."""
    if arguments.data is None:
        raise UserError(f"`influx {arguments.action}` needs --data, of a collector that does not run.")
    require_log(arguments.data)
    with opened(options(arguments), RULES) as parts:
        return OF_DATA[arguments.action](parts.warehouse)


def _of_server(arguments: argparse.Namespace) -> list[str]:
    """What an action on the InfluxDB itself says. Raises UserError."""
    server: Server | None = settings.server(arguments, os.environ)
    if server is None:
        raise UserError(f"Say which InfluxDB: --influx URL, or {settings.URL_VARIABLE}.")
    try:
        return asyncio.run(_set_up(server, arguments) if arguments.action == "setup" else setup.check(server))
    except Misconfigured as error:
        raise UserError(str(error)) from error


async def _set_up(server: Server, arguments: argparse.Namespace) -> list[str]:
    account = reader.from_settings(arguments.influx_reader_file, os.environ)
    said = await setup.setup(server, arguments.raw_days)
    return said if account is None else [*said, *await reader.make(server, account)]


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 7 <= int(text) <= 36_500):
        raise argparse.ArgumentTypeError(f"give a whole number of days from 7 on, not {text!r}")
    return int(text)
