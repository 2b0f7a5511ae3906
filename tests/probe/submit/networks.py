"""A collector that gives tickets, and a device that moves between networks: without a socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from probe.codecs.ticket import MINUTE_MS, sign
from probe.model import Link, Measurement, Network, Ticket
from probe.submit.identity import Keys
from probe.submit.keeping import Keeping
from probe.submit.known_networks import KnownNetworks
from probe.submit.membership import Member, Membership
from probe.submit.spool import Spool
from probe.submit.waiting import Waiting

HOME = Network(country="MA", asn=36903, operator="Maroc Telecom")
WORK = Network(country="MA", asn=6713, operator="IAM")
URL = "https://collector.example"
NOW_MS = 1_776_000_000_000  # 12 April 2026, 13:20 UTC: in quarter 225
HOUR_MS = 3_600_000
TARGETS = "d" * 64


class World(Struct):
    """Where the device is, and what time it is there. `network` None: the collector is blocked."""

    network: Network | None = HOME
    gateway: str | None = "52:54:00:12:34:56"
    now_ms: int = NOW_MS


class Country:
    """The collector gives tickets for where the device is, and notes who asked."""

    def __init__(self, directory: Path, *, one_key: bool = False) -> None:
        self.world, self.directory = World(), directory
        self.asked: list[str] = []
        self.keys = Keys(bytes(range(32)))
        self._collector = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
        self.signer = self._collector.public_key().public_bytes_raw().hex()
        self._drawn = 0
        self.member = Member(
            keys=self.keys,
            known=KnownNetworks(directory),
            url=URL,
            gateway=lambda: self.world.gateway,
            random_bytes=self.random_bytes,
            one_key=one_key,
        )
        self.spool = Spool(directory / "spool")
        self.waiting = Waiting(directory / "spool")

    def random_bytes(self, size: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(size)

    @property
    def keeping(self) -> Keeping:
        return Keeping(
            spool=self.spool,
            waiting=self.waiting,
            software="ringback 0.1.0",
            random_bytes=self.random_bytes,
            now_ms=lambda: self.world.now_ms,
        )

    async def ask(self, key: str) -> Ticket | None:
        if self.world.network is None:
            return None
        self.asked.append(key)
        unsigned = Ticket(
            by=self.signer,
            key=key,
            network=self.world.network,
            bucket="1" * 32,
            bucket_before="2" * 32,
            minute=self.world.now_ms // MINUTE_MS,
            nonce="3" * 32,
            family=4,
            signature="",
        )
        return sign(unsigned, self._collector.sign)

    async def join(self) -> Membership:
        """As the daemon begins a cycle."""
        membership = await self.member.join(self.ask, self.world.now_ms)
        await self.keeping.settle(self.member, membership, self.ask)
        return membership

    async def cycle(self, *, meanwhile: Callable[[], None] = lambda: None) -> Membership:
        """A cycle of one measurement, and whatever happens in it."""
        membership = await self.join()
        seen = self.measured()
        meanwhile()
        assert self.keeping.keep(seen.cycle, [seen], TARGETS, self.member, membership) is None
        return membership

    def measured(self) -> Measurement:
        return Measurement(
            uid=self.random_bytes(16).hex(),
            target="whatsapp/call",
            cycle=self.random_bytes(16).hex(),
            round=1,
            started_ms=self.world.now_ms + 1_000,
            clock_offset_ms=0,
            link=Link(up=True),
        )

    def later(self, hours: float) -> None:
        self.world.now_ms += int(hours * HOUR_MS)
