"""`ringback-collector`: serve, rebuild, local. A mistake of the user's is one sentence on stderr and exit code 2."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from collector import local
from collector.access import TOKEN_FILE
from collector.hourly import Rules
from collector.serving import Options, address_of, listening, open_socket, opened, signalled
from probe.failure import UserError
from probe.judge.cells import access_of, cell
from probe.judge.rules import RULES_VERSION
from probe.judge.verdict import judge

RULES = Rules(judge=judge, cell=cell, access_of=access_of, version=RULES_VERSION)
LOCAL_PORT = 8321
EXIT_USER_ERROR = 2


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    arguments, rest = _parser().parse_known_args(words)
    if rest and arguments.command != "local":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    level = logging.WARNING if arguments.command == "local" else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    command: Callable[[argparse.Namespace, list[str]], int] = COMMANDS[arguments.command]
    try:
        return command(arguments, rest)
    except UserError as error:
        print(error, file=sys.stderr)
        return EXIT_USER_ERROR


def serve(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Receive batches until Ctrl-C or SIGTERM."""

    async def until_signalled() -> None:
        with open_socket(*_host_and_port(arguments.listen)) as sock:
            async with listening(parts, options, sock), signalled() as stopped:
                print(f"Listening on {address_of(sock)}. Admin token: {options.data / TOKEN_FILE}", flush=True)
                await stopped.wait()

    options = _options(arguments)
    with opened(options, RULES) as parts:
        asyncio.run(until_signalled())
    return 0


def rebuild(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Judge the whole log again, into a new warehouse that takes the place of the old one."""
    with opened(_options(arguments), RULES) as parts:
        parts.projector.rebuild()
        print(f"Judged again, up to batch {parts.warehouse.cursor()}.")
    return 0


def local_(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Measure one's own line and look at the result, all on this machine."""
    options = _options(arguments)
    run = local.Local(options=options, once=arguments.once, port=arguments.port, probe=tuple(rest))
    with opened(options, RULES) as parts:
        return asyncio.run(local.run(run, parts, _say))


COMMANDS = {"serve": serve, "rebuild": rebuild, "local": local_}


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-collector", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {
        name: commands.add_parser(name, help=command.__doc__, description=command.__doc__, allow_abbrev=False)
        for name, command in COMMANDS.items()
    }
    for one in parsers.values():
        _add_common(one)
    parsers["serve"].add_argument("--listen", metavar="HOST:PORT", required=True)
    parsers["serve"].add_argument(
        "--trusted-proxy", metavar="CIDR", action="append", default=[], help="believe X-Forwarded-For of these"
    )
    parsers["local"].add_argument("--once", action="store_true", help="measure once, write the page, and end")
    parsers["local"].add_argument("--port", type=int, default=LOCAL_PORT, help=f"{LOCAL_PORT}, or the next free one")
    parsers["local"].epilog = "Other options are the probe's: see `ringback run --help`."
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--networks", metavar="FILE", type=Path, help="CSV prefix,asn,country,operator, or an MMDB")
    parser.add_argument("--control-key", metavar="KEY", action="append", default=[], help="public key of a control")
    parser.add_argument("--targets", metavar="FILE", type=Path, help="what probes are told to measure")


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        data=arguments.data,
        networks=arguments.networks,
        targets=arguments.targets,
        control_keys=tuple(arguments.control_key),
        trusted_proxies=tuple(getattr(arguments, "trusted_proxy", ())),
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        raise UserError(f"--listen takes HOST:PORT, such as 127.0.0.1:8321, not {text!r}.")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    sys.exit(main())
