"""Files that are whole or absent, and stay after a power cut."""

from __future__ import annotations

import os
from pathlib import Path

PART = ".part"  # of a file that is being written; left behind only by a kill


def make_directory(path: Path) -> None:
    """With what is missing above it; new ones are for the owner alone."""
    for directory in (*reversed(path.parents), path):
        directory.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, data: bytes) -> None:
    """Puts a file, readable by the owner alone, in the place of an older one. Raises OSError; then nothing changed."""
    part = path.with_name(path.name + PART)
    try:
        _write_through(part, data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _write_through(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
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
