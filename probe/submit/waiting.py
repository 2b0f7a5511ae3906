"""Cycles that wait for a ticket before they are sealed: by the one before them and the first after they may belong.

    <spool>/waiting/000000000017-<cycle>.cycle   gzip of JSON

They are of a time when the collector could not be reached, so there may be many: beyond a day, or BYTES, they are
sealed as what belongs to no network. A kill between sealing and release seals them again, and their collector knows
each measurement by its uid.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from probe import durable
from probe.model import Measurement, Ticket
from probe.submit.spool import WAITING

BYTES = 8_000_000  # of a spool of 64 MB
SUFFIX = ".cycle"

logger = logging.getLogger(__name__)


class WaitingCycle(Struct, frozen=True, kw_only=True):
    """What was measured, and by what it may belong to a network. `gateway` is a mark; the key is that of `before`."""

    url: str  # of the collector
    before: Ticket
    gateway: str
    held_ms: int  # since when it waits, by the device's clock
    software: str
    targets: str
    measurements: tuple[Measurement, ...]


class Waiting:
    """The cycles that wait in a spool's directory. Methods raise OSError when the disk does not obey."""

    def __init__(self, spool: Path) -> None:
        self._directory = spool / WAITING

    def hold(self, cycle: str, waiting: WaitingCycle) -> None:
        """Keeps a cycle: it is on disk when this returns. `cycle` is its id."""
        durable.make_directory(self._directory)
        paths = self.paths()
        number = int(paths[-1].name.partition("-")[0]) + 1 if paths else 1
        data = gzip.compress(msgspec.json.encode(waiting), mtime=0)
        durable.write(self._directory / f"{number:012}-{cycle}{SUFFIX}", data)

    def paths(self) -> list[Path]:
        """The files of cycles that wait, oldest first."""
        return sorted(self._directory.glob(f"[0-9]*-*{SUFFIX}"))

    def read(self, path: Path) -> WaitingCycle | None:
        """The cycle in a file; None when another process released it, or when it is damaged, which is said."""
        try:
            return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=WaitingCycle)
        except FileNotFoundError:
            return None
        except (EOFError, gzip.BadGzipFile, zlib.error, ValueError, msgspec.MsgspecError) as error:
            logger.warning("A cycle that waited is damaged and lost (%s).", type(error).__name__)
            self.release(path)
            return None

    def release(self, path: Path) -> None:
        """Forgets a cycle that is sealed."""
        path.unlink(missing_ok=True)

    def excess(self) -> Iterator[Path]:
        """The oldest cycles, without which the others have room."""
        sizes = {path: path.stat().st_size for path in self.paths()}
        over = sum(sizes.values()) - BYTES
        for path, size in sizes.items():
            if over <= 0:
                return
            over -= size
            yield path
