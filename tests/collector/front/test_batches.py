"""What bad input gets: a reason for machines, a counter, and nothing kept."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import logging
import socket
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from collector.front.batches import CONTENT_TYPE, MOST_PREFIXES, IngestLimits
from collector.log import segment
from probe.codecs.seal import LIMITS, encode
from probe.model import Hop, Network, ReplyKind, Step, Sweep, Transport
from tests.collector.batches import NOW_MS, Volunteer
from tests.collector.servers import TOKEN, Serving, eventually, serving

IAM = Network(country="MA", asn=36903, operator="Maroc Telecom")
ELSEWHERE = Network(country="ES", asn=3352, operator="Telefonica")
NETWORKS = [
    (ipaddress.ip_network("127.9.0.0/16"), IAM),
    (ipaddress.ip_network("203.0.113.0/24"), ELSEWHERE),
    (ipaddress.ip_network("212.217.0.0/16"), IAM),
]
BEGINNING = (
    f"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 100\r\n\r\n\x1f"
).encode()


@pytest.fixture
async def collector(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path, networks=NETWORKS) as one:
        yield one


@pytest.fixture
def volunteer() -> Volunteer:
    return Volunteer()


async def test_a_batch_is_stored_and_then_known(collector: Serving, volunteer: Volunteer) -> None:
    data = volunteer.seal([volunteer.measure(), volunteer.measure()])
    assert await collector.post(data) == (200, {"stored": 2, "known": 0})
    assert await collector.post(data) == (200, {"stored": 0, "known": 2})
    assert collector.log.latest() == 1
    assert (collector.counted("stored"), collector.counted("known")) == (1, 1)


async def test_a_batch_of_format_2_is_kept_and_its_gaps_are_shown(collector: Serving, volunteer: Volunteer) -> None:
    for number in (1, 4):
        seen = [volunteer.measure(), volunteer.measure()]
        data = volunteer.seal_2(seen, sequence=number, lost_batches=number)
        assert await collector.post(data) == (200, {"stored": 2, "known": 0})
    assert [each.measurement for each in collector.records() if each.cursor == 2] == seen
    _, said = await collector.get("/metrics", Authorization=f"Bearer {TOKEN}")
    assert "ringback_missing_batches 2.0" in said
    assert "ringback_probe_dropped_batches 4.0" in said


async def test_the_key_of_receipts_is_shown_to_anybody(collector: Serving) -> None:
    status, text = await collector.get("/v1/key")
    assert (status, json.loads(text)) == (200, {"key": collector.parts.key.key, "hand_overs": []})


def damaged(volunteer: Volunteer, how: str) -> bytes:
    good = volunteer.seal([volunteer.measure()])
    plain = gzip.decompress(good)
    header, line, _, _ = plain.split(b"\n")
    deep = b'{"x":' + b"[" * 40 + b"]" * 40 + b"," + line[1:]
    return {
        "no gzip": plain,
        "cut": good[:-9],
        "two members": good + good,
        "bomb": gzip.compress(bytes(50 * LIMITS.plain_bytes)),
        "altered": gzip.compress(plain.replace(b"whatsapp", b"telegram")),
        "no JSON": volunteer.seal_lines([b"{"]),
        "no signature": gzip.compress(header + b"\n" + line + b"\n"),
        "too many": volunteer.seal([volunteer.measure() for _ in range(51)]),
        "too deep": volunteer.seal_lines([deep]),
        "other schema": volunteer.seal_lines([b'{"uid":7}']),
        "twice": volunteer.seal_lines([line, line]),
        "other format": gzip.compress(plain.replace(b'"format":1', b'"format":3')),
        "bad key": gzip.compress(plain.replace(volunteer.key.encode(), b"z" * 64)),
        "nothing": b"",
    }[how]


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("no gzip", 400, "not_gzip"),
        ("cut", 400, "not_gzip"),
        ("two members", 400, "not_gzip"),
        ("nothing", 400, "not_gzip"),
        ("no JSON", 400, "bad_json"),
        ("altered", 400, "bad_signature"),
        ("no signature", 400, "bad_format"),
        ("other format", 400, "bad_format"),
        ("bad key", 400, "bad_key"),
        ("bomb", 413, "bomb"),
        ("too many", 413, "too_many"),
        ("too deep", 413, "too_deep"),
        ("other schema", 422, "bad_schema"),
        ("twice", 422, "duplicate_uid"),
    ],
)
async def test_a_bad_batch(collector: Serving, volunteer: Volunteer, how: str, status: int, reason: str) -> None:
    answered, body = await collector.post(damaged(volunteer, how))
    assert (answered, body["error"]) == (status, reason)
    assert str(body["message"]).endswith(".")
    assert collector.is_empty()
    assert collector.counted(reason) == 1
    assert await collector.post(volunteer.seal([volunteer.measure()])) == (200, {"stored": 1, "known": 0})


async def test_other_content_under_a_known_uid(collector: Serving, volunteer: Volunteer) -> None:
    seen = volunteer.measure()
    await collector.post(volunteer.seal([seen]))
    other = volunteer.seal_lines([b'{"later":1,' + encode(seen)[1:]])
    assert await collector.post(other) == (200, {"stored": 1, "known": 0})
    assert collector.log.latest() == 2
    collector.records()
    (conflict,) = collector.parts.index.conflicts()
    assert (conflict.key, conflict.uid) == (volunteer.key, seen.uid)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Content_Type": "application/json"}, "content_type"),
        ({"Content_Type": "application/gzip"}, "content_type"),
        ({"Content_Encoding": "gzip"}, "content_encoding"),
    ],
)
async def test_headers_that_are_refused(
    collector: Serving, volunteer: Volunteer, headers: dict[str, str], reason: str
) -> None:
    answered, body = await collector.post(volunteer.seal([volunteer.measure()]), **headers)
    assert (answered, body["error"]) == (415, reason)
    assert collector.is_empty()
    assert collector.counted(reason) == 1


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_a_large_body(collector: Serving, declared: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(LIMITS.compressed_bytes // 1000 + 1):
            yield bytes(1000)

    data = bytes(LIMITS.compressed_bytes + 1) if declared else body()
    headers = {"Content-Type": CONTENT_TYPE}
    async with collector.session.post(f"{collector.url}/v1/batches", data=data, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]) == (413, "too_large")
    assert collector.counted("too_large") == 1


async def test_a_bomb_is_refused_in_bounded_memory(collector: Serving) -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=9)
    assert len(bomb) < LIMITS.compressed_bytes
    tracemalloc.start()
    try:
        answered, body = await collector.post(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answered, body["error"]) == (413, "bomb")
    assert peak < 10_000_000


async def test_a_slow_body(tmp_path: Path) -> None:
    async with serving(tmp_path, limits=IngestLimits(body_s=0.05)) as collector:
        reader, writer = await asyncio.open_connection("127.0.0.1", collector.port)
        writer.write(BEGINNING)
        answer = await reader.readuntil(b"}")
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"too_slow" in answer
        assert collector.counted("too_slow") == 1


async def test_one_who_leaves_in_the_middle(collector: Serving) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", collector.port)
    writer.write(BEGINNING)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: collector.counted("cut_short") == 1)
    assert collector.is_empty()


async def test_too_many_at_once(tmp_path: Path, volunteer: Volunteer) -> None:
    async with serving(tmp_path, limits=IngestLimits(memory_bytes=100)) as collector:
        answered, body = await collector.post(volunteer.seal([volunteer.measure()]))
        assert (answered, body["error"]) == (429, "busy")


async def test_a_full_disk(tmp_path: Path, volunteer: Volunteer) -> None:
    pages = [20]

    def connect(path: Path) -> sqlite3.Connection:
        connection = segment.writing_connection(path)
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")
        return connection

    async with serving(tmp_path, connect=connect) as collector:
        sent = [volunteer.seal([volunteer.measure() for _ in range(50)]) for _ in range(40)]
        statuses = [(await collector.post(data))[0] for data in sent]
        kept = statuses.index(503)
        assert kept > 0
        assert set(statuses[kept:]) == {503}
        headers = {"Content-Type": CONTENT_TYPE}
        async with collector.session.post(f"{collector.url}/v1/batches", data=sent[kept], headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]) == (503, "log_full")
            assert int(answer.headers["Retry-After"]) > 0
        assert collector.log.latest() == kept
        pages[0] = 10_000
        assert await collector.post(sent[kept]) == (200, {"stored": 50, "known": 0})


# --- The source address -----------------------------------------------------------------------------------------


async def post_from(address: str, collector: Serving, data: bytes, headers: dict[str, str]) -> int:
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        named = {"Content-Type": CONTENT_TYPE, **headers}
        async with session.post(f"{collector.url}/v1/batches", data=data, headers=named) as answer:
            return answer.status


@pytest.mark.parametrize(
    ("proxies", "headers", "network"),
    [
        pytest.param([], {}, IAM, id="direct"),
        pytest.param([], {"X-Forwarded-For": "203.0.113.9"}, Network(), id="untrusted-claim"),
        pytest.param(["127.9.8.7/32"], {"X-Forwarded-For": "203.0.113.9"}, ELSEWHERE, id="proxy"),
        pytest.param(["127.9.8.7/32"], {"X-Forwarded-For": "127.9.1.1, 203.0.113.9:4711"}, Network(), id="relay"),
        pytest.param(["127.9.8.7/32"], {"X-Forwarded-For": "203.0.113.9:4711", "Via": "1.1 ours"}, ELSEWHERE, id="via"),
        pytest.param(["127.9.8.7/32"], {"X-Forwarded-For": "nonsense"}, Network(), id="nonsense"),
        pytest.param(["127.9.8.7/32"], {}, IAM, id="proxy-itself"),
        pytest.param(
            ["127.9.8.7/32", "198.51.100.0/24"],
            {"X-Forwarded-For": "203.0.113.9, 198.51.100.4"},
            ELSEWHERE,
            id="two-proxies",
        ),
        pytest.param(["127.9.8.7/32"], {"X-Forwarded-For": "[::ffff:203.0.113.9]:80"}, ELSEWHERE, id="mapped"),
    ],
)
async def test_the_network_of_a_line(
    tmp_path: Path, volunteer: Volunteer, proxies: list[str], headers: dict[str, str], network: Network
) -> None:
    trusted = tuple(ipaddress.ip_network(proxy) for proxy in proxies)
    async with serving(tmp_path, networks=NETWORKS, proxies=trusted) as collector:
        seen = volunteer.measure(resolver_prefix="212.217.0.0/16")
        assert await post_from("127.9.8.7", collector, volunteer.seal([seen]), headers) == 200
        (record,) = collector.records()
    assert record.network == network
    assert record.resolver_networks == {"212.217.0.0/16": IAM}
    assert record.received_ms == NOW_MS


async def test_the_networks_of_routers_are_named(collector: Serving, volunteer: Volunteer) -> None:
    """So many as a batch may fairly have, and no more."""
    some = [f"212.217.{number}.0/24" for number in range(3)]
    crowd = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(MOST_PREFIXES)]
    seen = [replace(volunteer.measure(), sweeps=swept(prefixes)) for prefixes in (some, some, crowd)]
    assert (await collector.post(volunteer.seal(seen)))[0] == 200
    (record, *_) = collector.records()
    assert [record.resolver_networks[prefix] for prefix in some] == [IAM] * 3
    assert len(record.resolver_networks) == MOST_PREFIXES


def swept(prefixes: Sequence[str]) -> tuple[Sweep, ...]:
    """Sweeps that met these routers, each no farther than packets go."""
    where: dict[str, Any] = {"step": Step.TCP, "host": "chat.example", "port": 443, "transport": Transport.TCP}
    return tuple(
        Sweep(
            family=4,
            hops=tuple(Hop(ttl=ttl, came=ReplyKind.EXCEEDED, prefix=each) for ttl, each in enumerate(some, start=1)),
            **where,
        )
        for some in (prefixes[at : at + 60] for at in range(0, len(prefixes), 60))
    )


def contents(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_the_address_is_forgotten(tmp_path: Path, volunteer: Volunteer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in any byte of the data directory, nor in any log line, of good uploads and bad ones."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    forwarded = {"X-Forwarded-For": "203.0.113.77"}
    async with AsyncExitStack() as stack:
        trusted = (ipaddress.ip_network("127.9.8.7/32"),)
        collector = await stack.enter_async_context(serving(tmp_path, networks=NETWORKS, proxies=trusted))
        assert await post_from("127.9.8.7", collector, volunteer.seal([volunteer.measure()]), forwarded) == 200
        assert await post_from("127.9.8.7", collector, volunteer.seal([volunteer.measure()]), {}) == 200
        assert await post_from("127.9.8.7", collector, b"junk", forwarded) == 400
        _, writer = await asyncio.open_connection(
            "127.0.0.1", collector.port, local_addr=("127.9.8.7", 0), family=socket.AF_INET
        )
        writer.write(b"GET / HTTP/1.1\r\nBad Header\x00: 1\r\n\r\n")
        await writer.drain()
        writer.close()
        await collector.get("/metrics")
        bodies = [gzip.decompress(entry.envelope.body) for entry in collector.log.read(0, 10)]
        kept = contents(tmp_path)
    assert len(bodies) == 2
    said = (caplog.text + str([vars(record) for record in caplog.records])).encode()
    for address in ("127.9.8.7", "203.0.113.77"):
        packed = socket.inet_aton(address)
        for place in (kept, *bodies):
            assert address.encode() not in place
            assert packed not in place
        assert address.encode() not in said
