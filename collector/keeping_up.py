"""Keeping up: a projection makes one attempt after the other, in a thread of its own, until it is cancelled.

What an attempt says of itself is a pause; how long that lasts, and what ends it sooner, is for whoever keeps up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

P = TypeVar("P")


async def keep_up(
    name: str, attempt: Callable[[], P], pause: Callable[[P], Awaitable[None]], stop: Callable[[], None]
) -> None:
    """Runs until cancelled. `attempt` blocks and never raises; `stop` makes one that is under way end soon.

    There is one thread, to which connections of files can belong. Leaving waits for it.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix=name) as thread:
        try:
            while True:
                await pause(await loop.run_in_executor(thread, attempt))
        finally:
            stop()
