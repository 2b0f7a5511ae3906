"""The targets files that were ever given out, or sent by hand: a measurement is judged by the file that it was made by.

DIRECTORY/DIGEST.yaml
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from probe import durable

_DIGEST = re.compile(r"[0-9a-f]{64}")


class TargetBodies(Protocol):
    """Whoever keeps targets files by their digests."""

    def targets(self, digest: str) -> bytes | None: ...


class KeptTargets:
    """TargetBodies in a directory, which is made when it lacks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, digest: str, body: bytes) -> None:
        """Keeps a targets file; durable on return. Raises OSError."""
        path = self._path(digest)
        if not path.exists():
            durable.make_directory(self._directory)
            durable.create(path, body)

    def targets(self, digest: str) -> bytes | None:
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            return None

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ValueError("a digest is 64 hex digits")
        return self._directory / f"{digest}.yaml"
