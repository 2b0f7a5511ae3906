"""A slice of `make torture`: what was heard and is sent again is known, refused, or counts once."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from probe.codecs.seal import SealError, unseal
from tests.collector.batches import Volunteer
from tests.torture.replays import FORGED, replay

BODIES, BATCHES = 150, 10


async def test_nothing_is_stored_twice_or_accepted_wrongly(tmp_path: Path) -> None:
    seen = await replay(tmp_path / "data", BODIES, BATCHES, seed=1)
    assert seen.faults == []
    assert seen.answers.total() == BODIES + BATCHES
    assert set(seen.answers) == {"stored", "known", "stored again", "refused"}


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_is_no_batch(kind: str) -> None:
    first, second = Volunteer(1), Volunteer(2)
    batches = (each.seal_2([each.measure(), each.measure(each.key[:8] + "/web")]) for each in (first, second))
    one, other = (gzip.decompress(batch)[:-1].split(b"\n") for batch in batches)
    forged = FORGED[kind](one, other)
    assert forged != one
    with pytest.raises(SealError):
        unseal(gzip.compress(b"\n".join([*forged, b""])))
