"""The operator's records: whose key was blocked or let in again, what is held, what is to be forgotten. What a person
decided, beside the log.

    DATA/log/operator.ndjson   {"at_ms":…,"key":"<64 hex digits>","what":"block","reason":"…"}, one a line

A record is about a key, the digest of a batch, or a day. Nothing in it is ever altered or taken out: what was said last
of a thing holds. It is no envelope, for nobody sent
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
from typing import TypeVar

import msgspec
from msgspec import Struct

from probe import durable
from probe.codecs.text import utf8
from probe.failure import UserError

FILE = "operator.ndjson"  # in the log's directory

T = TypeVar("T")
Seen = tuple[int, int, int] | None  # a file's inode, size and time of change; None: there is none


class What(StrEnum):
    BLOCK = "block"
    UNBLOCK = "unblock"
    HOLD = "hold"
    RELEASE = "release"
    FORGET = "forget"
    FORGOTTEN = "forgotten"  # it was done


# What a word takes back.
TAKEN_BACK = {What.UNBLOCK: What.BLOCK, What.RELEASE: What.HOLD, What.FORGOTTEN: What.FORGET}
Subject = tuple[str, str, str]  # key, digest, day; one of them is said


class Decision(Struct, frozen=True, kw_only=True):
    """One record of the operator, about one of key, digest and day."""

    at_ms: int
    key: str = ""  # hex
    digest: str = ""  # hex
    day: str = ""  # 2026-11-28
    what: What
    why: str = ""  # of what is forgotten (tombstone.py)
    reason: str = ""

    @property
    def subject(self) -> Subject:
        return self.key, self.digest, self.day


class Holds(Struct, frozen=True):
    """What must not go, however old: the bodies of these days, and those with these digests."""

    days: frozenset[str] = frozenset()
    digests: frozenset[bytes] = frozenset()


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


def in_force(decided: list[Decision], what: What) -> frozenset[Subject]:
    """Those of which this was said, and not taken back since."""
    last = {one.subject: one.what for one in decided if what in (one.what, TAKEN_BACK.get(one.what))}
    return frozenset(subject for subject, said in last.items() if said is what)


def blocked_by(decided: list[Decision]) -> frozenset[str]:
    """The keys of which the last that was said is that they are blocked."""
    return frozenset(key for key, _, _ in in_force(decided, What.BLOCK))


def held_by(decided: list[Decision]) -> Holds:
    """What is held now."""
    held = in_force(decided, What.HOLD)
    return Holds(
        days=frozenset(day for _, _, day in held if day),
        digests=frozenset(bytes.fromhex(digest) for _, digest, _ in held if digest),
    )


def decide(directory: Path, one: Decision) -> bool:
    """Adds a record, durable on return; False, and nothing is added, where it holds already. Raises UserError."""
    with _alone(directory):
        decided = decisions(directory)
        takes_back = one.what in TAKEN_BACK
        if (one.subject in in_force(decided, TAKEN_BACK.get(one.what, one.what))) is not takes_back:
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
    """Asks for the keys that are blocked now. Asking raises UserError."""
    return _asked(directory, blocked_by)


def decided_in(directory: Path) -> Callable[[], list[Decision]]:
    """Asks for all records, in order. Asking raises UserError."""
    return _asked(directory, list)


def held_in(directory: Path) -> Callable[[], Holds]:
    """Asks for what is held now. Asking raises UserError."""
    return _asked(directory, held_by)


def _asked(directory: Path, of: Callable[[list[Decision]], T]) -> Callable[[], T]:
    """Asks for what follows from the records; the file is read only when it has changed."""
    known: dict[Seen, T] = {}

    def ask() -> T:
        seen = _seen(directory / FILE)
        if seen not in known:
            found = of(decisions(directory))
            known.clear()
            known[seen] = found
        return known[seen]

    return ask


def _seen(path: Path) -> Seen:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
