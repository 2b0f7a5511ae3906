"""`ringback-collector hold list|add|release`: which bodies must not go when they are old."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from collector.commands.arguments import add_data, say
from collector.instance import LOG_DIRECTORY, now_ms, require_log
from collector.log.operator import Decision, What, decide, decisions, in_force
from probe.failure import UserError

LIST, ADD, RELEASE = "list", "add", "release"
WORDS = {ADD: What.HOLD, RELEASE: What.RELEASE}
DONE = {ADD: "Held: {}.", RELEASE: "Released: {}; it goes when it is old."}
ALREADY = {ADD: "{} is held already.", RELEASE: "{} is not held."}
_DIGEST = re.compile(r"[0-9a-f]{64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("action", choices=(LIST, ADD, RELEASE))
    parser.add_argument("what", metavar="DAY|DIGEST", nargs="?", help="a day of receipt, or the SHA-256 of a batch")
    parser.add_argument("--reason", metavar="TEXT", default="", help="add, release: why, for whoever reads it later")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Keep what was received on a day, or one batch, however old, for a report that stands on it (add, release, list).

    The collector may go on running. What has gone already does not come back.
    """
    require_log(arguments.data)
    directory = arguments.data / LOG_DIRECTORY
    if arguments.action == LIST:
        _list(directory)
        return 0
    digest, day = _subject(arguments.what or "")
    what = WORDS[arguments.action]
    one = Decision(at_ms=now_ms(), digest=digest, day=day, what=what, reason=arguments.reason)
    say((DONE if decide(directory, one) else ALREADY)[arguments.action].format(digest or day))
    return 0


def _list(directory: Path) -> None:
    for _, digest, day in sorted(in_force(decisions(directory), What.HOLD)):
        say(digest or day)


def _subject(word: str) -> tuple[str, str]:
    """A digest, or a day. Raises UserError."""
    word = word.strip().lower()
    if _DIGEST.fullmatch(word):
        return word, ""
    try:
        return "", date.fromisoformat(word).isoformat()
    except ValueError:
        raise UserError(
            f"Give a day, such as 2026-02-26, or the digest of a batch, not {word or 'nothing'!r}."
        ) from None
