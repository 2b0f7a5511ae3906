"""A service whose DNS gives every country other addresses, in the country of tests/country: the address that the ISP
drops is one that no control would ever dial by itself. Told where the line failed, controls do, and it is no fault of a
region any more. That it is the ISP who drops it, these lines of one network still cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.country import interference as does
from tests.country.build import NEEDS, Country
from tests.country.measuring import Json, Outcome, check, collector, controls, identity
from tests.country.plan import WHATSAPP_EDGE, WORLD_V4

pytestmark = pytest.mark.needs(*NEEDS)

EDGE = WORLD_V4.format(WHATSAPP_EDGE)
TARGET = "whatsapp/web"
REGIONAL = ("impaired", None, "regional_fault_not_excluded")
ALIVE_ELSEWHERE = ("impaired", None, "routing_or_service_not_excluded")


@dataclass(frozen=True)
class Seen:
    """The line, compared with a control before and after that knew where it failed; and what a collector made of it."""

    before: Outcome
    after: Outcome
    told_by_file: Outcome
    told_by_collector: Outcome
    listed: str
    judged_before: Json
    judged_after: Json


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with Country(tmp_path_factory.mktemp("country")) as country, ThreadPoolExecutor(2) as pool:
        line = country.line(does.lying_resolver("edge") | does.drop("tcp", WHATSAPP_EDGE))
        first, second = (country.control(number) for number in (1, 2))
        keys = [identity(country.directory / f"probe-{host.device}") for host in (first, second)]
        with collector(country, 8321, keys) as live:
            ordinary = check(country, first, "--one-key", "--collector", live.named)
            before = check(country, line, "--collector", live.named, *controls([ordinary]))
            check(country, first, "--one-key", "--collector", live.named)  # once more, now that lines have failed
            uid = before.verdicts[TARGET]["uid"]
            judged_before, listed = live.verdicts()[uid], live.get("/v1/addresses")
            file = country.directory / "line.json"
            file.write_text(before.out)
            by_file = pool.submit(check, country, first, "--no-upload", "--also", str(file))
            told = ("--one-key", "--collector", live.named, "--also", live.url)
            by_collector = pool.submit(check, country, second, *told)
            after = check(country, line, "--no-upload", *controls([by_file.result()]))
            by_collector.result()
            judged_after = live.verdicts()[uid]
        yield Seen(before, after, by_file.result(), by_collector.result(), listed, judged_before, judged_after)


def conclusion(verdict: Json) -> tuple[str, str | None, str]:
    return verdict["state"], verdict["mechanism"], verdict["rule"]


def at_the_edge(outcome: Outcome) -> list[tuple[str, str | None]]:
    """By whom the address was given, and the grade reached, of each attempt there."""
    attempts = [each for one in outcome.measurements for each in one.get("attempts", []) if each["address"] == EDGE]
    return [(each["via"], each.get("grade")) for each in attempts]


def test_alone_the_control_never_dials_it_and_a_fault_of_the_region_is_not_excluded(seen: Seen) -> None:
    assert at_the_edge(seen.before) == [("system", None), ("system", None)]
    assert conclusion(seen.before.verdicts[TARGET]) == REGIONAL
    assert conclusion(seen.judged_before) == REGIONAL


def test_a_control_that_is_told_shows_that_the_address_is_alive(seen: Seen) -> None:
    assert at_the_edge(seen.told_by_file) == [("also", "bound")]
    assert conclusion(seen.after.verdicts[TARGET]) == ALIVE_ELSEWHERE


def test_a_control_that_asks_the_collector_shows_it_there(seen: Seen) -> None:
    assert EDGE in seen.listed
    assert at_the_edge(seen.told_by_collector) == [("also", "bound")]
    assert conclusion(seen.judged_after) == ALIVE_ELSEWHERE


def test_nothing_else_changes(seen: Seen) -> None:
    others = [outcome.states() for outcome in (seen.before, seen.after)]
    for states in others:
        del states[TARGET]
    assert others[0] == others[1]
    assert {each.code for each in (seen.before, seen.after, seen.told_by_file, seen.told_by_collector)} == {0}
    assert seen.told_by_file.states()[TARGET] == ("ok", None)
