"""Old bodies go, and nothing that was concluded: also when index and warehouse are made again, or it is killed."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from collector import commands
from collector.commands.arguments import options
from collector.instance import Parts
from collector.judging import retention
from collector.judging.retention import LEAST_DAYS, first_day
from collector.log import freezes
from collector.log.backup import backup, restore
from collector.log.operator import Decision, What, decide
from collector.log.segment import DAY_MS, Segment, name_of
from probe import durable
from tests.collector.judging.aging import CONTROL, LINES, START_MS, Arrival, collector, day, take
from tests.patience import PATIENCE

KEEP, DAYS = 3, 11
FIRST = START_MS // DAY_MS
GONE = DAYS - 1 - KEEP  # the newest day is not over

Capture = pytest.CaptureFixture[str]


@cache
def story(seed: int) -> list[list[Arrival]]:
    chance = random.Random(seed)
    return [day(number, chance) for number in range(DAYS)]


def told(data: Path, keep: int | None, seed: int = 0) -> None:
    with collector(data, keep) as parts:
        for number, arrivals in enumerate(story(seed)):
            take(parts, arrivals, judged=number % 3 == 0 or number == DAYS - 1)


def days_of_bodies(parts: Parts) -> list[int]:
    return sorted({entry.envelope.received_ms // DAY_MS - FIRST for entry in parts.log.read(0, 100_000)})


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of eleven days of which nothing has gone."""
    data = tmp_path_factory.mktemp("judged") / "data"
    told(data, None)
    return data


@pytest.fixture(scope="module")
def once_aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("aged") / "data"
    told(data, KEEP)
    return data


@pytest.fixture
def aged(once_aged: Path, tmp_path: Path) -> Path:
    """The same, which bodies left day by day."""
    shutil.copytree(once_aged, tmp_path / "data")
    return tmp_path / "data"


def test_a_collector_that_has_received_nothing_yet_is_at_rest(tmp_path: Path) -> None:
    with collector(tmp_path / "data", KEEP) as parts:
        assert parts.log.days == ()  # type: ignore[attr-defined]
        assert parts.projector.step() == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_is_concluded_is_the_same_as_if_nothing_had_gone(tmp_path: Path, seed: int) -> None:
    told(tmp_path / "whole", None, seed)
    told(tmp_path / "aged", KEEP, seed)
    with collector(tmp_path / "whole", None) as whole, collector(tmp_path / "aged", KEEP) as aged:
        expected = whole.warehouse.dump()
        assert aged.warehouse.dump() == expected
        assert any(row[-4] for row in expected["verdict"]), "nobody was ever established"
        assert days_of_bodies(whole) == list(range(DAYS))
        assert days_of_bodies(aged) == list(range(GONE, DAYS))
        aged.projector.rebuild()
        assert aged.warehouse.dump() == expected


@pytest.mark.parametrize("lost", [("index.sqlite",), ("warehouse.duckdb",), ("index.sqlite", "warehouse.duckdb")])
def test_what_is_made_anew_holds_what_was_frozen(judged: Path, aged: Path, lost: tuple[str, ...]) -> None:
    with collector(judged, None) as parts:
        expected = parts.warehouse.dump()
    for name in lost:
        (aged / name).unlink()
    with collector(aged, KEEP) as parts:
        parts.projector.catch_up()
        assert parts.warehouse.dump() == expected


def test_it_goes_on_with_standing_and_rounds_as_they_were(judged: Path, aged: Path, tmp_path: Path) -> None:
    shutil.copytree(judged, tmp_path / "whole")
    for lost in ("index.sqlite", "warehouse.duckdb"):
        (aged / lost).unlink()
    dumps = []
    rest = [day(DAYS + number, random.Random(number)) for number in range(3)]
    for data, keep in ((aged, KEEP), (tmp_path / "whole", None)):
        with collector(data, keep) as parts:
            for arrivals in rest:
                take(parts, arrivals)
            dumps.append(parts.warehouse.dump())
    assert dumps[0] == dumps[1]


def test_other_rules_do_not_reach_what_is_frozen(aged: Path) -> None:
    with collector(aged, KEEP) as parts:
        until = parts.projector._frozen.freezes.until_hour
        parts.warehouse.change(lambda c: c.execute("UPDATE meta SET rules_version = 0"))
        ((before,),) = parts.warehouse.select("SELECT list(v ORDER BY v) FROM verdict AS v WHERE hour < $1", [until])
        parts.projector.catch_up()
        ((after,),) = parts.warehouse.select("SELECT list(v ORDER BY v) FROM verdict AS v WHERE hour < $1", [until])
        assert len(before) > 100
        assert after == before


def test_what_went_is_known_when_it_comes_again(aged: Path) -> None:
    with collector(aged, KEEP) as parts:
        latest = parts.log.latest()
        before = parts.warehouse.dump()
        for arrivals in story(0):
            take(parts, arrivals)
        assert parts.log.latest() == latest
        assert parts.warehouse.dump() == before


def test_what_comes_after_its_hour_was_frozen_is_kept_and_judged_by_nobody(aged: Path) -> None:
    late = day(1, random.Random(99))
    with collector(aged, KEEP) as parts:
        before, latest = parts.warehouse.dump(), parts.log.latest()
        received_ms = START_MS + (DAYS - 1) * DAY_MS + 1
        for envelope, sealed_ms in late:
            take(parts, [(type(envelope)(**{**_fields(envelope), "received_ms": received_ms}), sealed_ms)])
        assert parts.log.latest() == latest + len(late)
        assert parts.warehouse.dump() == before
        parts.index.clear()
        parts.projector.rebuild()
        assert parts.warehouse.dump() == before


def _fields(envelope: object) -> dict[str, object]:
    return {name: getattr(envelope, name) for name in envelope.__struct_fields__}  # type: ignore[attr-defined]


def test_what_is_held_stays_until_it_is_released(tmp_path: Path) -> None:
    data = tmp_path / "data"
    held_day, (first, *_) = name_of(FIRST + 2), story(0)[0]
    digest = first[0].digest
    with collector(data, KEEP) as parts:
        for one in (
            Decision(at_ms=1, what=What.HOLD, day=held_day),
            Decision(at_ms=1, what=What.HOLD, digest=digest.hex()),
        ):
            assert decide(data / "log", one)
        for arrivals in story(0):
            take(parts, arrivals, judged=False)
        parts.projector.catch_up()
        assert days_of_bodies(parts) == [0, 2, *range(GONE, DAYS)]
        assert [entry.envelope.digest for entry in parts.log.read(0, 1)] == [digest]
        decide(data / "log", Decision(at_ms=2, what=What.RELEASE, day=held_day))
        parts.projector.catch_up()
        assert days_of_bodies(parts) == [0, *range(GONE, DAYS)]
        before = parts.warehouse.dump()
        parts.index.clear()
        parts.projector.rebuild()
        assert parts.warehouse.dump() == before


def test_verify_says_what_is_missing_and_not_what_has_gone(aged: Path, capsys: Capture) -> None:
    assert commands.main(["verify", "--data", str(aged)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"all is as it was received. {GONE * 10} more went when they were old.\n")
    (place, *_) = freezes.read(aged / "log").places
    (place / "cell.parquet").chmod(0o600)
    (place / "cell.parquet").write_bytes(b"other")
    (place / "step.parquet").unlink()
    assert commands.main(["verify", "--data", str(aged)]) == 1
    said = capsys.readouterr().out
    assert f"{place.name}: cell.parquet is not what was frozen." in said
    assert f"{place.name}: step.parquet is missing." in said


def test_a_backup_holds_what_was_frozen(judged: Path, aged: Path, tmp_path: Path) -> None:
    with collector(judged, None) as parts:
        expected = parts.warehouse.dump()
    backup(aged, tmp_path / "saved")
    restore(tmp_path / "saved", tmp_path / "again")
    assert commands.main(["verify", "--data", str(tmp_path / "again")]) == 0
    with collector(tmp_path / "again", KEEP) as parts:
        parts.projector.catch_up()
        assert parts.warehouse.dump() == expected


def test_an_older_warehouse_is_made_again(judged: Path, aged: Path) -> None:
    """As after a part of the directory was put back: what it lacks has no bodies any more."""
    with collector(judged, None) as parts:
        expected = parts.warehouse.dump()
    with collector(aged, KEEP) as parts:
        parts.warehouse.change(lambda c: c.execute("UPDATE meta SET cursor = 5"))
        parts.warehouse.change(lambda c: c.execute("DELETE FROM verdict"))
        parts.projector.catch_up()
        assert parts.warehouse.dump() == expected


def test_keys_are_told_of_by_what_was_frozen(judged: Path, aged: Path, capsys: Capture) -> None:
    said = []
    for data in (judged, aged):
        assert commands.main(["keys", "list", "--data", str(data)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert said[0].count("established since") == len(LINES) + 1
    assert CONTROL.key in said[0]


def test_killed_anywhere_it_goes_on_and_the_end_is_the_same(tmp_path: Path) -> None:
    with durable.for_the_owner_alone(), collector(judged := tmp_path / "judged", None) as parts:
        for arrivals in story(0)[: KEEP + 4]:  # three days of which go
            take(parts, arrivals[::3], judged=False)
        parts.projector.catch_up()
    words = [
        sys.executable,
        "-m",
        "tests.collector.judging.killed_retention",
        str(judged),
        str(tmp_path),
        str(KEEP),
        "13",
    ]
    said = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert int(said.stdout) > 10


def test_a_failure_holds_up_nobody_and_is_tried_again(
    judged: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    told(tmp_path / "data", None)
    with collector(tmp_path / "data", KEEP) as parts, pytest.MonkeyPatch.context() as patch:
        patch.setattr(freezes, "finish", full)
        parts.projector.catch_up()
        assert parts.projector.error is None
        assert days_of_bodies(parts) == list(range(DAYS))
    assert "Old bodies could not be let go" in caplog.text


def segments(*days: int) -> tuple[Segment, ...]:
    return tuple(Segment(day=each, path=Path("x"), log="", first=1) for each in days)


@pytest.mark.parametrize(
    ("days", "first"),
    [((), 0), ((100,), 0), ((99, 100), 10), ((100, 20_000), 11), ((100, 20_000, 20_001), 19_911)],
    ids=["nothing", "one day", "two days", "a clock that jumped", "and stayed there"],
)
def test_days_are_counted_back_from_the_last_that_is_over(days: tuple[int, ...], first: int) -> None:
    assert first_day(segments(*days), 90) == first


@pytest.mark.parametrize(
    ("words", "kept"), [((), retention.DAYS), (("--keep-bodies", "0"), None), (("--keep-bodies", "40"), 40)]
)
def test_how_long_is_said_on_the_command_line(words: tuple[str, ...], kept: int | None, tmp_path: Path) -> None:
    for command in (["serve", "--listen", "x:1"], ["local"]):
        given = commands.grammar().parse_args([*command, "--data", str(tmp_path), *words])
        assert options(given).keep_bodies == kept
    assert options(commands.grammar().parse_args(["rebuild", "--data", str(tmp_path)])).keep_bodies is None


def test_less_than_what_may_come_late_is_refused(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        commands.grammar().parse_args(["local", "--data", "x", "--keep-bodies", str(LEAST_DAYS - 1)])
    assert f"{LEAST_DAYS} or more, or 0 for ever" in capsys.readouterr().err


def test_batches_that_never_came_are_known_by_a_new_index(aged: Path) -> None:
    with collector(aged, KEEP) as parts:
        before = parts.index.heard()
        assert len(before) == len(LINES) + 1
        parts.index.clear()
        parts.projector.index()
        assert parts.index.heard() == before
