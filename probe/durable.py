"""Files that are whole or absent, stay after a power cut, and are nobody else's to read."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS = 0o077  # what others may do, of a file's mode

PART = ".part"  # of a file that is being written, under a name of its own; left behind only by a kill


@contextmanager
def for_the_owner_alone() -> Iterator[None]:
    """What this process makes while entered is the owner's alone, whoever makes it: databases and sockets too."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def tighten(paths: Iterable[Path]) -> int:
    """Takes from others what they may do with these files and directories, and all in them; returns of how many.

    A link is left alone, and so is what another user owns: it is not ours to close.
    """
    return sum(_tighten(each) for path in paths for each in (path, *_beneath(path)))


def _beneath(path: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(path):
        yield from (Path(directory, name) for name in (*names, *files))


def _tighten(path: Path) -> bool:
    with suppress(FileNotFoundError, PermissionError):
        mode = path.lstat().st_mode
        if stat.S_IMODE(mode) & OTHERS and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
            return True
    return False


def make_directory(path: Path) -> None:
    """With what is missing above it; new ones are for the owner alone."""
    for directory in (*reversed(path.parents), path):
        directory.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, data: bytes) -> None:
    """Puts a file, readable by the owner alone, in the place of an older one. Raises OSError; then nothing changed."""
    descriptor, name = tempfile.mkstemp(suffix=PART, prefix=f"{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        _write_through(descriptor, data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create(path: Path, data: bytes) -> None:
    """The same for a file that is made once: who comes second keeps the first one's. Raises OSError."""
    descriptor, name = tempfile.mkstemp(suffix=PART, prefix=f"{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        _write_through(descriptor, data)
        _give_name(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_directory(path.parent)


def _give_name(part: Path, path: Path) -> None:
    """By a link, which takes no other file's place; where links are forbidden, as on Android, nearly so."""
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError:
        if not path.exists():
            part.replace(path)


def _write_through(descriptor: int, data: bytes) -> None:
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """The name of a new file is on disk only when its directory is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
