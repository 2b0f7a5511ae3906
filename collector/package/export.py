"""An export: data sets of an origin, written to a directory as a data package.

The directory appears when it is whole; until then it stands beside itself as OUT.partial.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from collector.package.data_package import DESCRIPTOR, Files, describe
from collector.package.origin import Origin
from collector.package.source import PUBLIC, About, Wanted
from collector.package.writing import FORMATS, Pieces
from probe.failure import UserError

TELL_EVERY_S = 2.0

Say = Callable[[str], None]


class Order(Struct, frozen=True, kw_only=True):
    """The order: what to export, as which format, into which directory, which must not exist. `now_ms` dates it."""

    out: Path
    format: str
    wanted: Wanted
    publisher: str
    now_ms: int


async def export(order: Order, origin: Origin, say: Say) -> None:
    """Exports into the directory, and says how far it is. Raises UserError."""
    write, datasets = FORMATS[order.format]
    allowed = [dataset for dataset in datasets if order.wanted.full or dataset in PUBLIC]
    if not allowed:
        raise UserError("Measurements are of single lines: give --admin-token, or export cells as csv.")
    files: list[Files] = []
    with _appearing(order.out) as directory:
        for dataset in allowed:
            async with origin.open(dataset, order.wanted) as stream:
                about = stream.about
                files.append(await write(_told(stream.pieces, dataset, say), dataset, directory, order.wanted.full))
        descriptor = describe(directory, files, order.wanted, about, publisher=order.publisher, now_ms=order.now_ms)
        text = msgspec.json.format(msgspec.json.encode(descriptor), indent=2)
        (directory / DESCRIPTOR).write_bytes(text + b"\n")
    _tell_end(order, files, about, say)


def _tell_end(order: Order, files: list[Files], about: About, say: Say) -> None:
    for each in files:
        say(f"{each.dataset}: {each.rows} in {len(each.paths)} file{'' if len(each.paths) == 1 else 's'}")
    if about.unjudged:
        say(f"{about.unjudged} batches are not judged yet, and not in it: export again when the collector caught up.")
    if about.waiting:
        say(f"{about.waiting} hours are as judged before the rules or keys changed: export again when none is.")
    if not any(each.rows for each in files):
        this, other = ("simulated", "without") if order.wanted.simulated else ("measured", "with")
        say(
            f"It is empty: nothing {this} there in that period may be published. Choose another interval or"
            f" --country, or export {other} --simulated."
        )
    say(f"{order.out} is a data package; {DESCRIPTOR} says how to cite it.")


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A directory to fill; at the end it becomes `out`, or is gone. Raises UserError."""
    partial = out.with_name(out.name + ".partial")
    try:
        if out.exists():
            raise UserError(f"{out} exists: give a directory that does not, for an export is a whole.")
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        os.rename(partial, out)
    except OSError as error:
        raise UserError(f"The export cannot be written to {out}: {error.strerror}.") from error


class _When(Struct):
    """The fields in which a row, of whichever data set, says when it was."""

    hour: str = ""
    started: str = ""
    measurement_start_time: str = ""


async def _told(pieces: Pieces, dataset: str, say: Say) -> AsyncIterator[bytes]:
    """The same pieces, and now and then how far they are."""
    rows, told = 0, time.monotonic()
    async for piece in pieces:
        rows += piece.count(b"\n")
        if piece and time.monotonic() - told >= TELL_EVERY_S:
            when = msgspec.json.decode(piece[piece.rfind(b"\n", 0, -1) + 1 :], type=_When)
            day = (when.hour or when.started or when.measurement_start_time)[:10]
            say(f"{dataset}: {rows} up to {day} …")
            told = time.monotonic()
        yield piece
