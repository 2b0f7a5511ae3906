"""The spool: what was put is there after a kill, in order, within its limit; and how measurements become batches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from probe import durable
from probe.model import Link, Measurement
from probe.submit.identity import Identity
from probe.submit.spool import Lost, Spool

IDENTITY = Identity(bytes(range(32)))
MEASUREMENT = Measurement(
    uid="0" * 32,
    target="whatsapp/call",
    cycle="c" * 32,
    round=1,
    started_ms=1_456_499_000_000,
    clock_offset_ms=None,
    link=Link(up=True),
)


def names(paths: list[Path]) -> list[str]:
    return [path.stem.partition("-")[2] for path in paths]


# --- Keeping --------------------------------------------------------------------------------------------------


def test_batches_come_back_in_the_order_they_were_put(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for name in ("c", "a", "b"):
        spool.put(name, name.encode())
    again = Spool(tmp_path / "spool")
    again.put("0", b"0")
    assert names(again.pending()) == ["c", "a", "b", "0"]
    assert [again.read(path) for path in again.pending()] == [b"c", b"a", b"b", b"0"]


def test_what_is_accepted_waits_no_more_even_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    path = spool.put("a", b"a")
    spool.accepted(path)
    spool.accepted(path)
    assert spool.pending() == []
    assert spool.read(path) is None
    assert names(spool.sent()) == ["a"]


def test_what_was_sent_stays_for_a_week(tmp_path: Path) -> None:
    now = [1_456_500_000.0]
    spool = Spool(tmp_path, wall=lambda: now[0])
    for name, days in (("a", 0), ("b", 6.9), ("c", 0.2)):
        now[0] += days * 86_400
        spool.accepted(spool.put(name, name.encode()))
    assert names(spool.sent()) == ["b", "c"]


def test_what_was_sent_by_a_clock_far_ahead_does_not_stay_for_ever(tmp_path: Path) -> None:
    now = [4_000_000_000.0]
    spool = Spool(tmp_path, wall=lambda: now[0])
    spool.accepted(spool.put("a", b"a"))
    now[0] = 1_456_500_000.0
    spool.accepted(spool.put("b", b"b"))
    assert names(spool.sent()) == ["b"]


def test_what_was_sent_has_little_room_and_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.submit.spool.SENT_BYTES", 80)
    spool = Spool(tmp_path, limit_bytes=200)
    for name in "abc":
        spool.accepted(spool.put(name, bytes(40)))
    assert len(spool.sent()) == 2
    spool.put("d", bytes(100))
    spool.put("e", bytes(100))
    assert (names(spool.pending()), spool.sent(), spool.lost) == (["d", "e"], [], Lost())


def test_what_was_sent_can_be_sent_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for name in "ab":
        spool.accepted(spool.put(name, name.encode()))
    assert spool.resend() == 2
    assert sorted(spool.read(path) or b"" for path in spool.pending()) == [b"a", b"b"]
    assert spool.sent() == []


def test_what_is_refused_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    path = spool.put("a", b"data")
    spool.refused(path, "bad_schema: …")
    assert spool.pending() == []
    assert (tmp_path / "refused" / path.name).read_bytes() == b"data"
    assert (tmp_path / "refused" / path.name).with_suffix(".reason").read_text() == "bad_schema: …\n"


def test_the_oldest_goes_when_there_is_no_room_and_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, limit_bytes=100)
    for number in range(5):
        spool.put(str(number), bytes(40))
    assert names(spool.pending()) == ["3", "4"]
    assert spool.lost == Spool(tmp_path).lost == Lost(batches=3)
    assert "1 batches that were never sent were dropped" in caplog.text


def test_leftovers_and_refused_batches_go_before_waiting_ones(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=150)
    (tmp_path / "000000000009-x.batch.part").write_bytes(bytes(40))
    spool.refused(spool.put("refused", bytes(40)), "why")
    spool.put("a", bytes(50))
    spool.put("b", bytes(50))
    assert names(spool.pending()) == ["a", "b"]
    assert spool.lost == Lost()
    assert not list(tmp_path.glob("*.part"))


def test_a_count_that_cannot_be_read_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "lost").write_bytes(b"\xff")
    assert Spool(tmp_path).lost == Lost()


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.put("a", b"a")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.put("b", b"b")
    assert names(spool.pending()) == ["a"]
    assert not list(tmp_path.glob("*.part"))


def test_a_disk_that_is_full_of_what_was_sent_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, real = Spool(tmp_path), durable.write
    spool.accepted(spool.put("a", b"a"))

    def full(path: Path, data: bytes) -> None:
        if list((tmp_path / "sent").iterdir()):
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(durable, "write", full)
    spool.put("b", b"b")
    assert (names(spool.pending()), spool.sent()) == (["b"], [])


WRITER = """
import sys
from pathlib import Path
from probe.submit.spool import Spool

spool = Spool(Path(sys.argv[1]))
for number in range(1_000_000):
    spool.put(f"{number:032x}", number.to_bytes(4) * 10_000)
    print(number, flush=True)
"""


def test_a_kill_loses_nothing_that_was_put(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    acknowledged = 20 + len(writer.stdout.read().splitlines())
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    found = Spool(tmp_path).pending()
    assert len(found) in (acknowledged, acknowledged + 1)  # killed between the rename and the print
    for number, path in enumerate(found):
        assert path.read_bytes() == number.to_bytes(4) * 10_000


class Killed(BaseException):
    """As final for the code under test as SIGKILL: nothing there may catch it."""


@pytest.mark.parametrize(
    ("owner", "name", "left"),
    [(os, "open", b"old"), (os, "fsync", b"old"), (Path, "replace", b"old"), (durable, "sync_directory", b"new")],
)
def test_a_kill_at_any_point_of_a_write_leaves_the_old_file_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, left: bytes
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    durable.write(tmp_path / "file", b"old")
    monkeypatch.setattr(owner, name, kill)
    with pytest.raises(Killed):
        durable.write(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == left
