"""The collector's key: made once, for its owner alone, replaced by one for which it vouches."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.commands import main
from collector.facts.collector_key import KEY_FILE, load_or_create, rotate
from probe.codecs.receipt import succeeds
from probe.failure import UserError


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    assert load_or_create(tmp_path).key == load_or_create(tmp_path).key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_it_vouches_for_its_successors(tmp_path: Path) -> None:
    first = load_or_create(tmp_path)
    second, third = rotate(tmp_path), rotate(tmp_path)
    now = load_or_create(tmp_path)
    assert len({first.key, second.key, third.key}) == 3
    assert (now.key, now.public) == (third.key, third.public)
    assert succeeds(third.key, first.key, now.public.hand_overs)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"seed":"00"}', b'{"seed":"' + b"g" * 64 + b'"}', b"\xff"])
def test_a_damaged_file_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(UserError, match="is damaged: restore it"):
        load_or_create(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rotate-key", "--data", str(tmp_path)]) == 2
    (tmp_path / "log.sqlite").touch()
    assert main(["rotate-key", "--data", str(tmp_path)]) == 2  # a collector that never ran has no key
    load_or_create(tmp_path)
    assert main(["rotate-key", "--data", str(tmp_path)]) == 0
    assert load_or_create(tmp_path).key in capsys.readouterr().out
