"""Where batches come from: their source bucket, by ticket or by source, on its day and on the day before."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from collector.facts.buckets import DAY_MS, NOWHERE
from collector.front.source import PASSED_ON
from collector.front.tickets import HEADER
from collector.judging.who_counts import by_standing
from collector.log import Record
from probe.judge.cells import SHARED
from probe.model import Network, Ticket
from tests.collector.batches import NOW_MS, Volunteer
from tests.collector.front.test_tickets import asked, sealed
from tests.collector.servers import Clock, Serving, serving

HERE = Network(country="MA", asn=36903, operator="Maroc Telecom")
NETWORKS = [(ipaddress.ip_network("203.0.0.0/16"), HERE)]
PROXIES = (ipaddress.ip_network("127.0.0.1"),)
MIDNIGHT_MS = (NOW_MS // DAY_MS + 1) * DAY_MS
NEAR, NEIGHBOUR, FAR = "203.0.113.7", "203.0.113.200", "203.0.114.7"
WHO = by_standing(lambda record: False)


async def sent(collector: Serving, data: bytes, source: str) -> Record:
    """The record that a batch of one becomes."""
    assert (await collector.post(data, X_Forwarded_For=source))[0] == 200
    return max(collector.records(), key=lambda record: record.cursor)


async def by_ticket(collector: Serving, ticket: Ticket, volunteer: Volunteer, source: str, started_ms: int) -> Record:
    return await sent(collector, sealed(volunteer, ticket, started_ms=started_ms, sealed_ms=started_ms), source)


@pytest.mark.parametrize(("sources", "count"), [((NEAR, NEIGHBOUR), 1), ((NEAR, FAR), 2), ((NEAR, NEIGHBOUR, FAR), 2)])
async def test_lines_of_a_prefix_share_a_bucket(tmp_path: Path, sources: Sequence[str], count: int) -> None:
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES) as collector:
        found = set()
        for number, source in enumerate(sources):
            one, other = Volunteer(2 * number + 1), Volunteer(2 * number + 2)
            found.add(WHO.bucket(await sent(collector, one.seal([one.measure()]), source)))
            ticket = await asked(collector, other.key, source)
            found.add(WHO.bucket(await by_ticket(collector, ticket, other, "198.51.100.1", NOW_MS)))
    assert len(found - {None, NOWHERE}) == len(found) == count


async def test_without_a_ticket_the_source_is_not_known(tmp_path: Path) -> None:
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES) as collector:
        record = await sent(collector, sealed(Volunteer(), None), NEAR)
    assert (record.network, record.bucket, WHO.bucket(record)) == (Network(), 2 * NOWHERE, NOWHERE)


@pytest.mark.parametrize("mark", PASSED_ON)
async def test_what_a_relay_passes_on_belongs_nowhere(tmp_path: Path, mark: str) -> None:
    """Of format 1 all is the source's; a ticket says where the line is, whoever passes its batch on."""
    one, other = Volunteer(1), Volunteer(2)
    networks = [(ipaddress.ip_network("127.0.0.0/8"), HERE)]
    async with serving(tmp_path, networks=networks) as collector:
        relayed = {mark.replace("-", "_"): NEAR}
        assert (await collector.post(one.seal([one.measure()]), **relayed))[0] == 200
        asking = f"{collector.url}/v1/targets?key={other.key}&nonce={other.number()}"
        async with collector.session.get(asking) as answer:
            ticket = msgspec.json.decode(base64.b64decode(answer.headers[HEADER]), type=Ticket)
        assert (await collector.post(sealed(other, ticket), **relayed))[0] == 200
        bare, ticketed = collector.records()
    assert (bare.network, bare.bucket, WHO.bucket(bare)) == (Network(), 2 * NOWHERE, NOWHERE)
    assert ticketed.network == HERE
    assert WHO.bucket(ticketed) not in (None, NOWHERE)


async def test_what_is_sent_after_midnight_counts_in_the_bucket_of_its_own_day(tmp_path: Path) -> None:
    """As that of who was there before; past the second midnight nobody knows."""
    clock = Clock(MIDNIGHT_MS - 600_000)
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES, clock=clock) as collector:
        early, late, lost = Volunteer(1), Volunteer(2), Volunteer(3)
        began = clock.now
        before = await sent(collector, early.seal([early.measure(started_ms=began)], began), NEAR)
        tickets = [await asked(collector, each.key, NEAR) for each in (late, lost)]
        clock.now = MIDNIGHT_MS + 600_000
        after = await by_ticket(collector, tickets[0], late, FAR, began)
        clock.now += DAY_MS
        never = await by_ticket(collector, tickets[1], lost, NEAR, began)
    assert WHO.bucket(before) == WHO.bucket(after) != NOWHERE
    assert WHO.bucket(never) == NOWHERE


@pytest.mark.parametrize(("source", "known"), [(NEIGHBOUR, True), (FAR, False)])
async def test_a_cycle_over_midnight_is_known_by_where_it_is_sent_from(
    tmp_path: Path, source: str, known: bool
) -> None:
    clock = Clock(MIDNIGHT_MS - 600_000)
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES, clock=clock) as collector:
        one, other = Volunteer(1), Volunteer(2)
        ticket = await asked(collector, one.key, NEAR)
        clock.now = MIDNIGHT_MS + 600_000
        over = await by_ticket(collector, ticket, one, source, clock.now)
        beside = await sent(collector, other.seal([other.measure(started_ms=clock.now)], clock.now), NEAR)
    assert WHO.bucket(over) == (WHO.bucket(beside) if known else NOWHERE)


async def test_of_several_tickets_the_latest_says_where(tmp_path: Path) -> None:
    """Offline for a while: the last before and the first after agree about the network, and not about the address."""
    clock = Clock(NOW_MS)
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES, clock=clock) as collector:
        one, other = Volunteer(1), Volunteer(2)
        before = await asked(collector, one.key, NEAR)
        clock.now += 7_200_000
        after = await asked(collector, one.key, FAR)
        between = sealed(one, None, started_ms=NOW_MS + 3_600_000, sealed_ms=clock.now, around=(before, after))
        record = await sent(collector, between, NEAR)
        beside = await sent(collector, other.seal([other.measure(started_ms=clock.now)], clock.now), FAR)
    assert record.network == HERE
    assert WHO.bucket(record) == WHO.bucket(beside)


async def test_a_stolen_ticket_names_no_source(tmp_path: Path) -> None:
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES) as collector:
        one, other = Volunteer(1), Volunteer(2)
        ticket = await asked(collector, other.key, NEAR)
        forged = replace(await asked(collector, one.key, NEAR), bucket="ab" * 16)
        found = [await by_ticket(collector, each, one, NEAR, NOW_MS) for each in (ticket, forged)]
    assert {WHO.bucket(each) for each in found} == {NOWHERE}


async def test_a_disk_that_keeps_no_secret_refuses_for_now(tmp_path: Path) -> None:
    clock = Clock(NOW_MS)
    async with serving(tmp_path, networks=NETWORKS, proxies=PROXIES, clock=clock) as collector:
        (tmp_path / "buckets.key").unlink()
        (tmp_path / "buckets.key").mkdir()
        clock.now = MIDNIGHT_MS
        status, answer = await collector.post(Volunteer().seal([Volunteer().measure()]), X_Forwarded_For=NEAR)
        asking = f"{collector.url}/v1/targets?key={'a' * 64}&nonce={'5a' * 16}"
        async with collector.session.get(asking) as given:
            assert (given.status, "Ringback-Ticket" in given.headers) == (200, False)
    assert (status, answer["error"]) == (503, "log_full")
    assert collector.is_empty()


async def test_behind_a_carriers_nat_lines_are_told_apart_by_their_blocks_of_ports(tmp_path: Path) -> None:
    """Where the port is known, and only there; a ticket counts there as well."""
    marked = [(ipaddress.ip_network("203.0.113.0/24"), HERE), (ipaddress.ip_network("203.0.0.0/16"), HERE)]
    async with serving(tmp_path, networks=marked, proxies=PROXIES, cgn=[marked[0][0]]) as collector:
        volunteers = [Volunteer(n) for n in range(1, 6)]
        one, twin, other, unknown, elsewhere = [
            WHO.bucket(await sent(collector, each.seal([each.measure()]), source)) or ""
            for each, source in zip(
                volunteers,
                (f"{NEAR}:2048", f"{NEIGHBOUR}:3071", f"{NEAR}:3072", NEAR, f"{FAR}:2048"),
                strict=True,
            )
        ]
        late = Volunteer(9)
        ticket = await asked(collector, late.key, f"{NEAR}:2100")
        by_ticket_here = WHO.bucket(await by_ticket(collector, ticket, late, f"{NEAR}:9", NOW_MS))
        by_ticket_there = WHO.bucket(await by_ticket(collector, ticket, late, "198.51.100.1", NOW_MS + 1))
    assert one == twin == by_ticket_here == f"{by_ticket_there}{SHARED}"
    assert len({one, other, unknown, elsewhere}) == 4
    assert [each.endswith(SHARED) for each in (one, other, unknown, elsewhere)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("lab", "marks", "reason"),
    [
        (False, [False], None),
        (False, [True], "simulated"),
        (False, [False, True], "simulated"),
        (True, [True], None),
        (True, [False], "not_simulated"),
        (True, [False, True], "not_simulated"),
    ],
)
async def test_what_is_simulated_and_what_is_real_have_collectors_of_their_own(
    tmp_path: Path, lab: bool, marks: list[bool], reason: str | None
) -> None:
    async with serving(tmp_path, simulated=lab) as collector:
        one = Volunteer()
        status, answer = await collector.post(one.seal([replace(one.measure(), simulated=mark) for mark in marks]))
        assert (status, answer.get("error")) == ((200, None) if reason is None else (422, reason))
        assert collector.is_empty() is (reason is not None)
