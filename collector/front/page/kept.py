"""Kept pages: what strangers see is made once a minute, and once an hour changes, however many of them look."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable

from msgspec import Struct

from probe.model import HOUR_MS

KEPT_S = 60.0


class Page(Struct, frozen=True, kw_only=True):
    """`tag` is that of the text; `made_s` counts on the clock of whoever keeps it."""

    text: str
    tag: str
    hour: int
    made_s: float


class KeptPages:
    """Pages by name. `now_ms` is the time that they tell of; `clock` counts seconds."""

    def __init__(self, now_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._now_ms, self._clock = now_ms, clock
        self._pages: dict[str, Page] = {}
        self._making = asyncio.Lock()

    async def page(self, name: str, make: Callable[[int], Awaitable[str]]) -> Page:
        """The page of this name. `make` makes the text as of a time, ms; those who come meanwhile wait for the same."""
        async with self._making:
            now_ms, now_s = self._now_ms(), self._clock()
            kept = self._pages.get(name)
            if kept is None or not _is_fresh(kept, now_ms, now_s):
                text = await make(now_ms)
                tag = hashlib.blake2s(text.encode(), digest_size=16).hexdigest()
                kept = Page(text=text, tag=tag, hour=now_ms // HOUR_MS, made_s=now_s)
                self._pages = {key: each for key, each in self._pages.items() if _is_fresh(each, now_ms, now_s)}
                self._pages[name] = kept
            return kept


def _is_fresh(page: Page, now_ms: int, now_s: float) -> bool:
    return page.hour == now_ms // HOUR_MS and now_s - page.made_s < KEPT_S
