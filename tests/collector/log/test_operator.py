"""The operator's records: what was said last of a key holds; nothing is lost, doubled, or guessed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collector.log.operator import FILE, Decision, What, blocked_by, blocked_in, decide, decisions
from probe.failure import UserError

ONE, OTHER = "a" * 64, "b" * 64


def said(what: What, key: str = ONE, at_ms: int = 1) -> Decision:
    return Decision(at_ms=at_ms, key=key, what=what, reason="a flood")


def test_what_was_said_last_holds_and_all_of_it_stays(tmp_path: Path) -> None:
    asked = blocked_in(tmp_path)
    assert asked() == frozenset()
    assert decide(tmp_path, said(What.BLOCK))
    assert decide(tmp_path, said(What.BLOCK, OTHER))
    assert asked() == {ONE, OTHER}
    assert decide(tmp_path, said(What.UNBLOCK, at_ms=2))
    assert asked() == {OTHER}
    assert [(one.what, one.key, one.at_ms) for one in decisions(tmp_path)] == [
        (What.BLOCK, ONE, 1),
        (What.BLOCK, OTHER, 1),
        (What.UNBLOCK, ONE, 2),
    ]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_what_holds_already_is_not_said_again(tmp_path: Path) -> None:
    assert not decide(tmp_path, said(What.UNBLOCK))
    assert decide(tmp_path, said(What.BLOCK))
    assert not decide(tmp_path, said(What.BLOCK))
    assert len(decisions(tmp_path)) == 1


def test_those_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    keys = [f"{number:064x}" for number in range(24)]
    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(lambda key: decide(tmp_path, said(What.BLOCK, key)), keys))
    assert blocked_by(decisions(tmp_path)) == set(keys)


@pytest.mark.parametrize("damage", [b"{", b'{"at_ms":1,"key":"a","what":"forgive"}\n', b"\xff\n"])
def test_who_is_blocked_is_not_guessed_from_what_is_damaged(tmp_path: Path, damage: bytes) -> None:
    decide(tmp_path, said(What.BLOCK))
    with (tmp_path / FILE).open("ab") as file:
        file.write(damage)
    with pytest.raises(UserError, match="who is blocked is not known"):
        blocked_in(tmp_path)()
    with pytest.raises(UserError, match="who is blocked is not known"):
        decide(tmp_path, said(What.BLOCK, OTHER))
