"""Signed GETs, by the genuine probe to the genuine collector: a listed control sees where any line failed, and no
more; whatever others sign, they are strangers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from collector.facts.collector_key import CollectorKey
from collector.front import feeds
from collector.front.signed_gets import SignedGets
from collector.front.streaming import Turns
from probe.codecs.receipt import hand_over
from probe.codecs.signed_get import FRESH_MS, header
from probe.measuring.extra_addresses import fetch
from probe.model import HOUR_MS, Targets
from probe.submit.identity import Identity
from probe.submit.pins import Collector, Pins
from probe.submit.signing import signer
from tests.collector.batches import NOW_MS
from tests.collector.front.test_feeds import CHAT, by_hour, v4
from tests.collector.rows import fill
from tests.collector.servers import TARGETS, Serving, serving

CONTROL, STRANGER = Identity(b"c" * 32), Identity(b"s" * 32)
PATH = "/v1/addresses"
FEW, MANY = "203.0.113.1", "203.0.113.2"


@asynccontextmanager
async def holding(directory: Path) -> AsyncIterator[Serving]:
    """A collector with one address at which a single fresh line failed, and one at which enough did."""
    over = NOW_MS // HOUR_MS - 2
    rows = [*v4(1, hour=over, lines=1), *v4(2, hour=over, lines=3, shown_from_ms=NOW_MS)]
    targets = Targets(targets=(CHAT,), digest=TARGETS.digest, body=TARGETS.body)
    async with serving(directory, owner=False, targets=targets, controls=frozenset({CONTROL.key})) as collector:
        fill(collector.parts.warehouse, by_hour(rows), 0)
        yield collector


async def told(collector: Serving, prober: Identity, directory: Path, skew_ms: int = 0) -> set[str]:
    """What a probe is told that is given the collector by its key."""
    named = Collector(collector.url, collector.parts.key.key)
    authorize = signer(Pins(directory), named, lambda: prober, lambda: NOW_MS + skew_ms)
    return {each.address for each in await fetch(collector.url, authorize)}


async def asked(collector: Serving, path: str, value: str, method: str = "GET") -> tuple[int, str]:
    async with collector.session.request(method, collector.url + path, headers={"Authorization": value}) as answer:
        return answer.status, await answer.text()


def signed(collector: Serving, path: str = PATH, at_ms: int = NOW_MS, prober: Identity = CONTROL) -> str:
    return header(prober.key, collector.parts.key.key, path, at_ms, prober.sign)


async def test_a_listed_control_is_told_of_all_and_others_what_anybody_is(tmp_path: Path) -> None:
    async with holding(tmp_path) as collector:
        assert {each.address for each in await fetch(collector.url)} == {MANY}
        assert await told(collector, STRANGER, tmp_path) == {MANY}
        assert await told(collector, CONTROL, tmp_path) == {FEW, MANY}


@pytest.mark.parametrize("skew_ms", [-FRESH_MS, FRESH_MS])
async def test_clocks_may_differ_by_five_minutes(tmp_path: Path, skew_ms: int) -> None:
    async with holding(tmp_path) as collector:
        assert await told(collector, CONTROL, tmp_path, skew_ms) == {FEW, MANY}


@pytest.mark.parametrize("skew_ms", [-FRESH_MS - 1, FRESH_MS + 1])
async def test_a_control_with_a_wrong_clock_is_told_so_and_what_anybody_is(
    tmp_path: Path, skew_ms: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with holding(tmp_path) as collector:
        assert await told(collector, CONTROL, tmp_path, skew_ms) == {MANY}
    assert "refuses this probe's signature for the addresses" in caplog.text
    assert "see whether the clocks are right" in caplog.text


async def test_what_is_replayed_later_is_refused(tmp_path: Path) -> None:
    """Within five minutes it is answered: who heard the question has heard the answer."""
    async with holding(tmp_path) as collector:
        status, body = await asked(collector, PATH, signed(collector, at_ms=NOW_MS - FRESH_MS - 1))
        assert (status, "stale_signature" in body, FEW in body) == (403, True, False)
        once = signed(collector)
        assert [FEW in (await asked(collector, PATH, once))[1] for _ in range(2)] == [True, True]


async def test_what_is_altered_or_meant_for_others_is_refused(tmp_path: Path) -> None:
    async with holding(tmp_path) as collector:
        elsewhere = header(CONTROL.key, "ab" * 32, PATH, NOW_MS, CONTROL.sign)
        forged = signed(collector, prober=STRANGER).replace(STRANGER.key, CONTROL.key)
        other_time = signed(collector).replace(str(NOW_MS), str(NOW_MS + 1))
        for value in (elsewhere, forged, other_time, signed(collector, "/v1/controls"), signed(collector, PATH + "?")):
            status, body = await asked(collector, PATH, value)
            assert (status, "bad_signature" in body, FEW in body) == (403, True, False)
        hours = f"{PATH}?since={NOW_MS - 2 * HOUR_MS}"
        assert (await asked(collector, hours, signed(collector)))[0] == 403
        assert FEW in (await asked(collector, hours, signed(collector, hours)))[1]
        assert (await asked(collector, PATH, signed(collector), "HEAD"))[0] == 403


async def test_what_is_no_signature_is_a_strangers(tmp_path: Path) -> None:
    async with holding(tmp_path) as collector:
        for value in ("Ringback", "Ringback key=1", signed(collector).upper(), "Bearer " + CONTROL.key, "\xff"):
            status, body = await asked(collector, PATH, value)
            assert (status, MANY in body, FEW in body) == (200, True, False)


@pytest.mark.parametrize("path", ["/v1/verdicts", "/metrics", "/v1/export/jsonl?since=2026-02-01"])
async def test_a_control_sees_nothing_else_of_the_owners(tmp_path: Path, path: str) -> None:
    async with holding(tmp_path) as collector:
        anybody = await asked(collector, path, "")
        assert anybody[0] in (403, 404)
        assert await asked(collector, path, signed(collector, path)) == anybody


async def test_strangers_keep_no_control_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do controls, or whoever repeats what one signed, use up more than turns of their own."""
    monkeypatch.setattr(feeds, "AT_ONCE", 1)
    made: list[Turns] = []

    def turns(at_once: int) -> Turns:
        made.append(Turns(at_once))
        return made[-1]

    monkeypatch.setattr(feeds, "Turns", turns)
    async with holding(tmp_path) as collector, AsyncExitStack() as held:
        path = "/v1/controls"
        for_strangers, for_controls = made
        held.enter_context(for_strangers.taken("all"))
        assert (await asked(collector, path, ""))[0] == 429
        assert (await asked(collector, path, signed(collector, path, prober=STRANGER)))[0] == 429
        assert (await asked(collector, path, signed(collector, path)))[0] == 200
        held.enter_context(for_controls.taken("all"))
        assert (await asked(collector, path, signed(collector, path)))[0] == 429


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_control_that_has_not_heard_of_the_newest_key_is_known(number: int) -> None:
    keys = [CollectorKey(bytes([each]) * 32) for each in range(3)]
    handed = tuple(hand_over(old.key, new.key, old.sign) for old, new in pairwise(keys))
    gets = SignedGets({CONTROL.key}, CollectorKey(b"\2" * 32, handed), lambda: NOW_MS)
    value = header(CONTROL.key, keys[number].key, PATH, NOW_MS, CONTROL.sign)
    assert gets.is_controls(make_mocked_request("GET", PATH, headers={"Authorization": value}))


def test_a_control_that_is_blocked_is_a_stranger() -> None:
    ours, blocked = CollectorKey(b"\2" * 32), set[str]()
    gets = SignedGets({CONTROL.key}, ours, lambda: NOW_MS, lambda: blocked)
    value = header(CONTROL.key, ours.key, PATH, NOW_MS, CONTROL.sign)
    request = make_mocked_request("GET", PATH, headers={"Authorization": value})
    assert gets.is_controls(request)
    blocked.add(CONTROL.key)
    assert not gets.is_controls(request)
