"""What was measured and not yet acknowledged: sealed batches on disk, oldest first.

A batch is sealed once, put here before anything is sent, and let go only for the collector's receipt.
A kill, a crash or a power cut loses nothing that was put; sending again what was already kept does no harm. For a week
it stays among what was sent: a collector that comes back from an old backup can be given it again.

    <directory>/000000000017-<batch>.batch      waiting
    <directory>/sent/….batch                    what the collector has, for a week and while there is room
    <directory>/refused/….batch and ….reason    what the collector will not take, and why
    <directory>/lost                            how many batches were dropped for want of room
    <directory>/unsealed                        how many measurements fitted in no batch
    <directory>/sequences.json                  key → number of its latest batch
    <directory>/losses.json                     key → what of it was dropped, as in the two numbers above
    <directory>/waiting/….cycle                 what is not sealed yet (waiting.py)
"""

from __future__ import annotations

import logging
import os
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from probe import durable
from probe.model import BatchHeader

LIMIT_BYTES = 64_000_000
SENT_BYTES = 16_000_000  # of them, at most, that were sent
SENT_S = 7 * 86_400.0
SUFFIX = ".batch"
WAITING = "waiting"
LONGEST_HEADER = 4_096  # bytes
MOST_KEYS = 200  # of which the latest number is remembered: one a network and quarter

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Lost(Struct, frozen=True):
    """What this probe made and will never send, so that the collector can show that something is missing."""

    batches: int = 0
    measurements: int = 0


class Spool:
    """Batches in a directory of at most `limit_bytes`. Every method raises OSError when the disk does not obey.

    `wall` gives the time in seconds since 1970.
    """

    def __init__(self, directory: Path, limit_bytes: int = LIMIT_BYTES, wall: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._refused = directory / "refused"
        self._sent = directory / "sent"
        self._lost = directory / "lost"
        self._unsealed = directory / "unsealed"
        self._sequences = directory / "sequences.json"
        self._losses = directory / "losses.json"
        self._waiting = directory / WAITING
        self._limit_bytes = limit_bytes
        self._wall = wall
        durable.make_directory(self._refused)
        durable.make_directory(self._sent)

    def put(self, batch_id: str, data: bytes) -> Path:
        """Keeps a batch: it is on disk when this returns. `batch_id` is that of its header."""
        self._make_room(len(data))
        waiting = self.pending()
        # Numbers and not times give the order: the clock of a device may jump.
        number = int(waiting[-1].name.partition("-")[0]) + 1 if waiting else 1
        path = self._directory / f"{number:012}-{batch_id}{SUFFIX}"
        try:
            durable.write(path, data)
        except OSError:
            if not self._forget_sent():
                raise
            durable.write(path, data)  # the disk itself may have had no room
        return path

    def _forget_sent(self) -> int:
        """Drops what was sent, whatever its age; returns how many batches."""
        sent = self.sent()
        for path in sent:
            path.unlink(missing_ok=True)
        return len(sent)

    def pending(self) -> list[Path]:
        """The batches that wait, oldest first."""
        return sorted(self._directory.glob(f"[0-9]*-*{SUFFIX}"))

    def read(self, path: Path) -> bytes | None:
        """The batch as it was put; None if it is gone, sent by another process or dropped."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def accepted(self, path: Path) -> None:
        """Sets a batch that the collector keeps among what was sent, and drops what has been there for a week."""
        kept = self._sent / path.name
        with suppress(FileNotFoundError):  # another process had it accepted
            path.replace(kept)
            os.utime(kept, (self._wall(), self._wall()))
        self._drop_old()

    def sent(self) -> list[Path]:
        """The batches that were sent within the week, oldest first."""
        return sorted(self._sent.glob(f"*{SUFFIX}"), key=lambda path: (path.stat().st_mtime, path.name))

    def resend(self) -> int:
        """Has what was sent within the week wait again; returns how many batches."""
        again = self.sent()
        for path in again:
            path.replace(self._directory / path.name)
        durable.sync_directory(self._directory)
        return len(again)

    def _drop_old(self) -> None:
        """What was sent goes after a week; of what is left, the latest stay that have room."""
        room, now = SENT_BYTES, self._wall()
        for path in reversed(self.sent()):
            about = path.stat()
            room -= about.st_size
            if room < 0 or not -SENT_S < now - about.st_mtime < SENT_S:
                path.unlink(missing_ok=True)

    def refused(self, path: Path, reason: str) -> None:
        """Sets a batch aside that the collector will never take, for whoever wants to know why."""
        target = self._refused / path.name
        durable.write(target.with_suffix(".reason"), f"{reason}\n".encode(errors="replace"))
        path.replace(target)
        durable.sync_directory(self._refused)

    @property
    def lost(self) -> Lost:
        """What was ever dropped: for want of room, or because no batch could hold it."""
        return Lost(_number(self._lost), _number(self._unsealed))

    def lost_of(self, key: str) -> Lost:
        """What was dropped of this key. Each tells of its own alone: the sum would join a volunteer's keys."""
        return self._lost_by_key().get(key, Lost())

    def count_unsealed(self, key: str) -> None:
        """Counts a measurement that fits in no batch."""
        durable.write(self._unsealed, f"{_number(self._unsealed) + 1}\n".encode())
        before = self.lost_of(key)
        self._lose(key, Lost(before.batches, before.measurements + 1))

    def _lose(self, key: str, lost: Lost) -> None:
        durable.write(self._losses, msgspec.json.encode(_latest(self._lost_by_key(), key, lost)))

    def _lost_by_key(self) -> dict[str, Lost]:
        return _read(self._losses, dict[str, Lost])

    def sequence(self, key: str) -> int:
        """The number of the next batch of this key, from 1 on: taken with `take`, and then never again."""
        return self._taken().get(key, 0) + 1

    def take(self, key: str, number: int) -> None:
        """The number is used, from before its batch is kept: better a gap than two batches of one number."""
        durable.write(self._sequences, msgspec.json.encode(_latest(self._taken(), key, number)))

    def _taken(self) -> dict[str, int]:
        return _read(self._sequences, dict[str, int])

    def _make_room(self, needed: int) -> None:
        """Drops what is worth least: what a kill left unfinished, what was sent, what was refused, then the oldest."""
        unfinished = sorted(self._directory.glob(f"*{durable.PART}"))
        waiting = self.pending()
        kept = [*unfinished, *self.sent(), *sorted(self._refused.iterdir()), *waiting]
        sizes = [path.stat().st_size for path in kept]
        unsealed = sum(path.stat().st_size for path in self._waiting.glob("*"))
        excess = sum(sizes) + unsealed + needed - self._limit_bytes
        dropped = 0
        for path, size in zip(kept, sizes, strict=True):
            if excess <= 0:
                break
            # Counted first: a count too high by one is better than a loss that nobody knows of.
            dropped += self._count_loss(path) if path in waiting else 0
            path.unlink(missing_ok=True)
            excess -= size
        if dropped:
            logger.warning("%d batches that were never sent were dropped: the spool is full", dropped)

    def _count_loss(self, path: Path) -> int:
        durable.write(self._lost, f"{_number(self._lost) + 1}\n".encode())
        key = _key_of(path.read_bytes())
        before = self.lost_of(key)
        self._lose(key, Lost(before.batches + 1, before.measurements))
        return 1


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _key_of(batch: bytes) -> str:
    """The key of a batch; none of something else."""
    try:
        first = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(batch, LONGEST_HEADER).partition(b"\n")[0]
        return msgspec.json.decode(first, type=BatchHeader).key
    except (zlib.error, ValueError, msgspec.MsgspecError):
        return ""


def _latest(known: dict[str, T], key: str, value: T) -> dict[str, T]:
    """With the value under the key, as the last; of too many the first goes."""
    others = [(each, known[each]) for each in known if each != key]
    return dict([*others, (key, value)][-MOST_KEYS:])


def _read(path: Path, shape: type[T]) -> T:
    """What a file says of each key: nothing, when it is not there, or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (FileNotFoundError, ValueError, msgspec.MsgspecError):
        return shape()
