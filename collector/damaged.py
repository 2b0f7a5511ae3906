"""Projections whose file is damaged: set aside for whoever wants to look at them, and made again of the log.

    warehouse.duckdb → warehouse.duckdb.damaged-20261128T160312Z

The log is the truth, so nothing is lost but time; and as few are kept as help, for they are as large as what they were.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

MOST_KEPT = 2
JOURNALS = (".wal", "-wal", "-shm")  # of DuckDB, of SQLite: beside the file, and a part of it

log = logging.getLogger(__name__)


def set_aside(path: Path, now: datetime | None = None) -> Path:
    """Moves a damaged projection out of its place, and drops the oldest of those moved before. Raises OSError."""
    aside = path.with_name(f"{path.name}.damaged-{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for suffix in ("", *JOURNALS):
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, aside.with_name(aside.name + suffix))
    _drop_old(path)
    log.warning("%s is damaged: it is kept as %s, and made again of the log.", path, aside.name)
    return aside


def _drop_old(path: Path) -> None:
    kept = path.parent.glob(f"{path.name}.damaged-*")
    names = sorted(each.name for each in kept if not each.name.endswith(JOURNALS))
    for name in names[:-MOST_KEPT]:
        for suffix in ("", *JOURNALS):
            path.with_name(name + suffix).unlink(missing_ok=True)
