"""A projection keeps up until it is cancelled, one attempt after the other, in one thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from collector.keeping_up import keep_up


async def test_attempts_follow_each_other_in_one_thread_until_it_is_cancelled() -> None:
    threads: list[int] = []
    paused: list[int] = []
    stopped: list[str] = []

    def attempt() -> int:
        threads.append(threading.get_ident())
        return len(threads)

    async def pause(number: int) -> None:
        paused.append(number)
        if number == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keep_up("test", attempt, pause, lambda: stopped.append("stopped"))
    assert paused == [1, 2, 3]
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
    assert stopped == ["stopped"]


async def test_leaving_waits_for_the_attempt_under_way_which_is_told_to_stop() -> None:
    begun, told = asyncio.Event(), threading.Event()
    loop, ended = asyncio.get_running_loop(), list[bool]()

    def attempt() -> None:
        loop.call_soon_threadsafe(begun.set)
        ended.append(told.wait(60))

    async def pause(_: None) -> None: ...

    running = asyncio.create_task(keep_up("test", attempt, pause, told.set))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended == [True]
