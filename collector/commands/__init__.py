"""`ringback-collector`: one command a file. A mistake of the user's is one sentence on stderr and exit code 2."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Protocol

from collector.commands import (
    backup,
    export,
    forget,
    hold,
    influx,
    keys,
    link,
    local,
    networks,
    rebuild,
    replay,
    restore,
    rotate_key,
    serve,
    sip_echo,
    verify,
)
from probe import __version__, durable
from probe.codecs.text import speak_plainly
from probe.failure import UserError

EXIT_USER_ERROR = 2


class Command(Protocol):
    """A module of this package. The docstring of `run` is the command's help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace, rest: Sequence[str]) -> int:
        """The exit code; `rest` are the words that nobody here knows. Raises UserError."""
        ...


COMMANDS: dict[str, Command] = {
    "serve": serve,
    "rebuild": rebuild,
    "verify": verify,
    "backup": backup,
    "restore": restore,
    "local": local,
    "link": link,
    "keys": keys,
    "hold": hold,
    "forget": forget,
    "networks": networks,
    "replay": replay,
    "export": export,
    "influx": influx,
    "rotate-key": rotate_key,
    "sip-echo": sip_echo,
}
ABOUT = "Keep what probes measured, judge it, and show it."
TAKES_REST = "local"  # the words for its child, the probe


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    speak_plainly(sys.stdout, sys.stderr)
    parser = grammar()
    arguments, rest = parser.parse_known_args(words)
    if rest and arguments.command != TAKES_REST:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    level = logging.WARNING if arguments.command == "local" else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        with durable.for_the_owner_alone():
            return COMMANDS[arguments.command].run(arguments, rest)
    except UserError as error:
        print(error, file=sys.stderr)
        return EXIT_USER_ERROR


def grammar() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-collector", description=ABOUT, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        words = command.run.__doc__
        command.add_arguments(commands.add_parser(name, help=words, description=words, allow_abbrev=False))
    return parser
