"""`ringback-collector keys list|block|unblock`: whose measurements are in the log, and whose count for nothing."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from collector.commands.arguments import add_data, say, say_aside
from collector.instance import LOG_DIRECTORY, now_ms, require_log
from collector.judging.frozen import frozen_lines
from collector.judging.index_thinning import heard_before
from collector.judging.known_keys import entries, known_keys, told
from collector.log import freezes
from collector.log.operator import Decision, What, blocked_by, decide, decisions
from probe.failure import UserError

_KEY = re.compile(r"[0-9a-f]{64}")
DONE = {
    What.BLOCK: "Blocked {}: what it sent is kept, and counts for nothing from the next judging on.",
    What.UNBLOCK: "Let {} in again: what it sent counts from the next judging on, as if it had never been blocked.",
}
ALREADY = {What.BLOCK: "{} is blocked already.", What.UNBLOCK: "{} is not blocked."}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("action", choices=("list", *What))
    parser.add_argument("key", metavar="KEY", nargs="?", help="block, unblock: a probe's public key, 64 hex digits")
    parser.add_argument("--reason", metavar="TEXT", default="", help="block, unblock: why, for whoever reads it later")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """List the keys whose measurements are in the log (list), have one count for nothing (block), or again (unblock).

    The collector may go on running: it reads the log only, and judges anew by itself when a key is blocked.
    """
    require_log(arguments.data)
    directory = arguments.data / LOG_DIRECTORY
    if not directory.exists():
        raise UserError(f"{arguments.data} was left by an older Ringback: start the collector on it once.")
    if arguments.action == "list":
        _list(directory)
    else:
        _decide(directory, What(arguments.action), _key(arguments.key), arguments.reason)
    return 0


def _list(directory: Path) -> None:
    blocked = blocked_by(decisions(directory))
    before = (one for each in heard_before(freezes.read(directory)) for one in each.successions)
    known = known_keys(entries(directory), blocked, frozen_lines(directory), before)
    for one in known:
        say(told(one))
    for key in sorted(blocked - {one.key for one in known}):
        say(f"{key}  never seen  BLOCKED")
    say_aside(f"{len(known)} keys, {len(blocked)} blocked.")


def _decide(directory: Path, what: What, key: str, reason: str) -> None:
    done = decide(directory, Decision(at_ms=now_ms(), key=key, what=what, reason=reason))
    say((DONE if done else ALREADY)[what].format(key))


def _key(word: str | None) -> str:
    """Raises UserError."""
    key = (word or "").strip().lower()
    if not _KEY.fullmatch(key):
        raise UserError(
            f"Give a probe's public key, 64 hex digits, as `keys list` prints it, not {word or 'nothing'!r}."
        )
    return key
