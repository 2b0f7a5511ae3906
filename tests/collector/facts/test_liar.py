"""What a liar pays for a public state, in addresses and days; and that ten honest volunteers pay nothing for one."""

from __future__ import annotations

from itertools import count, product

import pytest

from collector.facts.enrolment import places
from collector.facts.standing import DAYS, RESULTS, Day, since_day
from probe.judge import Line, cell
from probe.model import Access, Network, State
from tests.probe.judge.test_sources import line


def said(lines: list[Line], access: Access) -> State:
    return cell("viber/call", Network(), access, 0, 3_600_000, lines).public_state


def days_to_count(results_a_day: int) -> int:
    """How long a key is to be kept before it counts, however much it sends."""
    for day in count(1):
        if since_day({n: Day(True, results_a_day) for n in range(day)}) is not None:
            return day
    raise AssertionError


def price(honest: list[Line], access: Access, wanted: State, most: int = 12) -> int | None:
    """The fewest sources, each with as many established keys as it likes, that make a state public; None: none do."""
    for sources in range(1, most):
        for keys in (1, 2, 9):
            lies = [line(wanted, f"liar {n}") for n, _ in product(range(sources), range(keys))]
            if said([*honest, *lies], access) is wanted:
                return sources
    return None


def neighbours(lines: int, sources: int, state: str = "ok") -> list[Line]:
    return [line(state, f"honest {n % sources}") for n in range(lines)]


@pytest.mark.parametrize(("results_a_day", "days"), [(1, RESULTS), (8, DAYS), (1_000_000, DAYS)])
def test_a_key_costs_days(results_a_day: int, days: int) -> None:
    assert days_to_count(results_a_day) == days


@pytest.mark.parametrize(
    ("honest", "access", "sources"),
    [
        (neighbours(0, 1), Access.ADSL, 3),
        (neighbours(0, 1), Access.G4, 2),
        (neighbours(3, 3), Access.ADSL, 4),
        (neighbours(6, 6), Access.ADSL, 7),
        (neighbours(6, 3), Access.G4, 7),
    ],
)
def test_a_false_ban_costs_addresses(honest: list[Line], access: Access, sources: int) -> None:
    """Two established keys at each of so many sources: the more sources the honest lines have, the more it costs."""
    assert price(honest, access, State.BLOCKED) == sources


def days_to_lie(honest: list[Line], wider_prefixes: int, sources: int, most: int = 90) -> int | None:
    """After how many days two keys at each of so many sources, in so many /16s of one autonomous system, have made a
    false ban public; None: not within `most`.
    """
    where = {f"{n}": f"{n % wider_prefixes:012x}{n:020x}" for n in range(sources)}
    keys = {f"{n} {twin}": dict.fromkeys(range(most), source) for n, source in where.items() for twin in "ab"}
    began = places(keys)
    for day in range(most):
        lies = [line("blocked", key[:-2]) for key, place in began.items() if place + DAYS <= day]
        if said([*honest, *lies], Access.ADSL) is State.BLOCKED:
            return day
    return None


@pytest.mark.parametrize(
    ("honest", "wider_prefixes", "sources", "days"),
    [
        (0, 1, 3, 7),
        (6, 1, 7, 7),
        (30, 1, 31, 10),
        (30, 16, 31, 8),
        (100, 1, 101, 19),
        (100, 16, 101, 13),
        (100, 1, 100, None),
    ],
)
def test_a_false_ban_costs_addresses_and_days(honest: int, wider_prefixes: int, sources: int, days: int | None) -> None:
    """Each honest line has a source of its own."""
    assert days_to_lie(neighbours(honest, max(honest, 1)), wider_prefixes, sources) == days


def test_ten_honest_volunteers_behind_three_addresses_count_after_a_week_beside_a_thousand_fresh_keys() -> None:
    """Who floods the three addresses themselves makes them wait; who floods three others of the same /16 does not."""
    behind = [f"{7:012x}{n:020x}" for n in range(6)]
    honest = {f"honest {n}": dict.fromkeys(range(7), behind[n % 3]) for n in range(10)}
    flood = {f"fresh {n}": {6: behind[3 + n % 3]} for n in range(1_000)}
    assert {key: places(honest | flood)[key] for key in honest} == dict.fromkeys(honest, 0)
    old = {f"flood {n}": dict.fromkeys(range(7), behind[3 + n % 3]) for n in range(1_000)}
    beside = [places(honest | old).get(key) for key in honest]
    assert [day for day in beside if day is None] == []
    assert max(day for day in beside if day is not None) <= 1


@pytest.mark.parametrize("state", [State.LIKELY_BLOCKED, State.OK])
def test_ten_honest_volunteers_behind_three_addresses_of_an_operator_are_heard(state: State) -> None:
    assert said(neighbours(10, 3, state), Access.G4) is state
    assert said([*neighbours(10, 3, state), line("blocked", "liar"), line("blocked", "liar")], Access.G4) is state
