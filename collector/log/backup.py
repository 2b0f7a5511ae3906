"""A backup of a data directory: what cannot be made again from anything else. The collector may run meanwhile.

    OUT/log/…, with what is frozen and the operator's records  targets/…  collector.key  pseudonyms.key  *.secret

Index and warehouse are made again of the log, the secrets of source buckets never: they are for a day, and then nobody
is to have them. Of a running collector the backup holds all that was acknowledged before
it began, and of what came later a beginning: the parts are taken from the oldest to the newest, each at one moment.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from collector.facts import collector_key, pseudonyms
from collector.log import freezes, operator, segment
from probe import durable
from probe.failure import UserError

# What is said to be done comes before the segments, and what bodies went for after them: a backup that is taken
# meanwhile then says no more than it holds, and holds no less.
FIRST = ("log/id", f"log/{operator.FILE}")
LAST = (
    f"log/{freezes.DIRECTORY}/*-*/*",
    "targets/*.yaml",
    collector_key.KEY_FILE,
    pseudonyms.FILE,
    "*.secret",
)


def backup(data: Path, out: Path) -> int:
    """Backs up the data directory; returns how many days of the log it holds. Raises UserError."""
    if out.exists():
        raise UserError(f"{out} exists: a backup is made anew, give another name.")
    part = out.with_name(out.name + durable.PART)
    shutil.rmtree(part, ignore_errors=True)
    try:
        durable.make_directory(part / "log")
        _copy_plain(data, part, FIRST)
        days = sorted((data / "log").glob("*.sqlite"))
        for path in days:
            _copy_segment(path, part / "log" / path.name)
        _copy_plain(data, part, LAST)
        _sync(part)
        part.rename(out)
        durable.sync_directory(out.parent)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise UserError(f"{data} cannot be backed up to {out} ({error}).") from error
    return len(days)


def restore(saved: Path, data: Path) -> int:
    """Puts a backup into an empty or missing data directory; returns how many days of the log it held.

    Raises UserError.
    """
    if not (saved / "log" / "id").exists():
        raise UserError(f"{saved} is no backup of a collector.")
    if data.exists() and any(data.iterdir()):
        raise UserError(f"{data} is not empty: a backup is put into an empty directory. Move what is there away.")
    part = data.with_name(data.name + durable.PART)
    shutil.rmtree(part, ignore_errors=True)
    try:
        durable.make_directory(part.parent)
        shutil.copytree(saved, part)
        _sync(part)
        part.rename(data)
        durable.sync_directory(data.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise UserError(f"{saved} cannot be restored to {data} ({error}).") from error
    return len(list((data / "log").glob("*.sqlite")))


def _copy_segment(path: Path, to: Path) -> None:
    """As it stands at one moment, in one file without a journal."""
    os.close(os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(segment.reading_connection(path)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _copy_plain(data: Path, part: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        for path in data.glob(pattern):
            to = part / path.relative_to(data)
            durable.make_directory(to.parent)
            shutil.copy2(path, to)
            to.chmod(0o600)


def _sync(directory: Path) -> None:
    for path in (*directory.rglob("*"), directory):
        durable.sync_directory(path)  # of a file it is the same call
