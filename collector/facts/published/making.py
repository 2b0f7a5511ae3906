"""A table of ours, made of several that others publish."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

import msgspec
from msgspec import Struct

from collector.facts.credits import About, Credit, together
from collector.facts.published import rows
from collector.facts.published.archive import Member, members
from collector.facts.published.databases import Database
from collector.facts.published.gathered import Gathered
from collector.facts.published.publishers import credits_of
from collector.facts.range_table import pack
from probe.failure import UserError

ROWS = (".csv", ".tsv")
NUMBERS = "-num.csv"  # the same rows once more, their addresses written as numbers
DATABASE = ".mmdb"
PACKAGE = "package.json"
MOST_PACKAGE = 65_536

_DATED = re.compile(r"\.(20[0-9]{8})$")  # the end of a version: 2.3.2026061719


class Source(Struct, frozen=True):
    """A published table: its bytes, which are read once, and what is known of it from where it came."""

    name: str
    file: BinaryIO
    data_ms: int | None = None
    credits: tuple[Credit, ...] | None = None


class Made(Struct, frozen=True):
    """`data` is the file; `uncredited` are sources of which nobody knows what their licence asks."""

    data: bytes
    about: About
    ranges: tuple[int, int]
    uncredited: tuple[str, ...]


class _Package(Struct, frozen=True):
    name: str = ""
    version: str = ""


def make(sources: Sequence[Source]) -> Made:
    """One table of all. Raises UserError."""
    gathered = Gathered()
    found = [_read(source, gathered) for source in sources]
    about = together([each for each, _ in found])
    if not any(gathered.counts()):
        raise UserError(f"There is no range of addresses in {', '.join(source.name for source in sources)}.")
    data = pack(about, gathered.pieces(4), gathered.pieces(6))
    uncredited = tuple(source.name for source, (_, known) in zip(sources, found, strict=True) if not known)
    return Made(data, about, gathered.counts(), uncredited)


def _read(source: Source, gathered: Gathered) -> tuple[About, bool]:
    """What is known of a source, and whether what its licence asks is among it. Raises UserError."""
    reading = _Reading(source)
    with source.file:
        for member in members(source.file, source.name):
            reading.read(member, gathered)
    if not reading.tables:
        raise UserError(f"{source.name} holds no table: a .csv, .tsv or .mmdb, or an archive of some.")
    return reading.about(), reading.credits is not None


class _Reading:
    """What becomes known of a source while it is read."""

    def __init__(self, source: Source) -> None:
        self.tables = 0
        self._name, self._data_ms = source.name, source.data_ms
        self.credits = source.credits if source.credits is not None else credits_of(source.name)
        self._told = source.credits is not None

    def read(self, member: Member, gathered: Gathered) -> None:
        """Raises UserError."""
        name, file = member
        if name == PACKAGE:
            self._packaged(file.read(MOST_PACKAGE))
        elif name.endswith(DATABASE):
            database = Database(file.read(), name)
            self._know(database.kind, database.built_ms)
            database.read(gathered)
            self.tables += 1
        elif name.endswith(ROWS) and not (name.endswith(NUMBERS) and name != self._name):
            self._know(name, None)
            rows.read(file, name, gathered)
            self.tables += 1

    def _packaged(self, data: bytes) -> None:
        try:
            package = msgspec.json.decode(data, type=_Package)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        self._name = f"{package.name} {package.version}"
        self._know(package.name, _dated(package.version), surely=True)

    def _know(self, name: str, data_ms: int | None, surely: bool = False) -> None:
        self._data_ms = data_ms or self._data_ms
        known = credits_of(name)
        if not self._told and known is not None and (surely or self.credits is None):
            self.credits = known

    def about(self) -> About:
        return About(data_ms=self._data_ms, credits=self.credits or (), sources=(self._name[:200],))


def _dated(version: str) -> int | None:
    """When the data of a package was gathered, ms, as its version says it."""
    found = _DATED.search(version)
    try:
        moment = datetime.strptime(found[1], "%Y%m%d%H") if found else None
    except ValueError:
        return None
    return None if moment is None else round(moment.replace(tzinfo=UTC).timestamp() * 1000)
