"""To which network the cycle that begins belongs, and which of the probe's keys signs it.

A volunteer's key is that of the network and quarter of its ticket, which names the key: so the ASN must be known before
it is asked for. It is remembered by the gateway; else a key that is thrown away asks first. Who has none, because the
collector cannot be reached, may have been here before: behind the same gateway, with a ticket of less than a day. Then
the cycle waits for the next one (keeping.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from probe.codecs import succession
from probe.codecs.succession import QUARTERS, first_day, quarter_of
from probe.codecs.ticket import DAY_MS, MINUTE_MS
from probe.model import Succession, Ticket
from probe.submit.identity import NO_NETWORK, Identity, Keys
from probe.submit.known_networks import KnownNetworks, Last

ASKS = 3  # for one ticket: who am I here, as that one, and once more where another network answered
HAND_OVER_MS = 14 * DAY_MS  # before a key's last day, and after its first use, in which its succession is said

Ask = Callable[[str], Awaitable[Ticket | None]]  # a public key → its ticket


class Membership(Struct, frozen=True, kw_only=True):
    """What a cycle is sealed with. `gateway` is a mark; `before`: the last ticket, if the cycle may belong by it."""

    identity: Identity
    gateway: str | None = None
    ticket: Ticket | None = None
    before: Ticket | None = None
    succession: Succession | None = None


class Member(Struct, frozen=True, kw_only=True):
    """The probe as a collector sees it. With `one_key`, as a control, it signs with its fixed key everywhere."""

    keys: Keys
    known: KnownNetworks
    url: str  # of the collector
    gateway: Callable[[], str | None]  # as the system tells it now
    random_bytes: Callable[[int], bytes]
    one_key: bool = False

    def mark(self) -> str | None:
        """A word for the gateway behind which the device is now; None where that cannot be told."""
        here = self.gateway()
        return None if here is None else self.keys.mark(here)

    async def join(self, ask: Ask, now_ms: int) -> Membership:
        """The membership of a cycle that begins now."""
        mark = self.mark()
        ticket = await self._ticket(ask, mark, now_ms)
        if ticket is None:
            return self._without(mark, now_ms)
        identity = self.keys.fixed if self.one_key else self.keys.of_ticket(ticket)
        self.known.note(self.url, Last(ticket=ticket, gateway=mark, had_ms=now_ms))
        return Membership(identity=identity, gateway=mark, ticket=ticket, succession=self._succession(ticket, now_ms))

    async def _ticket(self, ask: Ask, mark: str | None, now_ms: int) -> Ticket | None:
        if self.one_key:
            return await ask(self.keys.fixed.key)
        asn = self.known.asn_behind(self.url, mark)
        key = self.random_bytes(32).hex() if asn is None else self.keys.of(asn, quarter_of(now_ms)).key
        for _ in range(ASKS):
            ticket = await ask(key)
            if ticket is None:
                return None
            own = self.keys.of_ticket(ticket).key
            if ticket.key == own:
                return ticket
            key = own
        return None

    def _without(self, mark: str | None, now_ms: int) -> Membership:
        last = self.known.last(self.url)
        if last is not None and mark is not None and last.gateway == mark and 0 <= now_ms - last.had_ms < DAY_MS:
            identity = self.keys.fixed if self.one_key else self.keys.of_ticket(last.ticket)
            if identity.key == last.ticket.key:
                return Membership(identity=identity, gateway=mark, before=last.ticket)
        return Membership(identity=self.nowhere(now_ms), gateway=mark)

    def nowhere(self, now_ms: int) -> Identity:
        """The key of what belongs to no network."""
        return self.keys.fixed if self.one_key else self.keys.provisional(now_ms)

    def _succession(self, ticket: Ticket, now_ms: int) -> Succession | None:
        """What to say of a network's key: whom it follows, while it is new; who follows it, when its quarter ends."""
        asn, quarter = ticket.network.asn, quarter_of(ticket.minute * MINUTE_MS)
        if self.one_key or asn == NO_NETWORK:
            return None
        used = self.known.first_used_ms(asn)
        earlier = [each for each in used if each < quarter]
        if earlier and now_ms - used.get(quarter, now_ms) < HAND_OVER_MS:
            return self._said(asn, max(earlier), quarter)
        ends = quarter + 1 < QUARTERS and now_ms > first_day(quarter + 1) * DAY_MS - HAND_OVER_MS
        return self._said(asn, quarter, quarter + 1) if ends else None

    def _said(self, asn: int, before: int, after: int) -> Succession:
        old, new = self.keys.of(asn, before), self.keys.of(asn, after)
        return succession.sign(old.key, new.key, asn, after, old.sign, new.sign)
