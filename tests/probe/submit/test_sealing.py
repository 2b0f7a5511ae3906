"""Sealing: at most fifty measurements to a batch, their links said once, each batch with its number."""

from __future__ import annotations

import hashlib
import logging
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from probe.codecs.seal import LIMITS, SealError, unseal
from probe.model import Attempt, Link, Measurement, Observation, Step, StunFacts, Transport
from probe.submit.identity import Identity
from probe.submit.sealing import Sealer, seal_measurements
from probe.submit.spool import Spool

IDENTITY, OTHER = Identity(bytes(range(32))), Identity(bytes(32))
MEASUREMENT = Measurement(
    uid="0" * 32,
    target="whatsapp/call",
    cycle="c" * 32,
    round=1,
    started_ms=1_456_499_000_000,
    clock_offset_ms=None,
    link=Link(up=True),
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


def numbered(number: int, **fields: object) -> Measurement:
    return replace(MEASUREMENT, **{"uid": f"{number:032x}"} | fields)


def sealed(
    spool: Spool, measurements: list[Measurement], software: str = "ringback 0.1.0", identity: Identity = IDENTITY
) -> list[tuple[str, bytes]]:
    numbers = count(1)
    sealer = Sealer(
        identity=identity, software=software, targets="d" * 64, random_bytes=lambda size: next(numbers).to_bytes(size)
    )
    return list(seal_measurements(sealer, measurements, 7, spool))


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


def test_fifty_measurements_to_a_batch(spool: Spool) -> None:
    made = sealed(spool, [numbered(number) for number in range(120)])
    opened = [unseal(data) for _, data in made]
    assert [len(batch.measurements) for batch in opened] == [50, 50, 20]
    assert [name for name, _ in made] == [batch.header.batch for batch in opened]
    assert len({name for name, _ in made}) == 3
    assert opened[0].header.key == IDENTITY.key
    assert opened[0].header.sealed_ms == 7


def test_nothing_to_seal_makes_no_batch(spool: Spool) -> None:
    assert sealed(spool, []) == []


def test_batches_stay_below_both_limits_of_size(spool: Spool) -> None:
    made = sealed(spool, [bulky(number, 60_000) for number in range(50)])
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
    bad: Measurement, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    good = [numbered(number) for number in range(6)]
    with caplog.at_level(logging.WARNING):
        made = sealed(spool, [*good[:4], bad, *good[4:]])
    uids = {measurement.uid for _, data in made for measurement in unseal(data).measurements}
    assert uids == {measurement.uid for measurement in good}
    dropped = bad.uid not in uids
    assert ("was dropped" in caplog.text) == dropped
    assert spool.lost.measurements == dropped


def test_a_header_that_no_batch_may_have_is_our_own_mistake(spool: Spool) -> None:
    with pytest.raises(SealError, match="`software` is not of the form"):
        sealed(spool, [MEASUREMENT], software="ringback/0.1")


def test_each_link_is_said_once(spool: Spool) -> None:
    links = [Link(up=True, lag_ms=number, trust_store_ms=9 - number) for number in range(3)]
    seen = [numbered(number, link=links[number % 3]) for number in range(9)]
    ((_, data),) = sealed(spool, seen)
    batch = unseal(data)
    assert batch.measurements == tuple(seen)
    assert [context.link for context in batch.contexts] == links
    assert batch.header.trust_store_ms == 7


def test_more_than_eight_links_take_more_than_one_batch(spool: Spool) -> None:
    made = [unseal(data) for _, data in sealed(spool, [numbered(n, link=Link(up=True, lag_ms=n)) for n in range(10)])]
    assert [len(batch.contexts) for batch in made] == [8, 2]


def test_batches_are_numbered_without_a_gap_whatever_had_to_be_split(spool: Spool, tmp_path: Path) -> None:
    first = sealed(spool, [bulky(number, 60_000) for number in range(30)])
    again = sealed(Spool(tmp_path), [MEASUREMENT, numbered(7, target="no target")])
    numbers = [unseal(data).header.sequence for _, data in [*first, *again]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 3
    assert unseal(sealed(spool, [MEASUREMENT])[0][1]).header.lost_measurements == 1


def test_a_number_is_used_before_its_batch_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What dies between the two leaves a gap; it never makes two batches of one number."""
    sealer = Sealer(identity=IDENTITY, software="ringback 0.1.0", targets="d" * 64, random_bytes=bytes)
    next(seal_measurements(sealer, [MEASUREMENT], 7, spool))  # and no put
    assert spool.sequence(IDENTITY.key) == 2


def test_what_was_lost_of_a_key_is_in_its_headers_and_in_no_others(tmp_path: Path) -> None:
    """Else the same odd number under two keys would tell that they are of one volunteer."""
    spool = Spool(tmp_path)
    for batch, data in sealed(spool, [numbered(number) for number in range(101)]):
        spool.put(batch, data)
    tight = Spool(tmp_path, limit_bytes=1)
    tight.put("d" * 32, b"x")
    assert (tight.lost.batches, tight.lost_of(IDENTITY.key).batches) == (3, 3)
    assert unseal(sealed(tight, [MEASUREMENT])[0][1]).header.lost_batches == 3
    assert unseal(sealed(tight, [MEASUREMENT], identity=OTHER)[0][1]).header.lost_batches == 0
