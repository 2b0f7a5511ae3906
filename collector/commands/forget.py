"""`ringback-collector forget`: what was received of a key, or one batch, erased, and all that was concluded of it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from collector.commands.arguments import add_data, say
from collector.facts import collector_key
from collector.instance import LOG_DIRECTORY, DirectoryInUse, held, now_ms, require_log
from collector.judging.forgetting import Forgetting
from collector.judging.frozen import Frozen
from collector.log.operator import Decision, What, decide
from collector.log.sqlite import SqliteLog
from collector.log.tombstone import Why
from probe.failure import UserError

_HEX = re.compile(r"[0-9a-f]{64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--key", metavar="KEY", default="", help="all that was received of a probe's key until now")
    which.add_argument("--digest", metavar="DIGEST", default="", help="one batch, by its SHA-256")
    parser.add_argument("--why", choices=tuple(Why), required=True, help="stands in the log in its place")
    parser.add_argument("--reason", metavar="TEXT", default="", help="for whoever reads the operator's records")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Erase what was received of a key, or one batch, and all that was concluded of it. Backups still hold it.

    The collector may go on running: it does so within seconds, and judges everything again without it.
    """
    require_log(arguments.data)
    key, digest = _hex(arguments.key), _hex(arguments.digest)
    reason = arguments.reason
    one = Decision(at_ms=now_ms(), key=key, digest=digest, what=What.FORGET, why=arguments.why, reason=reason)
    decide(arguments.data / LOG_DIRECTORY, one)
    try:
        with held(arguments.data):
            say(f"Erased {_erase(arguments.data)} batches; what was concluded goes when the collector starts.")
    except DirectoryInUse:
        say("Noted: the collector that runs erases it within seconds, and judges everything again without it.")
    return 0


def _erase(data: Path) -> int:
    """Erases all that is to be forgotten, and returns of how many batches."""
    directory, key = data / LOG_DIRECTORY, collector_key.load_or_create(data)
    with closing(SqliteLog(directory)) as log:
        forgetting = Forgetting(directory, log, Frozen(directory), key.key, key.sign)
        return sum(forgetting.erase(one) for one in forgetting.pending())


def _hex(word: str) -> str:
    """Raises UserError."""
    word = word.strip().lower()
    if word and not _HEX.fullmatch(word):
        raise UserError(f"Give 64 hex digits, as `keys list` prints a key, not {word!r}.")
    return word
