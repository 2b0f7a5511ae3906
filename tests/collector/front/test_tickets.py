"""Tickets, asked by the genuine probe of the genuine collector: by them, and not by where they are sent from, batches
belong to a network."""

from __future__ import annotations

import base64
import ipaddress
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from collector.front.source import PASSED_ON
from collector.front.tickets import HEADER
from probe.codecs.said_once import say
from probe.codecs.seal import encode, seal
from probe.model import BatchHeader, Context, Network, Ticket
from probe.submit.pins import Collector, Pins
from probe.submit.tickets import ask
from tests.collector.batches import DIGEST, NOW_MS, Volunteer
from tests.collector.servers import Serving, serving

HERE = Network(country="MA", asn=36903, operator="Maroc Telecom")
NETWORKS = [(ipaddress.ip_network("127.0.0.0/24"), HERE)]
NONCE = "5a" * 16


def sealed(
    volunteer: Volunteer,
    ticket: Ticket | None,
    *,
    sealed_ms: int = NOW_MS,
    around: tuple[Ticket, Ticket] | tuple[None, None] = (None, None),
    **changes: int,
) -> bytes:
    """One measurement in format 2, of now; `around`: the last ticket before it and the first after it."""
    seen = replace(volunteer.measure(), **changes)
    header = BatchHeader(
        format=2,
        key=volunteer.key,
        batch=volunteer.number(),
        sealed_ms=sealed_ms,
        software="ringback 0.1",
        targets=DIGEST,
        contexts=1,
        salt=volunteer.number(),
    )
    context = Context(link=seen.link, ticket=ticket, before=around[0], after=around[1])
    return seal(header, [say(seen, 0)], volunteer._private.sign, [encode(context)])


async def asked(collector: Serving, key: str, source: str) -> Ticket:
    """The ticket of this key, for which a trusted proxy asks."""
    url = f"{collector.url}/v1/targets?key={key}&nonce={NONCE}"
    async with collector.session.get(url, headers={"X-Forwarded-For": source}) as answer:
        return msgspec.json.decode(base64.b64decode(answer.headers[HEADER]), type=Ticket)


async def had(collector: Serving, key: str, directory: Path) -> Ticket:
    ticket = await ask(Collector(collector.url), key, Pins(directory), lambda size: b"n" * size)
    assert ticket is not None
    return ticket


async def network_of(collector: Serving, data: bytes) -> Network:
    """Of the latest batch, after this one."""
    assert (await collector.post(data))[0] == 200
    return max(collector.records(), key=lambda record: record.cursor).network


async def test_the_ticket_names_the_network_of_who_asks(tmp_path: Path) -> None:
    async with serving(tmp_path, networks=NETWORKS) as collector:
        volunteer = Volunteer()
        ticket = await had(collector, volunteer.key, tmp_path)
        assert (ticket.network, ticket.family, ticket.minute, ticket.nonce) == (HERE, 4, NOW_MS // 60_000, "6e" * 16)
        assert Pins(tmp_path).key(collector.url) == collector.parts.key.key
        assert await network_of(collector, sealed(volunteer, ticket)) == HERE


async def test_without_a_ticket_a_batch_belongs_to_no_network(tmp_path: Path) -> None:
    async with serving(tmp_path, networks=NETWORKS) as collector:
        volunteer, other = Volunteer(1), Volunteer(2)
        assert await network_of(collector, sealed(volunteer, None)) == Network()
        stolen = await had(collector, other.key, tmp_path)
        assert await network_of(collector, sealed(volunteer, stolen)) == Network()
        old = replace(await had(collector, volunteer.key, tmp_path), minute=NOW_MS // 60_000 - 600)
        assert await network_of(collector, sealed(volunteer, old)) == Network()


async def test_format_1_and_what_is_simulated_belong_where_they_come_from(tmp_path: Path) -> None:
    volunteer = Volunteer()
    async with serving(tmp_path / "real", networks=NETWORKS) as collector:
        assert await network_of(collector, volunteer.seal([volunteer.measure()])) == HERE
    async with serving(tmp_path / "lab", networks=NETWORKS, simulated=True) as collector:
        assert await network_of(collector, sealed(volunteer, None, simulated=True)) == HERE


@pytest.mark.parametrize("mark", PASSED_ON)
async def test_what_came_by_a_proxy_names_no_network(tmp_path: Path, mark: str) -> None:
    async with serving(tmp_path, networks=NETWORKS) as collector:
        asked = f"{collector.url}/v1/targets?key={'a' * 64}&nonce={NONCE}"
        async with collector.session.get(asked, headers={mark: "127.0.0.9"}) as answer:
            ticket = msgspec.json.decode(base64.b64decode(answer.headers[HEADER]), type=Ticket)
    assert (ticket.network, ticket.bucket) == (Network(), "0" * 32)


async def test_who_names_no_key_gets_none_and_the_answer_may_be_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, networks=NETWORKS) as collector:
        for query, is_given in (("", False), (f"?key={'a' * 64}", False), (f"?key={'a' * 64}&nonce={NONCE}", True)):
            async with collector.session.get(f"{collector.url}/v1/targets{query}") as answer:
                assert (HEADER in answer.headers) is is_given
                assert (answer.headers["Cache-Control"] == "no-store") is is_given


async def test_another_collectors_ticket_is_not_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, networks=NETWORKS) as collector:
        Pins(tmp_path).pin(collector.url, "a" * 64)
        assert await ask(Collector(collector.url), "b" * 64, Pins(tmp_path), bytes) is None


async def test_a_collector_that_is_away_gives_none(tmp_path: Path) -> None:
    assert await ask(Collector("http://127.0.0.1:9"), "b" * 64, Pins(tmp_path), bytes) is None
