"""A slice of `make torture`: fresh keys change nothing that is public, and keys that count would."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector.facts.standing import DAYS
from tests.torture.sybil import Public, differences, liars, missing, states, told

SYBILS = 24


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Public:
    return asyncio.run(told(tmp_path_factory.mktemp("without") / "data", []))


async def test_fresh_keys_change_nothing(tmp_path: Path, without: Public) -> None:
    assert differences(without, await told(tmp_path / "data", liars(SYBILS))) == []


async def test_keys_that_count_would_be_seen(tmp_path: Path, without: Public) -> None:
    """One day more, and some of them count: what they say is told, so that the comparison can fail."""
    assert "/v1/cells is another with the liars" in differences(
        without, await told(tmp_path / "data", liars(SYBILS), days=DAYS)
    )


def test_ten_volunteers_behind_three_addresses_are_heard(without: Public) -> None:
    assert missing(without) == []
    assert states(without)["whatsapp/chat"] == "ok"
