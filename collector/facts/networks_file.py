"""The table of networks that a collector uses: read from a file, and again when another takes the file's place.

    DATA/networks.table   made by `ringback-collector networks update`; another may be named by --networks

A file that cannot be read leaves the table as it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import maxminddb
from msgspec import Struct

from collector.facts.credits import About, Credit
from collector.facts.networks import Networks, PrefixTable, read_networks
from collector.facts.operators import Named, Operator
from collector.facts.published.publishers import credits_of
from collector.facts.range_table import MAGIC, Damaged, unpack
from probe.failure import UserError
from probe.model import Network

logger = logging.getLogger(__name__)

TABLE_FILE = "networks.table"
LOOK_S = 30.0  # between two looks at whether the file is another
NO_TABLE = (
    "Whose addresses are whose is not known: every line will be of an unknown country. Run `ringback-collector networks"
    " update --data {}`, also while this runs, or give --networks."
)

_Which = tuple[int, int, int]  # tells one file from another that took its place


class _Used(Struct, frozen=True):
    which: _Which | None  # None: there is no file
    networks: Networks
    about: About = About()


class NetworksFile:
    """`optional`: there may be no file, or not yet. Raises UserError when there is one that cannot be read."""

    def __init__(
        self, path: Path, operators: tuple[Operator, ...], now_ms: Callable[[], int], *, optional: bool
    ) -> None:
        self._path, self._operators, self._now_ms = path, operators, now_ms
        self._refused: _Which | None = None
        which = _which(path)
        empty = optional and which is None
        self._used = _Used(None, PrefixTable()) if empty else self._read(which)

    def lookup(self, address: str) -> Network:
        return self._used.networks.lookup(address)

    def is_cgn(self, address: str) -> bool:
        return self._used.networks.is_cgn(address)

    @property
    def is_there(self) -> bool:
        """There is a table."""
        return self._used.which is not None

    def credits(self) -> tuple[Credit, ...]:
        """What is to be shown wherever a network is named."""
        return self._used.about.credits

    def age_ms(self) -> int | None:
        """The age of what the table was made of; None where nobody says it."""
        return self._used.about.age_ms(self._now_ms())

    async def run(self) -> None:
        """Looks at the file again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Takes another file that has come in the place of the one that was read."""
        which = _which(self._path)
        if which is None or which in (self._used.which, self._refused):
            return
        try:
            self._used = self._read(which)
        except UserError as error:
            self._refused = which
            logger.error("%s The table of networks stays as it was.", error)
        else:
            logger.info("Another table of networks is used from now on.")

    def _read(self, which: _Which | None) -> _Used:
        """Raises UserError."""
        networks, about = read(self._path)
        named = networks if isinstance(networks, PrefixTable) else Named(networks, self._operators, self._now_ms)
        return _Used(which, named, about)


def read(path: Path) -> tuple[Networks, About]:
    """A table of any kind, and what is known of it. Raises UserError."""
    try:
        with path.open("rb") as file:
            ours = file.read(len(MAGIC)) == MAGIC
        if ours:
            table = unpack(path.read_bytes())
            return table, table.about
    except (OSError, Damaged) as error:
        raise UserError(f"The networks file {path} cannot be read: {error}.") from error
    networks = read_networks(path)
    return networks, _about_database(path) if path.suffix == ".mmdb" else About()


def _about_database(path: Path) -> About:
    with maxminddb.open_database(path) as reader:
        metadata = reader.metadata()
    return About(
        data_ms=metadata.build_epoch * 1000,
        credits=credits_of(metadata.database_type) or (),
        sources=(metadata.database_type,),
    )


def _which(path: Path) -> _Which | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
