"""datapackage.json: what the files of an export are, by the Data Package standard, to cite and to check.

Beside the standard's own properties it has `citation`, and `ringback`: by which rules it was judged, how private it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from collector.facts.credits import Credit
from collector.package.source import About, Wanted
from collector.package.tables import COUNTS, TABLES, columns
from collector.warehouse.privacy_floor import BANDS, LARGEST
from probe import __version__
from probe.model import Json

DESCRIPTOR = "datapackage.json"
LICENCE = {
    "name": "CC-BY-4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
    "title": "Creative Commons Attribution 4.0 International",
}
MEANINGS = {
    "cells": "Hourly cells: the latest verdicts of all lines of one target, network and access, and their sum.",
    "verdicts": "One verdict per measurement: what was concluded about one line at one time, and by which rule.",
    "measurements": "One measurement a line, in OONI's format (df-000); what OONI has no format for is under x_ keys.",
}
METHOD = (
    "Probes of volunteers open the handshakes of call services up to the point where one would have to log in; a "
    "collector judges what they saw against controls outside the measured networks. `ok` means that no interference "
    "was seen at the stated depth, never that a call would have worked. Where there is no row, nothing is known."
)
SIMULATED = "SIMULATED: these measurements were made by a simulation. They say nothing about any real network. "
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
CHUNK = 1 << 20


class Files(Struct, frozen=True, kw_only=True):
    """The files of one data set, relative to the package."""

    dataset: str
    format: str  # csv, jsonl or parquet
    paths: tuple[str, ...]
    rows: int


def describe(
    directory: Path, files: Sequence[Files], wanted: Wanted, about: About, *, publisher: str, now_ms: int
) -> dict[str, Json]:
    """The descriptor of the package in `directory`."""
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    since, until = _day(wanted.since_ms), _day(max(wanted.since_ms, wanted.until_ms - 1))
    where = wanted.country or "all countries"
    mark = "simulated " if wanted.simulated else ""
    title = f"Internet calls, {where}, {since} to {until}: {mark}measurements of Ringback"
    name = "-".join(("ringback", *(["simulated"] if wanted.simulated else []), (wanted.country or "all").lower()))
    return {
        "profile": "data-package",
        "name": f"{name}-{since}-{until}",
        "title": title,
        "description": (SIMULATED if wanted.simulated else "") + METHOD,
        "created": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "licenses": [LICENCE],
        **({"sources": [_source(credit) for credit in about.credits]} if about.credits else {}),
        "contributors": [{"title": publisher, "role": "publisher"}],
        "citation": f"{publisher} ({moment.year}). {title} [data set]. Exported {moment:%Y-%m-%d}, rules version "
        f"{about.rules_version}. SHA-256 of each file in {DESCRIPTOR}. {LICENCE['name']}.",
        "ringback": {
            "software": f"ringback {__version__}",
            "rules_version": about.rules_version,
            "hours_to_be_judged_again": about.waiting,
            "simulated": wanted.simulated,
            "privacy": "exact, below the floor too"
            if wanted.full
            else "cells of 3 established lines from 3 sources (2 on cellular networks), an hour late, counts in bands",
        },
        "resources": [_resource(directory, each, wanted.full) for each in files if each.paths],
    }


def _source(credit: Credit) -> dict[str, Json]:
    """Whose data the networks' names are made of."""
    title = f"{credit.text} ({credit.licence})" if credit.licence else credit.text
    return {"title": title, **({"path": credit.url} if credit.url else {})}


def _resource(directory: Path, files: Files, full: bool) -> dict[str, Json]:
    """With hash and size where it is one file; of several, `ringback:files` has each one's."""
    stated = [{"path": path, **_sum(directory / path)} for path in files.paths]
    alone = {"bytes": stated[0]["bytes"], "hash": stated[0]["hash"]} if len(stated) == 1 else {"ringback:files": stated}
    shape: dict[str, Json] = {}
    if files.dataset in TABLES:
        shape = {"profile": "tabular-data-resource", "schema": schema(files.dataset, full)}
    return {
        "name": files.dataset,
        "description": MEANINGS[files.dataset],
        "path": files.paths[0] if len(files.paths) == 1 else list(files.paths),
        "format": files.format,
        "mediatype": MEDIA_TYPES[files.format],
        **({"encoding": "utf-8"} if files.format != "parquet" else {}),
        **({"compression": "gz"} if files.paths[0].endswith(".gz") else {}),
        **shape,
        "ringback:rows": files.rows,
        **alone,
    }


def schema(table: str, full: bool) -> dict[str, Json]:
    """The Table Schema of a table; not in full, counts are one of the bands."""
    bands = [word for _, word in BANDS] + [LARGEST]
    fields: list[Json] = []
    for column in columns(table, full):
        field: dict[str, Json] = {"name": column.name, "type": column.kind, "description": column.meaning}
        if column.name in COUNTS and not full:
            field["constraints"] = {"enum": bands}
        fields.append(field)
    return {"fields": fields, "missingValues": [""]}


def _sum(path: Path) -> dict[str, Json]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"bytes": size, "hash": f"sha256:{digest.hexdigest()}"}


def relative(directory: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(directory).as_posix() for path in paths))


def _day(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms // 1000, UTC):%Y-%m-%d}"
