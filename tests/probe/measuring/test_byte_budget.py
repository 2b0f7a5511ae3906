"""So many bytes a cycle, and the addresses that are left out first."""

from __future__ import annotations

from probe.measuring.byte_budget import ByteBudget, shares
from probe.model import Observation, Step
from tests.probe.builders import endpoint, observation

TLS, TCP = endpoint("tls", "a.example", 443), endpoint("tcp", "a.example", 443)


def took(number: int) -> list[Observation]:
    return [observation(Step.TLS, bytes_sent=number // 2), observation(Step.TLS, bytes_received=number - number // 2)]


def test_without_a_limit_everything_is_admitted() -> None:
    assert all(ByteBudget().admit(TLS, share) for share in (1.0, 0.0))


def test_what_is_under_way_is_set_aside_and_what_it_took_is_kept() -> None:
    budget = ByteBudget(11_000)
    assert [budget.admit(TLS, 1.0) for _ in range(3)] == [True, True, False]
    assert budget.admit(TCP, 1.0)
    budget.settle(TLS, took(2_000))
    assert [budget.admit(TLS, 1.0), budget.admit(TCP, 1.0)] == [False, True]
    budget.settle(TCP, took(0))
    assert budget.spent == 2_000
    budget.settle(TLS, [])  # it took nothing
    assert budget.admit(TLS, 1.0)


def test_an_address_that_adds_less_is_left_out_earlier() -> None:
    budget = ByteBudget(10_000)
    budget.take(took(3_500))
    assert [budget.admit(TCP, share) for share in (0.4, 0.7, 1.0)] == [False, True, True]


def test_the_first_address_counts_most_and_then_its_other_family() -> None:
    v4, v6 = ["203.0.113.1", "203.0.113.2"], ["2001:db8::1", "2001:db8::2"]
    assert shares([*v4, *v6]) == [1.0, 0.4, 0.7, 0.4]
    assert shares(v6) == [1.0, 0.4]
    assert shares([]) == []
