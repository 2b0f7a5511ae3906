"""Limits: how many connections there are at once, of one source and in all, and how long one may stand still.

What a stranger can hold is counted before anything is read of it. A source is a /24 or a /48, as for buckets; it is
known here for as long as a connection lasts, and written nowhere. Trusted proxies stand for many sources, of whom
requests are counted instead (behind_proxies.py).
"""

from __future__ import annotations

import contextlib
import resource
from collections import Counter

from msgspec import Struct

from collector.facts.buckets import BITS
from collector.facts.networks import Address, Prefix, parse_address
from collector.front.source import is_within

OURS = 0.2  # of the files that may be open: the log's, the databases', and room for more
Source = tuple[int, int]  # IP version, prefix


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """`header_s`: for a whole header, from the beginning of a connection or the answer before. `stalled_s`: for an
    answer of which nothing is read.
    """

    of_source: int = 64
    in_all: int = 800
    header_s: float = 10.0
    stalled_s: float = 30.0
    proxies: tuple[Prefix, ...] = ()


LIMITS = ConnectionLimits()


def raised_files() -> int:
    """How many files may be open from now on: as many as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # where the system says more than it gives
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft


def limits_for(files: int, proxies: tuple[Prefix, ...]) -> ConnectionLimits:
    """The limits where so many files may be open."""
    return ConnectionLimits(in_all=int(files * (1 - OURS)), proxies=proxies)


class Counted:
    """The connections that are open, by source."""

    def __init__(self, limits: ConnectionLimits = LIMITS) -> None:
        self._limits, self._all = limits, 0
        self._of: Counter[Source] = Counter()

    def enter(self, peer: str) -> bool:
        """Whether there is room for one more of this address; then it is counted, until it leaves."""
        source = self._source(peer)
        if self._all >= self._limits.in_all or (source is not None and self._of[source] >= self._limits.of_source):
            return False
        self._all += 1
        if source is not None:
            self._of[source] += 1
        return True

    def leave(self, peer: str) -> None:
        """Makes room again; only for one that entered."""
        source = self._source(peer)
        self._all -= 1
        if source is not None:
            self._of[source] -= 1
            if not self._of[source]:
                del self._of[source]

    def sources(self) -> int:
        return len(self._of)

    def _source(self, peer: str) -> Source | None:
        """None for who stands for many."""
        address = parse_address(peer)
        return None if address is None or is_within(address, self._limits.proxies) else _prefix(address)


def _prefix(address: Address) -> Source:
    return address.version, int(address) >> (address.max_prefixlen - BITS[address.version])
