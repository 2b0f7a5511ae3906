"""The spool: what was put is there after a kill, in order, within its limit; and how measurements become batches."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from probe import durable
from probe.codecs.seal import LIMITS, SealError, unseal
from probe.model import Attempt, Link, Measurement, Observation, Step, StunFacts, Transport
from probe.submit.identity import Identity
from probe.submit.spool import Spool, seal_measurements

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
    assert (names(spool.pending()), spool.sent(), spool.lost) == (["d", "e"], [], 0)


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
    assert spool.lost == Spool(tmp_path).lost == 3
    assert "1 batches that were never sent were dropped" in caplog.text


def test_leftovers_and_refused_batches_go_before_waiting_ones(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=150)
    (tmp_path / "000000000009-x.batch.part").write_bytes(bytes(40))
    spool.refused(spool.put("refused", bytes(40)), "why")
    spool.put("a", bytes(50))
    spool.put("b", bytes(50))
    assert names(spool.pending()) == ["a", "b"]
    assert spool.lost == 0
    assert not list(tmp_path.glob("*.part"))


def test_a_count_that_cannot_be_read_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "lost").write_bytes(b"\xff")
    assert Spool(tmp_path).lost == 0


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


# --- Sealing --------------------------------------------------------------------------------------------------


def numbered(number: int, **fields: object) -> Measurement:
    return replace(MEASUREMENT, **{"uid": f"{number:032x}"} | fields)


def sealed(measurements: list[Measurement], software: str = "ringback 0.1.0") -> list[tuple[str, bytes]]:
    numbers = count(1)
    return list(
        seal_measurements(IDENTITY, measurements, software, "d" * 64, 7, lambda size: next(numbers).to_bytes(size))
    )


def bulky(number: int, letters: int) -> Measurement:
    """Of text that gzip cannot make smaller than half."""
    text = hashlib.shake_256(number.to_bytes(4)).hexdigest(letters // 2)
    attempts = []
    for start in range(0, letters, 300):
        facts = StunFacts(software=text[start : start + 300])
        seen = Observation(step=Step.STUN, started_us=0, took_us=1, failure=None, stun=facts)
        attempts.append(
            Attempt(host="a", port=1, transport=Transport.UDP, handshake="stun", observations=(seen,)),
        )
    return numbered(number, attempts=tuple(attempts))


def test_fifty_measurements_to_a_batch() -> None:
    made = sealed([numbered(number) for number in range(120)])
    opened = [unseal(data) for _, data in made]
    assert [len(batch.measurements) for batch in opened] == [50, 50, 20]
    assert [name for name, _ in made] == [batch.header.batch for batch in opened]
    assert len({name for name, _ in made}) == 3
    assert opened[0].header.key == IDENTITY.key
    assert opened[0].header.sealed_ms == 7


def test_nothing_to_seal_makes_no_batch() -> None:
    assert sealed([]) == []


def test_batches_stay_below_both_limits_of_size() -> None:
    made = sealed([bulky(number, 60_000) for number in range(50)])
    assert len(made) > 1
    assert all(len(data) <= LIMITS.compressed_bytes for _, data in made)
    uids = [measurement.uid for _, data in made for measurement in unseal(data).measurements]
    assert uids == [f"{number:032x}" for number in range(50)]


@pytest.mark.parametrize(
    "bad",
    [
        numbered(7, target="a" * 5_000),
        numbered(7, target="no target"),
        numbered(7, round=3),
        numbered(7, uid=f"{3:032x}"),
        numbered(7, cycle="\ud800"),
        numbered(7, started_ms=2**64),
        bulky(7, 700_000),
    ],
)
def test_a_measurement_that_fits_nowhere_takes_no_other_with_it(
    bad: Measurement, caplog: pytest.LogCaptureFixture
) -> None:
    good = [numbered(number) for number in range(6)]
    with caplog.at_level(logging.WARNING):
        made = sealed([*good[:4], bad, *good[4:]])
    uids = {measurement.uid for _, data in made for measurement in unseal(data).measurements}
    assert uids == {measurement.uid for measurement in good}
    assert ("was dropped" in caplog.text) == (bad.uid not in uids)


def test_a_header_that_no_batch_may_have_is_our_own_mistake() -> None:
    with pytest.raises(SealError, match="`software` is not of the form"):
        sealed([MEASUREMENT], software="ringback/0.1")
