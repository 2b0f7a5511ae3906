"""Four Allocate transactions an hour for each relay, also across runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from probe.measuring.allocate_budget import AllocateBudget
from probe.model import Endpoint, Transport
from tests.probe.builders import NOW_MS, endpoint

MINUTE = 60_000


def relay(address: str = "203.0.113.4", port: int = 3478) -> Endpoint:
    return endpoint("turn", "relay.example", port, address=address)


def spent(budget: AllocateBudget, times: int, now_ms: int = NOW_MS, where: Endpoint | None = None) -> list[bool]:
    return [budget.spend(where or relay(), now_ms) for _ in range(times)]


def test_four_an_hour() -> None:
    budget = AllocateBudget()
    assert spent(budget, 5) == [True] * 4 + [False]
    assert spent(budget, 1, NOW_MS + 59 * MINUTE) == [False]
    assert spent(budget, 5, NOW_MS + 60 * MINUTE) == [True] * 4 + [False]


def test_the_hour_slides() -> None:
    budget = AllocateBudget()
    for minutes in (0, 20, 40, 50):
        assert budget.spend(relay(), NOW_MS + minutes * MINUTE)
    assert [budget.spend(relay(), NOW_MS + minutes * MINUTE) for minutes in (55, 60, 61, 80)] == [
        False,
        True,
        False,
        True,
    ]


def test_each_transport_has_its_own() -> None:
    budget = AllocateBudget()
    assert all(spent(budget, 4))
    assert spent(budget, 1, where=replace(relay(), transport=Transport.TLS)) == [True]


def test_each_address_has_its_own_and_ports_share_it() -> None:
    budget = AllocateBudget()
    assert all(spent(budget, 4))
    assert spent(budget, 1, where=relay("203.0.113.5")) == [True]
    assert spent(budget, 1, where=relay(port=443)) == [False]


def test_it_is_remembered_across_runs(tmp_path: Path) -> None:
    path = tmp_path / "allocates.json"
    first = AllocateBudget(path)
    spent(first, 3)
    second = AllocateBudget(path)
    assert spent(second, 2, NOW_MS + MINUTE) == [True, False]
    assert spent(first, 1, NOW_MS + MINUTE) == [False]  # which other processes have spent
    assert spent(AllocateBudget(path), 4, NOW_MS + 60 * MINUTE) == [True, True, True, False]


def test_what_is_older_than_an_hour_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "allocates.json"
    budget = AllocateBudget(path)
    spent(budget, 1)
    spent(budget, 1, NOW_MS + 61 * MINUTE, relay("203.0.113.5"))
    assert "203.0.113.4" not in path.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["allocates.json", "allocates.json.lock"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"udp:x": "y"}', b'{"udp:x": []}', b"\xff"])
def test_a_file_that_makes_no_sense_counts_as_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "allocates.json"
    path.write_bytes(content)
    budget = AllocateBudget(path)
    assert spent(budget, 5) == [True] * 4 + [False]


def test_a_kill_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "allocates.json"
    spent(AllocateBudget(path), 4)  # and no more is heard of it
    assert spent(AllocateBudget(path), 1) == [False]


def test_two_processes_at_once_have_four_together(tmp_path: Path) -> None:
    path = tmp_path / "allocates.json"
    with ThreadPoolExecutor(8) as threads:
        taken = threads.map(lambda _: spent(AllocateBudget(path), 1)[0], range(32))
    assert sum(taken) == 4


def test_a_clock_that_was_set_back_locks_relays_out_for_an_hour_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "allocates.json"
    spent(AllocateBudget(path), 4, NOW_MS + 999 * MINUTE)
    assert spent(AllocateBudget(path), 1, NOW_MS) == [False]
    assert spent(AllocateBudget(path), 1, NOW_MS + 59 * MINUTE) == [False]
    assert spent(AllocateBudget(path), 1, NOW_MS + 60 * MINUTE) == [True]


def test_what_cannot_be_remembered_is_limited_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    budget = AllocateBudget(tmp_path / "missing" / "allocates.json")
    assert spent(budget, 5) == [True] * 4 + [False]
    assert "could not be remembered" in caplog.text
