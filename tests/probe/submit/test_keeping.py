"""Cycles without a ticket: they wait for the next one, belong if both agree, and never wait for ever."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs.seal import SealedBatch, unseal
from probe.codecs.ticket import network_of
from probe.model import Network
from probe.submit import waiting
from probe.submit.waiting import Waiting
from tests.probe.submit.networks import HOME, WORK, Country


@pytest.fixture
def country(tmp_path: Path) -> Country:
    return Country(tmp_path)


def batches(country: Country) -> list[SealedBatch]:
    return [unseal(path.read_bytes()) for path in country.spool.pending()]


def networks(country: Country) -> list[Network | None]:
    """To which networks a collector counts what waits in the spool, by its own rule."""
    return [
        network_of(batch.contexts[number], batch.header.key, seen.started_ms, {country.signer})
        for batch in batches(country)
        for number, seen in zip(batch.numbers, batch.measurements, strict=True)
    ]


async def blocked(country: Country, cycles: int = 1, hours: float = 0.5) -> None:
    """A ticket, then so many cycles without."""
    await country.cycle()
    country.world.network = None
    for _ in range(cycles):
        country.later(hours)
        await country.cycle()


async def test_with_a_ticket_a_cycle_is_sealed_at_once(country: Country) -> None:
    await country.cycle()
    assert networks(country) == [HOME]
    assert country.waiting.paths() == []


async def test_blocked_cycles_wait_and_belong_when_both_tickets_agree(country: Country) -> None:
    await blocked(country, 3)
    assert (networks(country), len(country.waiting.paths())) == ([HOME], 3)
    country.world.network = HOME
    country.later(1)
    await country.join()
    assert networks(country) == [HOME] * 4
    assert country.waiting.paths() == []
    late = batches(country)[1]
    assert (late.contexts[0].ticket, late.header.key) == (None, country.keys.of(HOME.asn, 225).key)
    assert len({batch.header.sequence for batch in batches(country)}) == 4


async def test_they_wait_through_a_restart(country: Country) -> None:
    await blocked(country)
    again = Country(country.directory)
    again.world.now_ms = country.world.now_ms + 60_000
    await again.join()
    assert networks(again) == [HOME] * 2


@pytest.mark.parametrize(
    ("network", "gateway"),
    [
        (WORK, "52:54:00:12:34:56"),
        (replace(HOME, operator="renamed"), "52:54:00:12:34:56"),
        (HOME, "52:54:00:00:00:01"),
        (HOME, None),
    ],
)
async def test_they_belong_to_none_when_the_next_ticket_does_not_agree(
    country: Country, network: Network, gateway: str | None
) -> None:
    await blocked(country)
    country.world.network, country.world.gateway = network, gateway
    await country.join()
    assert networks(country) == [HOME, None]
    assert country.waiting.paths() == []
    assert batches(country)[1].header.key == country.keys.provisional(country.world.now_ms).key


async def test_a_gateway_that_changed_during_the_cycle_has_it_wait_for_nothing(country: Country) -> None:
    await country.cycle()
    country.world.network = None

    def moved() -> None:
        country.world.gateway = "52:54:00:00:00:01"

    await country.cycle(meanwhile=moved)
    assert networks(country) == [HOME, None]


async def test_after_a_day_they_are_sealed_without(country: Country) -> None:
    await blocked(country)
    country.later(23)
    await country.join()
    assert networks(country) == [HOME]
    country.later(2)
    await country.join()
    assert networks(country) == [HOME, None]
    assert country.waiting.paths() == []


async def test_a_clock_that_was_set_back_does_not_keep_them(country: Country) -> None:
    await blocked(country)
    country.later(-100)
    await country.join()
    assert country.waiting.paths() == []


async def test_beyond_their_room_the_oldest_are_sealed_without(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    await blocked(country, 3)
    sizes = [path.stat().st_size for path in country.waiting.paths()]
    monkeypatch.setattr(waiting, "BYTES", sum(sizes) - 1)
    await country.join()
    assert (networks(country), len(country.waiting.paths())) == ([HOME, None], 2)


async def test_what_waits_counts_in_the_room_of_the_spool(country: Country) -> None:
    await blocked(country, 2)
    held = sum(path.stat().st_size for path in country.waiting.paths())
    own = sum(path.stat().st_size for path in country.spool.pending())
    tight = type(country.spool)(country.directory / "spool", limit_bytes=held + own)
    tight.put("ab" * 16, b"x")
    assert [path.name.partition("-")[2] for path in tight.pending()] == [f"{'ab' * 16}.batch"]


async def test_a_disk_that_cannot_hold_them_has_them_sealed_without(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Waiting, "hold", full)
    await blocked(country)
    assert networks(country) == [HOME, None]


async def test_a_kill_between_sealing_and_release_sends_the_same_measurement_again(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def kill(*_: object) -> None:
        raise Killed

    await blocked(country)
    country.world.network = HOME
    with monkeypatch.context() as context:
        context.setattr(Waiting, "release", kill)
        with pytest.raises(Killed):
            await country.join()
    await country.join()
    assert networks(country) == [HOME] * 3
    identities = [(batch.header.key, batch.measurements[0].uid) for batch in batches(country)]
    assert len(set(identities)) == 2
    assert country.waiting.paths() == []


@pytest.mark.parametrize("damage", [b"", b"x", b"\x1f\x8b\x08\x00"])
async def test_a_damaged_one_is_told_and_holds_up_nobody(
    country: Country, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await blocked(country, 2)
    country.waiting.paths()[0].write_bytes(damage)
    country.world.network = HOME
    await country.join()
    assert networks(country) == [HOME] * 2
    assert country.waiting.paths() == []
    assert "damaged" in caplog.text


async def test_a_ticket_of_the_next_quarter_asks_again_for_the_key_of_the_last(country: Country) -> None:
    country.world.now_ms = 1_782_864_000_000 - 3_600_000  # an hour before July 2026
    await blocked(country)
    country.world.network = HOME
    country.later(1)
    membership = await country.join()
    assert membership.identity.key == country.keys.of(HOME.asn, 226).key
    assert networks(country) == [HOME] * 2
    assert {batch.header.key for batch in batches(country)} == {country.keys.of(HOME.asn, 225).key}


async def test_a_control_falls_back_too_under_its_one_key(tmp_path: Path) -> None:
    country = Country(tmp_path, one_key=True)
    await blocked(country)
    country.world.network = HOME
    await country.join()
    assert networks(country) == [HOME] * 2
    assert {batch.header.key for batch in batches(country)} == {country.keys.fixed.key}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([HOME, WORK, None]), st.sampled_from(["a", "b", None]), st.sampled_from([0.5, 5.0, 30.0])
        ),
        max_size=12,
    )
)
def test_wherever_it_goes_nothing_is_lost_and_nothing_is_laid_to_another_network(
    tmp_path_factory: pytest.TempPathFactory, path: list[tuple[Network | None, str | None, float]]
) -> None:
    """Each gateway has its network; the collector may be blocked at any moment."""
    country = Country(tmp_path_factory.mktemp("country"))
    truth: dict[str, Network] = {}

    async def travel() -> None:
        for network, gateway, hours in path:
            at = {"a": HOME, "b": WORK, None: network or WORK}[gateway]
            country.world.network, country.world.gateway = network and at, gateway
            before = len(country.asked)
            seen = country.measured()
            truth[seen.uid] = at
            membership = await country.join()
            assert country.keeping.keep(seen.cycle, [seen], "d" * 64, country.member, membership) is None
            assert len(country.asked) - before <= 4
            country.later(hours)
        country.world.network, country.world.gateway = None, None
        country.later(30)
        await country.join()

    asyncio.run(travel())
    assert country.waiting.paths() == []
    uids = [seen.uid for batch in batches(country) for seen in batch.measurements]
    assert sorted(uids) == sorted(truth)
    assert all(found in (None, truth[uid]) for uid, found in zip(uids, networks(country), strict=True))
