"""A collector of a bench, in a process of its own: `python -m tests.bench.collector.served DATA [--without-judging]`.

It is the product's, put together as `serve` does. Without judging, what arrives is kept, and nothing follows from it.
Prints where it listens, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import msgspec

from collector.front.listening import address_of, listening, open_socket
from collector.instance import Options, Parts, opened
from collector.judging.rules import RULES

PROXY = "127.0.0.1/32"  # so that a bench may say where a simulated line sends from


class Idle:
    """In place of the projector: judges nothing."""

    error, lag, standstill_s, quarantined = None, 0, None, 0

    def announce(self) -> None: ...

    def counts(self, record: object) -> bool:
        return False

    async def run(self) -> None:
        await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--networks", type=Path)
    parser.add_argument("--control-key", action="append", default=[])
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--without-judging", action="store_true")
    parser.add_argument("--in-process", action="store_true", help="judge in the process that receives, as tests do")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    options = Options(
        data=given.data,
        networks=given.networks,
        control_keys=tuple(given.control_key),
        simulated=given.simulated,
        trusted_proxies=(PROXY,),
        trust_clock=True,
    )
    with opened(options, RULES, apart=not given.in_process) as parts:
        idle: Any = Idle()
        asyncio.run(_serve(msgspec.structs.replace(parts, projector=idle) if given.without_judging else parts, options))
    return 0


async def _serve(parts: Parts, options: Options) -> None:
    with open_socket("127.0.0.1", 0) as sock:
        async with listening(parts, options, sock):
            sys.stdout.write(address_of(sock) + "\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    sys.exit(main())
