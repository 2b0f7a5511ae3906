"""Which key signs a cycle, and by what it belongs to a network: at home, at work, where the collector is blocked."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from probe.codecs.succession import is_genuine
from probe.model import Network
from probe.submit.known_networks import FILE, KnownNetworks
from probe.submit.membership import ASKS
from tests.probe.submit.networks import HOME, NOW_MS, URL, WORK, Country

QUARTER = 225
END_MS = int(datetime(2026, 7, 1, tzinfo=UTC).timestamp() * 1000)
DAY_H = 24


@pytest.fixture
def country(tmp_path: Path) -> Country:
    return Country(tmp_path)


async def test_a_network_that_is_not_known_is_asked_for_under_a_key_that_is_thrown_away(country: Country) -> None:
    membership = await country.join()
    own = country.keys.of(HOME.asn, QUARTER).key
    assert (membership.identity.key, membership.ticket.key if membership.ticket else None) == (own, own)
    first, second = country.asked
    assert second == own
    assert first not in {own, country.keys.fixed.key, country.keys.provisional(NOW_MS).key}


async def test_a_known_gateway_saves_the_second_question_also_after_a_restart(country: Country) -> None:
    await country.join()
    country.asked.clear()
    again = Country(country.directory)
    membership = await again.join()
    assert again.asked == [country.keys.of(HOME.asn, QUARTER).key] == [membership.identity.key]


async def test_each_network_has_a_key_of_its_own_and_none_is_asked_for_elsewhere(country: Country) -> None:
    at_home = await country.join()
    country.world.network, country.world.gateway = WORK, "52:54:00:00:00:01"
    country.asked.clear()
    at_work = await country.join()
    assert at_work.identity.key == country.keys.of(WORK.asn, QUARTER).key != at_home.identity.key
    assert at_home.identity.key not in country.asked


async def test_a_gateway_whose_network_changed_is_asked_for_again(country: Country) -> None:
    await country.join()
    country.world.network = WORK
    assert (await country.join()).identity.key == country.keys.of(WORK.asn, QUARTER).key


async def test_a_control_signs_with_one_key_everywhere(tmp_path: Path) -> None:
    country = Country(tmp_path, one_key=True)
    for network in (HOME, WORK, None):
        country.world.network = network
        assert (await country.join()).identity.key == country.keys.fixed.key
    assert country.asked == [country.keys.fixed.key] * 2


async def test_before_the_first_ticket_the_key_is_provisional(country: Country) -> None:
    country.world.network = None
    membership = await country.join()
    assert membership.identity.key == country.keys.provisional(NOW_MS).key
    assert (membership.ticket, membership.before, membership.succession) == (None, None, None)


async def test_where_the_collector_knows_no_network_the_key_is_the_provisional_one(country: Country) -> None:
    country.world.network = Network()
    membership = await country.join()
    assert membership.identity.key == country.keys.provisional(NOW_MS).key
    assert membership.ticket is not None


async def test_a_collector_that_says_another_network_each_time_is_not_asked_for_ever(country: Country) -> None:
    asked = 0

    async def lying(key: str) -> object:
        nonlocal asked
        asked += 1
        country.world.network = Network(country="MA", asn=asked, operator="x")
        return await Country.ask(country, key)

    membership = await country.member.join(lying, NOW_MS)  # type: ignore[arg-type]
    assert (asked, membership.ticket) == (ASKS, None)


async def test_blocked_it_may_belong_by_the_last_ticket_of_the_day_behind_the_same_gateway(country: Country) -> None:
    last = await country.join()
    country.world.network = None
    country.later(23)
    membership = await country.join()
    assert (membership.ticket, membership.before) == (None, last.ticket)
    assert membership.identity.key == last.identity.key
    assert membership.succession is None


@pytest.mark.parametrize("change", ["day", "back", "gateway", "none"])
async def test_else_it_belongs_to_none(country: Country, change: str) -> None:
    await country.join()
    country.world.network = None
    match change:
        case "day":
            country.later(24)
        case "back":
            country.later(-1)
        case "gateway":
            country.world.gateway = "52:54:00:00:00:01"
        case "none":
            country.world.gateway = None
    membership = await country.join()
    assert membership.before is None
    assert membership.identity.key == country.keys.provisional(country.world.now_ms).key


async def test_where_no_gateway_can_be_told_there_is_no_falling_back(country: Country) -> None:
    country.world.gateway = None
    await country.join()
    country.world.network = None
    assert (await country.join()).before is None


# --- From quarter to quarter --------------------------------------------------------------------------------------


async def test_in_the_last_days_of_a_quarter_the_next_key_is_announced(country: Country) -> None:
    assert (await country.join()).succession is None
    country.world.now_ms = END_MS - 5 * DAY_H * 3_600_000
    said = (await country.join()).succession
    assert said is not None
    assert is_genuine(said)
    own, following = (country.keys.of(HOME.asn, quarter).key for quarter in (QUARTER, QUARTER + 1))
    assert (said.old, said.new, said.asn, said.quarter) == (own, following, HOME.asn, QUARTER + 1)


async def test_a_new_key_says_whom_it_follows_for_a_while(country: Country) -> None:
    await country.join()
    country.world.now_ms = END_MS + 40 * DAY_H * 3_600_000  # offline at the turn
    for days, is_said in ((0, True), (13, True), (2, False)):
        country.later(days * DAY_H)
        said = (await country.join()).succession
        assert (said is not None) is is_said
        if said is not None:
            assert said.old == country.keys.of(HOME.asn, QUARTER).key
            assert said.new == country.keys.of(HOME.asn, QUARTER + 1).key


async def test_a_network_that_is_new_follows_nobody(country: Country) -> None:
    await country.join()
    country.world.network, country.world.gateway = WORK, "52:54:00:00:00:01"
    assert (await country.join()).succession is None


async def test_neither_a_control_nor_what_belongs_nowhere_hands_over(tmp_path: Path) -> None:
    for one_key, network in ((True, HOME), (False, Network())):
        country = Country(tmp_path / str(one_key), one_key=one_key)
        country.world.network = network
        for now_ms in (NOW_MS, END_MS - 1, END_MS + 1):
            country.world.now_ms = now_ms
            assert (await country.join()).succession is None


# --- What is remembered -------------------------------------------------------------------------------------------


async def test_the_gateway_stands_in_no_file_in_any_spelling(country: Country) -> None:
    await country.cycle()
    country.world.network = None
    await country.cycle()
    gateway = bytes.fromhex("525400123456")
    spellings = {b"52:54:00:12:34:56", gateway, gateway.hex().encode(), base64.b64encode(gateway)}
    for path in country.directory.rglob("*"):
        assert path.is_dir() or not any(each in path.read_bytes() for each in spellings)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"collectors":{"x":7}}', b"\xff", b'{"first_used_ms":{"a":1}}']
)
async def test_a_damaged_file_costs_a_question(country: Country, content: bytes) -> None:
    await country.join()
    (country.directory / FILE).write_bytes(content)
    assert KnownNetworks(country.directory).last(URL) is None
    assert (await country.join()).ticket is not None
    assert json.loads((country.directory / FILE).read_bytes())["collectors"]


async def test_what_is_remembered_has_an_end(country: Country) -> None:
    for number in range(1, 100):
        country.world.network = Network(country="MA", asn=number, operator="x")
        country.world.gateway = str(number)
        await country.join()
    kept = json.loads((country.directory / FILE).read_bytes())
    assert len(kept["collectors"][URL]["gateways"]) == len(kept["first_used_ms"]) == 64
    assert KnownNetworks(country.directory).networks()[99] == [QUARTER]
