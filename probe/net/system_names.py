"""Names as the system's own resolver tells them, where nothing says which servers it asks: Android, for one.

`getaddrinfo` cannot be stopped. Each question has a thread of its own, which may outlive whoever waited for it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

SystemNames = Callable[[str, int], Awaitable[tuple[str, ...]]]  # host, family → addresses; raises OSError
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


async def system_addresses(host: str, family: int) -> tuple[str, ...]:
    """The addresses that the system gives, in its order, each once. Raises socket.gaierror."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[tuple[str, ...]] = loop.create_future()

    def settle(error: BaseException | None, found: tuple[str, ...]) -> None:
        if not told.done():
            told.set_result(found) if error is None else told.set_exception(error)

    def ask() -> None:
        error, found = _ask(host, family)
        with suppress(RuntimeError):  # nobody waits any more: the loop is closed
            loop.call_soon_threadsafe(settle, error, found)

    threading.Thread(target=ask, daemon=True).start()
    return await told


def _ask(host: str, family: int) -> tuple[BaseException | None, tuple[str, ...]]:
    """Asks without the search list, by which another name would be asked for."""
    try:
        found = socket.getaddrinfo(f"{host}.", None, family=FAMILIES[family], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error, ()
    return None, tuple(dict.fromkeys(str(address[0]) for *_, address in found))
