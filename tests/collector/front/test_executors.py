"""Who asks for more than can be done soon is sent away, and neither ingest nor reading waits for the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from collector.front import executors, server
from collector.front.batches import CONTENT_TYPE
from collector.front.executors import Bounded, Size
from collector.front.refusals import Refused
from collector.warehouse import questions
from tests.collector.batches import Volunteer
from tests.collector.servers import serving
from tests.patience import PATIENCE


@pytest.fixture
def going_on() -> Iterator[threading.Event]:
    """What holds up threads until it is set, at the latest when the test ends."""
    event = threading.Event()
    yield event
    event.set()


def held(until: threading.Event) -> Callable[..., list[object]]:
    def wait(*_: object) -> list[object]:
        assert until.wait(PATIENCE)
        return []

    return wait


async def test_a_full_queue_refuses_and_counts(going_on: threading.Event) -> None:
    refused = []
    bounded = Bounded("x", Size(1, 1), lambda: refused.append(1))
    waiting = [asyncio.ensure_future(bounded.run(held(going_on))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as told:
        await bounded.run(len, "abc")
    assert (told.value.status, told.value.reason, refused) == (429, "busy", [1])
    owner = asyncio.ensure_future(bounded.run(len, "abc", always=True))
    going_on.set()
    assert await owner == 3
    assert await asyncio.gather(*waiting) == [[], []]
    assert await bounded.run(len, "ab") == 2
    bounded.close()


async def test_who_leaves_the_queue_makes_room_and_a_thread_at_work_is_not_free(going_on: threading.Event) -> None:
    bounded = Bounded("x", Size(1, 1), lambda: None)
    at_work, in_line = (asyncio.ensure_future(bounded.run(held(going_on))) for _ in range(2))
    await asyncio.sleep(0)
    at_work.cancel()
    in_line.cancel()
    await asyncio.wait([at_work, in_line])
    await asyncio.sleep(0)
    one = asyncio.ensure_future(bounded.run(len, "abc"))
    await asyncio.sleep(0)
    with pytest.raises(Refused):
        await bounded.run(len, "abc")
    going_on.set()
    assert await one == 3
    bounded.close()


async def test_what_fails_makes_room(going_on: threading.Event) -> None:
    bounded = Bounded("x", Size(1, 0), lambda: None)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await bounded.run(divmod, 1, 0)
    bounded.close()


async def answered(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    async with session.get(url) as answer:
        await answer.read()
    return answer


async def test_readers_never_keep_an_upload_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, going_on: threading.Event
) -> None:
    """All threads that read are held up, and their queue is full: others read later, and what comes is kept now."""
    monkeypatch.setattr(questions, "cells", held(going_on))
    volunteer = Volunteer()
    most = executors.READING.threads + executors.READING.waiting
    async with serving(tmp_path, owner=False) as collector:
        readers = [asyncio.ensure_future(collector.get("/v1/cells")) for _ in range(most)]
        url = f"{collector.url}/v1/addresses"
        async with asyncio.timeout(PATIENCE):
            while (refused := await answered(collector.session, url)).status != 429:
                pass  # not all readers have come
        assert 30 <= int(refused.headers["Retry-After"]) <= 90
        assert await collector.post(volunteer.seal([volunteer.measure()])) == (200, {"stored": 1, "known": 0})
        told = collector.parts.metrics.registry.get_sample_value("ringback_turned_away_total", {"queue": "reading"})
        assert told is not None
        assert told >= 1
        going_on.set()
        assert {status for status, _ in await asyncio.gather(*readers)} == {200}


async def test_an_upload_for_which_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volunteer = Volunteer()
    monkeypatch.setattr(server, "add_executors", partial(executors.add_executors, ingest=Size(1, -1)))
    async with serving(tmp_path, owner=False) as collector:
        data = volunteer.seal([volunteer.measure()])
        headers = {"Content-Type": CONTENT_TYPE}
        async with collector.session.post(f"{collector.url}/v1/batches", data=data, headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]) == (429, "busy")
            assert 30 <= int(answer.headers["Retry-After"]) <= 90
        assert collector.counted("busy") == 1
        assert collector.is_empty()
