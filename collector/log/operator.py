"""The operator's records: whose key was blocked or let in again, when and why. What a person decided, beside the log.

    DATA/log/operator.ndjson   {"at_ms":…,"key":"<64 hex digits>","what":"block","reason":"…"}, one a line

Nothing in it is ever altered or taken out: what was said last of a key holds. It is no envelope, for nobody sent
it, and it is written beside a collector that runs, by whoever may write its files. Like the log it cannot be made again
from anything else: it is in a backup, and a rebuild asks it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from probe import durable
from probe.codecs.text import utf8
from probe.failure import UserError

FILE = "operator.ndjson"  # in the log's directory

Seen = tuple[int, int, int] | None  # a file's inode, size and time of change; None: there is none


class What(StrEnum):
    BLOCK = "block"
    UNBLOCK = "unblock"


class Decision(Struct, frozen=True, kw_only=True):
    """One record of the operator."""

    at_ms: int
    key: str  # hex
    what: What
    reason: str = ""


_DECISION = msgspec.json.Decoder(Decision)


def decisions(directory: Path) -> list[Decision]:
    """What the operator decided, in order. Raises UserError when it cannot be read."""
    path = directory / FILE
    try:
        return [_DECISION.decode(line) for line in utf8(path.read_bytes()).splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"{path} cannot be read ({error}): who is blocked is not known. Restore a backup.") from error


def blocked_by(decided: list[Decision]) -> frozenset[str]:
    """The keys of which the last that was said is that they are blocked."""
    last = {one.key: one.what for one in decided}
    return frozenset(key for key, what in last.items() if what is What.BLOCK)


def decide(directory: Path, one: Decision) -> bool:
    """Adds a record, durable on return; False, and nothing is added, where it holds already. Raises UserError."""
    with _alone(directory):
        decided = decisions(directory)
        if (one.key in blocked_by(decided)) is (one.what is What.BLOCK):
            return False
        data = b"".join(msgspec.json.encode(each) + b"\n" for each in [*decided, one])
        try:
            durable.write(directory / FILE, data)
        except OSError as error:
            raise UserError(f"{directory / FILE} cannot be written ({error}): nothing has changed.") from error
    return True


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two who write at once do not lose each other's records."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"The log {directory} cannot be opened: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def blocked_in(directory: Path) -> Callable[[], frozenset[str]]:
    """Asks for the keys that are blocked now; the file is read only when it has changed. Asking raises UserError."""
    known: dict[Seen, frozenset[str]] = {}

    def blocked() -> frozenset[str]:
        seen = _seen(directory / FILE)
        if seen not in known:
            found = blocked_by(decisions(directory))
            known.clear()
            known[seen] = found
        return known[seen]

    return blocked


def _seen(path: Path) -> Seen:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
