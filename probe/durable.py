"""Files that are whole or absent, and stay after a power cut."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PART = ".part"  # of a file that is being written, under a name of its own; left behind only by a kill


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
