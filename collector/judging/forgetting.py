"""Forgetting: what was received of a key, or one batch, is erased, and all that was concluded of it goes.

In this order, so that who is interrupted goes on: what was frozen of it; then its bodies, in whose place signed
tombstones stand (collector/log/tombstone.py); then index and warehouse are made again without it; then it is noted as
done. Digests stay, so that the same batch is known when it comes again, and is not kept. InfluxDB is told by the
warehouse's marks; where its points stood is forgotten when they say `none`.

Backups that were made before still hold it.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.judging.frozen import Frozen
from collector.judging.frozen_without import Lines
from collector.judging.index import SqliteIndex
from collector.log import Entry, tombstone
from collector.log.freezes import Freezes
from collector.log.operator import Decision, What, decide, decided_in, in_force
from collector.log.sqlite import SqliteLog
from collector.log.tombstone import Sign, Why
from collector.warehouse import outbox
from collector.warehouse.store import Warehouse
from probe.codecs.seal import reopen

HEADER_BYTES = 4096  # of the plain text in which the key is looked for
GROUP = 500  # batches looked at together
WITHDRAWN = "SELECT 1 FROM vacated WHERE NOT EXISTS (FROM unsent) LIMIT 1"

logger = logging.getLogger(__name__)


class _Key(Struct):
    key: str


_KEY = msgspec.json.Decoder(_Key)


class Forgetting:
    """Erases from `log`, in the directory of its files; `key` is the collector's, in hex, and `sign` signs with it."""

    def __init__(self, directory: Path, log: SqliteLog, frozen: Frozen, key: str, sign: Sign) -> None:
        self._directory, self._log, self._frozen = directory, log, frozen
        self._key, self._sign = key, sign
        self._decided = decided_in(directory)

    @property
    def freezes(self) -> Freezes:
        """What is frozen now."""
        return self._frozen.freezes

    def pending(self) -> list[Decision]:
        """What the operator wants forgotten and is not yet. Raises UserError."""
        decided = self._decided()
        wanted = in_force(decided, What.FORGET)
        last = {one.subject: one for one in decided if one.what is What.FORGET}
        return [last[subject] for subject in sorted(wanted)]

    def is_any_done(self) -> bool:
        """Whether anything was ever forgotten."""
        return any(one.what is What.FORGOTTEN for one in self._decided())

    def erase(self, one: Decision) -> int:
        """Erases what is frozen, and the bodies; returns of how many batches. Raises OSError, sqlite3.Error."""
        found = list(self._wanted(one))
        for lines in [Lines(key=one.key)] if one.key else [each.lines for each in found if each.lines]:
            self._frozen.leave_out(lines)
        stones = {
            each.position: tombstone.issue(each.digest, one.at_ms, Why(one.why), self._key, self._sign)
            for each in found
        }
        self._log.erase(stones)
        if stones:
            logger.info("Erased %d batches (%s): tombstones stand in their place.", len(stones), one.why)
        return len(stones)

    def done(self, one: Decision) -> None:
        """Notes that index and warehouse are without it, too."""
        decide(self._directory, msgspec.structs.replace(one, what=What.FORGOTTEN))

    def _wanted(self, one: Decision) -> Iterator[_Found]:
        position = 0
        while entries := self._log.read(position, GROUP):
            yield from (_found(entry, one) for entry in entries if _is_meant(entry, one))
            position = entries[-1].position


class _Found(Struct, frozen=True):
    position: int
    digest: bytes
    lines: Lines | None  # of a single batch that can be read


def _is_meant(entry: Entry, one: Decision) -> bool:
    if one.digest:
        return entry.envelope.digest.hex() == one.digest
    return entry.envelope.received_ms <= one.at_ms and key_of(entry.envelope.body) == one.key


def key_of(body: bytes) -> str | None:
    """The key that a batch says it is of, without inflating it whole; None where that cannot be read."""
    try:
        plain = zlib.decompressobj(wbits=31).decompress(body, HEADER_BYTES)
        return _KEY.decode(plain.split(b"\n", 1)[0]).key
    except (zlib.error, msgspec.MsgspecError):
        return None


def _found(entry: Entry, one: Decision) -> _Found:
    lines = None
    if one.digest:
        try:
            batch = reopen(entry.envelope.body)
            lines = Lines(key=batch.header.key, uids=tuple(each.uid for each in batch.measurements))
        except Exception:  # damaged: nothing is known of its lines
            logger.warning("Of batch %d only the body can be erased: it cannot be read.", entry.position)
    return _Found(entry.position, entry.envelope.digest, lines)


def forget(forgetting: Forgetting, index: SqliteIndex, warehouse: Warehouse, rebuild: Callable[[], None]) -> None:
    """Carries out what is pending. Raises OSError, and the errors of the databases; then it is tried again."""
    pending = forgetting.pending()
    if forgetting.is_any_done() and warehouse.select(WITHDRAWN):
        warehouse.change(outbox.forget_places)
    if not pending:
        return
    for one in pending:
        forgetting.erase(one)
    index.freeze(forgetting.freezes)
    index.clear()
    rebuild()
    for one in pending:
        forgetting.done(one)
