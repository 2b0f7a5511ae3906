"""The data package, by the field's own validator: schema, rows, hashes; Parquet by DuckDB, in the layout of Hive."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import frictionless
import msgspec
import pytest

from collector.facts.credits import Credit
from collector.facts.published.publishers import DBIP
from collector.package.source import Source
from collector.package.tables import columns
from collector.package.writing import write_ooni
from probe.model import Json
from tests.collector.package.holding import exported, rows


def validated(directory: Path, monkeypatch: pytest.MonkeyPatch) -> frictionless.Report:
    monkeypatch.chdir(directory)  # paths of a descriptor are taken from where one stands
    return frictionless.validate("datapackage.json")


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
async def test_frictionless_finds_it_whole(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, full: bool
) -> None:
    descriptor = await exported(source, tmp_path / "out", format, full=full)
    report = validated(tmp_path / "out", monkeypatch)
    assert report.flatten(["name", "rowNumber", "fieldName", "note"]) == []
    counted = {task.name: task.stats["rows"] for task in report.tasks}
    assert counted == {each["name"]: each["ringback:rows"] for each in descriptor["resources"]}
    assert set(counted) == ({"cells", "verdicts"} if full else {"cells"})
    assert min(counted.values()) > 30


async def test_frictionless_finds_what_was_altered(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash does not fit, nor does a count that is no band."""
    await exported(source, tmp_path / "out", "csv", full=False)
    path = tmp_path / "out" / "cells.csv"
    path.write_text(path.read_text().replace("3-5", "4", 1))
    kinds = {error[0] for error in validated(tmp_path / "out", monkeypatch).flatten(["type"])}
    assert kinds == {"hash-count", "byte-count", "constraint-error"}


async def test_frictionless_reads_ooni_lines(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = await exported(source, tmp_path / "out", "ooni")
    assert validated(tmp_path / "out", monkeypatch).valid
    (resource,) = descriptor["resources"]
    assert resource["ringback:rows"] == len(rows(tmp_path / "out" / "measurements.jsonl.gz"))


@pytest.mark.parametrize("full", [True, False])
async def test_parquet_says_the_same_as_json(source: Source, tmp_path: Path, full: bool) -> None:
    descriptor = await exported(source, tmp_path / "parquet", "parquet", full=full)
    await exported(source, tmp_path / "jsonl", "jsonl", full=full)
    described = frictionless.Package.from_descriptor(descriptor).to_descriptor()
    assert list(frictionless.Package.metadata_validate(described)) == []
    for resource in descriptor["resources"]:
        name = resource["name"]
        expected = rows(tmp_path / "jsonl" / f"{name}.jsonl")
        found = read(tmp_path / "parquet" / name, [column.name for column in columns(name, full)])
        assert sorted(found, key=str) == sorted((plain(row) for row in expected), key=str)
        assert resource["ringback:rows"] == len(expected)


def read(directory: Path, names: list[str]) -> list[tuple[Json, ...]]:
    selected = ", ".join(f'"{name}"::VARCHAR' for name in names)
    with duckdb.connect() as connection:
        pattern = str(directory / "*" / "*" / "*.parquet")
        return connection.execute(
            f"SELECT {selected} FROM read_parquet($1, hive_partitioning = true)", [pattern]
        ).fetchall()


def plain(row: dict[str, Json]) -> tuple[Json, ...]:
    """As DuckDB writes values out."""
    return tuple(_plain(name, value) for name, value in row.items())


def _plain(name: str, value: Json) -> Json:
    if name in ("hour", "started"):
        return value.replace("T", " ").removesuffix("Z")
    return value if value is None else str(value).lower() if isinstance(value, bool) else str(value)


async def test_parquet_lies_by_day_and_country_with_each_files_hash(source: Source, tmp_path: Path) -> None:
    descriptor = await exported(source, tmp_path / "out", "parquet")
    verdicts = next(each for each in descriptor["resources"] if each["name"] == "verdicts")
    places = {tuple(path.split("/")[1:3]) for path in verdicts["path"]}
    assert places == {
        (f"day=2016-01-{day}", f"country={country}") for day in ("08", "15") for country in ("MA", "XA", "XB")
    }
    for stated in verdicts["ringback:files"]:
        data = (tmp_path / "out" / stated["path"]).read_bytes()
        assert stated["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert stated["bytes"] == len(data)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cells", "verdicts", "datapackage.json"}


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "ooni"])
async def test_an_empty_export_is_a_package_too(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    descriptor = await exported(source, tmp_path / "out", format, simulated=False)
    if format == "csv":  # frictionless cannot open JSON Lines without a line
        assert validated(tmp_path / "out", monkeypatch).valid
    assert [each["ringback:rows"] for each in descriptor["resources"]] == [0] * (1 if format == "ooni" else 2)
    if format == "parquet":
        with duckdb.connect() as connection:
            empty = connection.execute("SELECT * FROM read_parquet($1)", [str(tmp_path / "out" / "cells" / "*")])
            assert [name for name, *_ in empty.description or ()] == [each.name for each in columns("cells", True)]


async def test_it_says_what_it_is_and_how_to_cite_it(source: Source, tmp_path: Path) -> None:
    descriptor = await exported(source, tmp_path / "out", "csv", country="MA", full=False)
    assert descriptor["name"] == "ringback-simulated-ma-2016-01-01-2016-01-31"
    assert descriptor["description"].startswith("SIMULATED:")
    assert descriptor["licenses"][0]["name"] == "CC-BY-4.0"
    assert descriptor["ringback"]["privacy"] == (
        "cells of 3 established lines from 3 sources (2 on cellular networks), an hour late, counts in bands"
    )
    assert descriptor["citation"].startswith("Ringback (2016). Internet calls, MA, 2016-01-01 to 2016-01-31: simulated")
    assert f"rules version {descriptor['ringback']['rules_version']}" in descriptor["citation"]


async def test_it_says_whose_data_names_the_networks(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "sources" not in await exported(source, tmp_path / "nobody", "csv", country="MA", full=False)
    credited = msgspec.structs.replace(source, credits=lambda: (DBIP, Credit("Somebody")))
    descriptor = await exported(credited, tmp_path / "out", "csv", country="MA", full=False)
    assert descriptor["sources"] == [
        {"title": "IP Geolocation by DB-IP (CC BY 4.0)", "path": "https://db-ip.com/"},
        {"title": "Somebody"},
    ]
    assert validated(tmp_path / "out", monkeypatch).valid


async def test_the_same_lines_give_the_same_file_however_they_come(tmp_path: Path) -> None:
    """So that its hash, by which it is cited, can be had again."""
    lines = [b'{"n":%d,"x":"%s"}\n' % (n, hashlib.sha256(b"%d" % n).hexdigest().encode() * 20) for n in range(2500)]

    async def by(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(lines), size):
            yield b"".join(lines[start : start + size])

    made = []
    for size in (1, 7, 2500):
        directory = tmp_path / str(size)
        directory.mkdir()
        files = await write_ooni(by(size), "measurements", directory, True)
        assert files.rows == len(lines)
        made.append((directory / files.paths[0]).read_bytes())
    assert made[0] == made[1] == made[2]
    assert gzip.decompress(made[0]) == b"".join(lines)
