"""Whose a line is, its owner's API alone tells: nothing else that leaves a collector holds a volunteer's key."""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

import collector
from collector.facts.pseudonyms import Pseudonyms
from collector.influx.points import MAKERS, Points
from collector.influx.vitals import Vitals
from collector.instance import Parts
from collector.judging.evidence import TargetFiles
from collector.judging.projector import Projector
from collector.judging.rules import RULES
from collector.package.source import DATASETS, Source
from collector.warehouse import outbox
from probe import targets as targets_file
from tests.collector.front.test_exports import ADMIN, Client, listening, public
from tests.collector.package.holding import SINCE, UNTIL, wanted
from tests.collector.rows import PSEUDONYMS

COLLECTOR = Path(collector.__file__).parent
LEVELS = ("debug", "info", "warning", "error", "critical")
LEAST = 8  # hex digits of a key by which whoever has it finds it
LONG = 12  # the same in megabytes of other digits, where eight stand by chance
SPAN = f"since={SINCE}&until={UNTIL}"
PAGES = ("/", "/healthz", "/metrics", "/v1/cells", "/v1/addresses", "/v1/key", "/v1/targets")


def spellings(key: str, digits: int) -> set[str]:
    """Ways to write a key, in small letters, and its digest, which whoever has the key can make too."""
    raw = bytes.fromhex(key)
    codes = (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode, base64.b85encode)
    written = {code(raw).decode().lower()[:digits] for code in codes}
    digests = {
        hashlib.new(name, data).hexdigest()[:digits] for name in ("sha256", "blake2b") for data in (raw, key.encode())
    }
    return {key[:digits], key[-digits:], str(int(key, 16))[: digits + 4], *written, *digests}


def named(text: str, keys: set[str], digits: int = LEAST) -> set[str]:
    """The keys that a text names."""
    small = text.lower()
    return {key for key in keys if any(word in small for word in spellings(key, digits))}


@pytest.fixture
def keys(parts: Parts) -> set[str]:
    return {key for (key,) in parts.warehouse.select("SELECT DISTINCT key FROM verdict")}


def points(parts: Parts, pseudonyms: Pseudonyms) -> list[str]:
    """Every point that an InfluxDB would be given."""
    ids = frozenset(target.id for target in parts.targets.targets)
    made = Points(
        parts.warehouse, RULES.cell, TargetFiles(parts.kept_targets, targets_file.parse), pseudonyms, ids, (0, 1)
    )
    parts.warehouse.change(outbox.mark_all)
    single = parts.warehouse.select("SELECT target, hour, key, uid FROM verdict")
    vitals = Vitals(parts.log, parts.warehouse, parts.targets, parts.metrics.registry, parts.now_ms)
    found = [*made.single(single), *vitals.lines()]
    for kind in MAKERS:
        marks = parts.warehouse.select("SELECT target, slot FROM unsent WHERE kind = $1", [kind.value])
        found += made.lines(kind, marks, parts.now_ms())
    return found


def test_the_search_finds_what_it_looks_for() -> None:
    key = "0123456789abcdef" * 4
    for spelled in (
        key.upper(),
        f'"{key[:8]}"',
        base64.b64encode(bytes.fromhex(key)).decode(),
        str(int(key, 16)),
        hashlib.sha256(key.encode()).hexdigest()[:16],
    ):
        assert named(f"line {spelled} said", {key, "c" * 64}) == {key}


def test_no_export_names_a_line(source: Source, keys: set[str]) -> None:
    for full in (True, False):
        for make in DATASETS.values():
            exported = b"".join(make(source, wanted(full=full))).decode()
            assert exported
            assert named(exported, keys, LONG) == set()


def test_no_point_names_a_line(parts: Parts, keys: set[str]) -> None:
    lines = points(parts, parts.pseudonyms)
    assert len([line for line in lines if line.startswith("verdict,")]) > len(keys)
    assert named("\n".join(lines), keys, LONG) == set()


def test_a_point_follows_from_the_secret(parts: Parts) -> None:
    """Not even its time can be made again by who knows key and uid; and twice it is the same."""
    own = {line for line in points(parts, parts.pseudonyms) if line.startswith("verdict,")}
    assert own == {line for line in points(parts, parts.pseudonyms) if line.startswith("verdict,")}
    foreign = [line for line in points(parts, PSEUDONYMS) if line.startswith("verdict,")]
    times = {line.rsplit(" ", 1)[1] for line in own} & {line.rsplit(" ", 1)[1] for line in foreign}
    assert len(times) < len(foreign) / 20  # six digits agree by chance


async def test_no_page_and_no_line_of_the_log_names_a_line(
    parts: Parts, keys: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(public(parts)) as client:
        for path in PAGES:
            for headers in ({}, ADMIN):
                status, text = await client.get(path, headers)
                assert status in (200, 403), path
                assert named(text, keys) == set(), path
        assert await owners(client) == keys
    assert named(caplog.text, keys) == set()


def test_no_line_of_the_log_has_the_words_of_a_fault() -> None:
    """A KeyError's words are the key; a database's quote the row. Where it was, and the class, tell enough."""
    places = [f"{path}:{call.lineno}" for path in sorted(COLLECTOR.rglob("*.py")) for call in told_in_words(path)]
    assert places == []


def told_in_words(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            with_words = any(keyword.arg == "exc_info" for keyword in node.keywords)
            if node.func.attr == "exception" or (with_words and node.func.attr in LEVELS):
                yield node


async def test_a_projection_that_fails_does_not_say_whose_measurement_it_was(
    parts: Parts, keys: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    key = min(keys)
    projector = Projector(
        parts.log,
        parts.index,
        parts.kept_targets,
        parts.warehouse,
        parts.controls,
        rules=RULES,
        parse=targets_file.parse,
    )

    def step() -> int:
        raise KeyError(key)

    async def sleep(seconds: float) -> None:
        raise asyncio.CancelledError

    projector.step = step  # type: ignore[method-assign]
    with suppress(asyncio.CancelledError):
        await projector.run(sleep)
    assert "The projection failed" in caplog.text
    assert named(caplog.text, keys) == set()


async def owners(client: Client) -> set[str]:
    """The keys in the API of a collector's owner."""
    _, text = await client.get(f"/v1/verdicts?{SPAN}&limit=10000", ADMIN)
    return {row["key"] for row in msgspec.json.decode(text)["verdicts"]}
