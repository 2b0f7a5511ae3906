"""A line's pseudonym stays what it is in one data directory, and says nothing to whoever lacks its secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.facts.pseudonyms import FILE, Pseudonyms, load_or_create
from probe.failure import UserError

HOME = ("k" * 64, "MA", 36903, "adsl")


def test_a_line_is_a_key_on_one_network_and_access(tmp_path: Path) -> None:
    name = load_or_create(tmp_path).line
    assert re.fullmatch("[0-9a-f]{16}", name(*HOME))
    others = [("l" * 64, *HOME[1:]), ("k" * 64, "MA", 36925, "adsl"), ("k" * 64, "MA", 36903, "4g")]
    assert name(*HOME) not in {name(*other) for other in others}


def test_it_stays_and_is_another_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    here = load_or_create(tmp_path).line(*HOME)
    assert load_or_create(tmp_path).line(*HOME) == here
    assert load_or_create(tmp_path / "elsewhere").line(*HOME) != here
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_it_is_an_hmac() -> None:
    """The same by `openssl dgst -sha256 -mac HMAC`."""
    assert Pseudonyms(bytes(32)).line(*HOME) == "f5eef6e4565934bc"


@pytest.mark.parametrize("text", ["", "{}", '{"secret":"00"}', '{"secret":"' + "z" * 64 + '"}'])
def test_a_damaged_secret_is_not_replaced(tmp_path: Path, text: str) -> None:
    """Under another, all that was written to InfluxDB would stand there twice."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError, match="restore it from a backup"):
        load_or_create(tmp_path)
    assert (tmp_path / FILE).read_text() == text
