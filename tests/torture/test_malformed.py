"""A slice of `make torture`: what is malformed is refused for the right reason, by a collector that goes on."""

from __future__ import annotations

from pathlib import Path

from tests.torture.malformed import corpus, fault, upload_honestly
from tests.torture.served import served
from tests.torture.wire import source


async def test_each_kind_is_refused_for_its_own_reason(tmp_path: Path) -> None:
    async with served(tmp_path / "data") as one:
        await one.ready()
        found = [await fault(one.address, each, source(number)) for number, each in enumerate(corpus().values())]
        assert [each for each in found if each] == []
        await upload_honestly(one, 1)
