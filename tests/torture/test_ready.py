"""A slice of `make torture`: a collector that holds a month goes on where it was, and shows it."""

from __future__ import annotations

import json
import random
from pathlib import Path

from collector.instance import now_ms
from tests.collector.uploaders import Uploader, kept
from tests.torture import month
from tests.torture.kills import kill_often, lost_and_doubled
from tests.torture.served import served
from tests.torture.wire import ask, get

PROBES, DAYS = 6, 2


async def test_what_comes_after_a_month_is_kept(tmp_path: Path) -> None:
    """And what readers ask for beside uploads is not nothing."""
    data = tmp_path / "data"
    batches = month.write(data, PROBES, now_ms(), DAYS)
    assert batches == PROBES * DAYS * month.BATCHES_A_DAY
    uploaders = [Uploader(tmp_path, 1)]
    assert len(await kill_often(data, uploaders, 1, random.Random(1))) > 0
    after = kept(data, after=batches)
    assert lost_and_doubled(uploaders, after) == (0, 0)
    assert after.keys() == {(uploaders[0].volunteer.key, uid) for uid in uploaders[0].measured}
    async with served(data) as one:
        await one.ready()
        answer = await ask(one.address, get("/v1/cells"))
    assert len(json.loads(answer.body)["cells"]) > 100
