"""Attacks on the front, from a process of their own: `python -m tests.torture.attacks KIND HOST PORT [COUNT]`.

Each says "in place" once it holds what it wants to hold, goes on until its standard input ends, and then says how much
it did. Sources are spread over so many /24s that none of them is at its own limit.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from collector.front.limits import raised_files
from tests.torture.malformed import corpus
from tests.torture.wire import Address, Gone, Wire, ask, get, post, source

FIRST = 1_000  # the number of the first source; honest ones have smaller ones
OF_SOURCE = 60  # connections: a few less than the front lets one have
AT_ONCE = 200  # connections that are being made
BEAT_S = 0.2  # between two of what is sent slowly
PAGES = ("/", "/v1/cells", "/country/MA", "/v1/addresses", "/v1/export/cells")

Done = Counter[str]


class Attack(Struct, frozen=True, kw_only=True):
    """`one` is one of `count` attackers; it says when it holds what it wants to, and goes on for ever."""

    one: Callable[[Address, int, Done, Callable[[], None]], Awaitable[None]]
    count: int


async def _read(address: Address, number: int, done: Done, placed: Callable[[], None]) -> None:
    """A reader, which asks for all that strangers are shown as fast as it is answered."""
    placed()
    for page in itertools.islice(itertools.cycle(PAGES), number, None):
        answer = await ask(address, get(page), source(FIRST + number))
        done[f"{answer.status}"] += 1


async def idle(address: Address, number: int, done: Done, placed: Callable[[], None]) -> None:
    """A socket that says nothing, and is opened again when it was closed."""
    while True:
        wire = await Wire.to(address, source(FIRST + number // OF_SOURCE))
        done["opened"] += 1
        placed()
        await wire.ended()
        wire.close()


async def drip(address: Address, number: int, done: Done, placed: Callable[[], None]) -> None:
    """A body of which one byte comes, and then nothing."""
    while True:
        wire = await Wire.to(address, source(FIRST + number // OF_SOURCE))
        wire.writer.write(post(bytes(1_000))[: 1 - 1_000])
        done["begun"] += 1
        placed()
        await wire.ended()
        wire.close()


async def _bomb(address: Address, number: int, done: Done, placed: Callable[[], None]) -> None:
    """What costs most to refuse, as fast as it is refused."""
    requests = [each.request for kind, each in _DEAREST.items()]
    placed()
    for request in itertools.islice(itertools.cycle(requests), number, None):
        answer = await ask(address, request, source(FIRST + number))
        done[f"{answer.status}"] += 1


_DEAREST = {kind: each for kind, each in corpus().items() if " MB of " in kind or "field" in kind}

ATTACKS: Mapping[str, Attack] = {
    "readers": Attack(one=_read, count=8),
    "idle": Attack(one=idle, count=5_000),
    "bombs": Attack(one=_bomb, count=12),
    "one-byte-bodies": Attack(one=drip, count=513),
}


async def run(kind: str, address: Address, count: int) -> Done:
    """Attacks until standard input ends; what was done."""
    attack, done, opening = ATTACKS[kind], Done(), asyncio.Semaphore(AT_ONCE)
    in_place, left = asyncio.Event(), count

    async def one(number: int) -> None:
        held = False

        def placed() -> None:
            nonlocal held, left
            if not held:
                held = True
                opening.release()
                left -= 1
                if not left:
                    in_place.set()

        await opening.acquire()
        while True:
            with suppress(Gone, TimeoutError):
                await attack.one(address, number, done, placed)
            done["gone"] += 1
            await asyncio.sleep(BEAT_S)

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await in_place.wait()
    print("in place", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    return done


def main(words: Sequence[str]) -> int:
    kind, host, port, *count = words
    raised_files()
    done = asyncio.run(run(kind, (host, int(port)), int(count[0]) if count else ATTACKS[kind].count))
    print(", ".join(f"{number} {what}" for what, number in sorted(done.items())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
