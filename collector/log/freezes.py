"""What stays of days whose bodies go: their verdicts and cells, as they were last judged (a *freeze*).

    DATA/log/frozen/DAY-N/freeze.json   heard.json  verdict.parquet  cell.parquet  …

Without bodies nothing is judged again. So before the bodies of the days before DAY go, the hours that need them are
frozen: those before DAY, and two days more, whose own bodies stay, so that what is judged from then on finds all that
bears on it. A freeze goes on where the one before it ended. It is a part of the log: nothing can make it again.

What comes later and began in a frozen hour is *late*: it is kept as any other, and is judged by nobody. That follows
from its position and the freezes alone, so it is the same however often everything else is made again.

A freeze is never altered. One that is made anew without what was forgotten stands beside the old one, as N + 1, and
takes its place.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import msgspec
from msgspec import Struct

from probe import durable
from probe.failure import UserError

DIRECTORY = "frozen"  # in the log's
ABOUT, HEARD = "freeze.json", "heard.json"
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)-(\d+)")


class Freeze(Struct, frozen=True, kw_only=True):
    """About one freeze. Hours are counted since 1970, UTC, and so are days."""

    day: int  # the first whose bodies stay
    gone: int  # the position of the last body that goes
    position: int  # up to which all was judged
    since_hour: int  # where the freeze before it ended
    until_hour: int  # exclusive
    rules_version: int  # by which it was judged last
    copied: tuple[tuple[str, str], ...] = ()  # (key, uid) of what went, of which a copy stays that counts no more
    files: dict[str, str]  # name → SHA-256


class Freezes(Struct, frozen=True):
    """All freezes of a log, oldest first, and the directories in which they stand."""

    all: tuple[Freeze, ...] = ()
    places: tuple[Path, ...] = ()

    @property
    def day(self) -> int:
        """The first day whose bodies stay; 0: all do."""
        return self.all[-1].day if self.all else 0

    @property
    def gone(self) -> int:
        return self.all[-1].gone if self.all else 0

    @property
    def position(self) -> int:
        return self.all[-1].position if self.all else 0

    @property
    def until_hour(self) -> int:
        """Hours before this one are frozen."""
        return self.all[-1].until_hour if self.all else 0

    @property
    def copied(self) -> frozenset[tuple[str, str]]:
        return frozenset(pair for one in self.all for pair in one.copied)

    def heard(self) -> bytes:
        """What the last freeze notes of which batches came. Raises UserError."""
        try:
            return (self.places[-1] / HEARD).read_bytes()
        except OSError as error:
            raise UserError(f"{self.places[-1] / HEARD} cannot be read ({error}): restore the log.") from error

    def is_late(self, hour: int, position: int) -> bool:
        """Whether what began in that hour came after the hour was frozen."""
        return hour < self.until_hour and any(one.position < position and hour < one.until_hour for one in self.all)


NONE = Freezes()
_ABOUT = msgspec.json.Decoder(Freeze)


def read(log: Path) -> Freezes:
    """The freezes in a log's directory. Raises UserError when one cannot be read: what it says stands nowhere else."""
    newest: dict[str, tuple[int, Path]] = {}
    for path in sorted((log / DIRECTORY).glob("*")):
        name = _NAME.fullmatch(path.name)
        if name and (path / ABOUT).exists():
            newest[name[1]] = max(newest.get(name[1], (0, path)), (int(name[2]), path))
    places = tuple(path for _, (_, path) in sorted(newest.items()))
    return Freezes(tuple(_read(place) for place in places), places)


def _read(place: Path) -> Freeze:
    try:
        return _ABOUT.decode((place / ABOUT).read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise UserError(f"{place / ABOUT} cannot be read ({error}): restore the log from a backup.") from error


def begin(log: Path) -> Path:
    """An empty directory in which a freeze is made, whatever an interrupted attempt left there. Raises OSError."""
    part = log / DIRECTORY / f"new{durable.PART}"
    shutil.rmtree(part, ignore_errors=True)
    durable.make_directory(part)
    return part


def finish(part: Path, one: Freeze, name: str) -> Path:
    """Gives the directory its name: from then on it is there, whole. Returns where. Raises OSError."""
    for path in part.iterdir():
        path.chmod(0o400)
        durable.sync_directory(path)  # of a file it is the same call
    durable.write(part / ABOUT, msgspec.json.encode(one))
    place = part.with_name(name)
    part.rename(place)
    durable.sync_directory(place.parent)
    durable.sync_directory(place.parent.parent)
    return place


def digests(part: Path) -> dict[str, str]:
    """Name → SHA-256 of the files in a directory, but for what is said about them."""
    return {path.name: _sha256(path) for path in sorted(part.iterdir()) if path.name != ABOUT}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def drop_older(log: Path) -> None:
    """Removes what another freeze has taken the place of, and what an interrupted attempt left."""
    places = set(read(log).places)
    days = {path.name[: len("2026-02-25")] for path in places}
    for path in (log / DIRECTORY).glob("*"):
        if path.suffix == durable.PART or (path not in places and path.name[: len("2026-02-25")] in days):
            shutil.rmtree(path)


def faults(log: Path) -> list[str]:
    """What is wrong with the freezes of a log, in sentences."""
    try:
        known = read(log)
    except UserError as error:
        return [str(error)]
    found = []
    for place, one in zip(known.places, known.all, strict=True):
        missing = [name for name in one.files if not (place / name).exists()]
        other = [name for name in one.files if name not in missing and _sha256(place / name) != one.files[name]]
        found += [f"{place.name}: {name} is missing." for name in missing]
        found += [f"{place.name}: {name} is not what was frozen." for name in other]
    for one, later in zip(known.all, known.all[1:], strict=False):
        if later.since_hour != one.until_hour:
            found.append(f"{DIRECTORY}: between hours {one.until_hour} and {later.since_hour} a freeze is missing.")
    return found
