"""Faults of the event loop: one line of a kind in a minute, without the words of what a stranger sent.

Where files run out, asyncio tells of each accept that fails, with where it was: strangers fill a disk with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from collector.front.connections import QUIET_S, Sparing
from probe.failure import fault_text

log = logging.getLogger(__name__)

CALLBACK = "Exception in callback"


class LoopFaults:
    """asyncio's exception handler. `clock` counts seconds."""

    def __init__(self, quiet_s: float = QUIET_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._sparing = Sparing(quiet_s, clock)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        where = f"\n{fault_text(error)}" if isinstance(error, BaseException) else ""
        # In it the callback's arguments are told, which may be what came.
        said = CALLBACK if context["message"].startswith(CALLBACK) else context["message"]
        record = log.makeRecord(log.name, logging.ERROR, __file__, 0, f"{said}{where}", (), None)
        if log.isEnabledFor(logging.ERROR) and self._sparing.filter(record):
            log.handle(record)
