"""An envelope → its batch, opened → records: all that is said of a measurement follows from the facts that were kept.

It was checked when it came: today's limits must not undo what was kept. The start is computed here, each time anew, so
that what is known better later corrects it.
"""

from __future__ import annotations

import gzip
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from collector.facts.start import Start, corrected_start
from collector.log import Entry, Record
from probe.codecs.seal import measurement_at
from probe.model import BatchHeader, Measurement, Network

KEPT_BYTES = 128_000_000

_HEADER = msgspec.json.Decoder(BatchHeader)


class Unreadable(Exception):
    """A body, or one line of it, cannot be read (any more): the disk has lost a part, or this version lacks the words.
    `fault`: why, for machines.
    """

    def __init__(self, position: int, fault: str, line: int = 0) -> None:
        what = f"Line {line} of the batch" if line else "The batch"
        super().__init__(f"{what} at position {position} cannot be read ({fault}).")
        self.fault = fault


class Batch(Struct, frozen=True, kw_only=True):
    """A batch at its place in the log. `lines` are all of its body; the header's is 0, then come those of contexts."""

    position: int
    received_ms: int
    network: Network
    named: dict[str, Network]
    bucket: bytes | None
    header: BatchHeader
    lines: tuple[bytes, ...]

    @property
    def numbers(self) -> range:
        """Of the lines that are measurements."""
        return range(1 + self.header.contexts, len(self.lines) - 2)  # the signature ends the last line

    @property
    def size(self) -> int:
        return sum(map(len, self.lines))


class Brief(Struct, frozen=True, kw_only=True):
    """Of a measurement, what it is found by."""

    uid: str
    target: str
    cycle: str
    round: int = 1
    started_ms: int
    clock_offset_ms: int | None = None


_BRIEF = msgspec.json.Decoder(Brief)


def opened(entry: Entry) -> Batch:
    """The batch of an envelope. Raises Unreadable."""
    one = entry.envelope
    try:
        lines = gzip.decompress(one.body).split(b"\n")
        header = _HEADER.decode(lines[0])
        bytes.fromhex(header.key + header.targets)
    except (OSError, EOFError, ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise Unreadable(entry.position, type(error).__name__) from error
    return _batch(entry, header, lines)


def brief(batch: Batch, number: int) -> Brief:
    """Line `number` of a batch, as it is found. Raises Unreadable."""
    try:
        one = _BRIEF.decode(batch.lines[number])
        bytes.fromhex(one.uid + one.cycle)
        return one
    except (ValueError, msgspec.MsgspecError) as error:
        raise Unreadable(batch.position, type(error).__name__, number) from error


def start(batch: Batch, seen: Brief | Measurement) -> Start:
    """When a measurement of a batch began."""
    return corrected_start(seen.started_ms, seen.clock_offset_ms, batch.header.sealed_ms, batch.received_ms)


def record(batch: Batch, number: int) -> Record:
    """Line `number` of a batch. Raises Unreadable."""
    try:
        measurement = measurement_at(batch.lines, number)
    except (LookupError, ValueError, msgspec.MsgspecError) as error:
        raise Unreadable(batch.position, type(error).__name__, number) from error
    return _record(batch, number, measurement, start(batch, measurement))


def stub(batch: Batch, number: int, measurement: Measurement, fault: str) -> Record:
    """The record of what cannot be read any more: `measurement` is what is known of it otherwise."""
    return replace(_record(batch, number, measurement, Start(measurement.started_ms, known=True)), damage=fault)


def _record(batch: Batch, number: int, measurement: Measurement, began: Start) -> Record:
    return Record(
        cursor=batch.position,
        line=number,
        key=batch.header.key,
        measurement=measurement,
        started_ms=began.ms,
        clock_known=began.known,
        received_ms=batch.received_ms,
        network=batch.network,
        resolver_networks=batch.named,
        targets=batch.header.targets,
        software=batch.header.software,
        bucket=None if batch.bucket is None else batch.bucket.hex(),
    )


class OpenedBatches:
    """Batches, opened, the latest used of them kept. May be asked from any thread.

    One batch holds many targets, and the projector asks by target, so each is wanted many times in a row. Bounded by
    bytes and not by number: a stranger's batch may be a hundred times the size of an honest one.
    """

    def __init__(self, read: Callable[[int], Batch], limit_bytes: int = KEPT_BYTES) -> None:
        self._read, self._limit = read, limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Batch] = OrderedDict()
        self._bytes = 0

    def at(self, position: int) -> Batch:
        """The batch at a position of the log. Raises Unreadable."""
        with self._lock:
            kept = self._kept.get(position)
            if kept is not None:
                self._kept.move_to_end(position)
                return kept
        batch = self._read(position)
        self.keep(batch)
        return batch

    def keep(self, batch: Batch) -> None:
        """Keeps one that is opened already."""
        with self._lock:
            if batch.position not in self._kept:
                self._kept[batch.position] = batch
                self._bytes += batch.size
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].size


def without_body(entry: Entry, key: str, software: str, targets: str) -> Batch:
    """What is known of a batch whose body cannot be read any more."""
    sealed_ms = entry.envelope.received_ms
    header = BatchHeader(format=1, key=key, batch="", sealed_ms=sealed_ms, software=software, targets=targets)
    return _batch(entry, header, ())


def _batch(entry: Entry, header: BatchHeader, lines: Sequence[bytes]) -> Batch:
    one = entry.envelope
    return Batch(
        position=entry.position,
        received_ms=one.received_ms,
        network=one.network,
        named=one.named,
        bucket=one.bucket,
        header=header,
        lines=tuple(lines),
    )
