"""What a cycle measured, on its way into the spool: sealed at once, or when it is known to which network it belongs.

A cycle belongs to the network of its own ticket. Without one it waits, where it may belong by the last ticket before it
and the first after it: had for the same key, of the same network, behind the same gateway. It waits for a day at most;
what then belongs to no network is sealed without any, under the key of no network, which says nothing of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from probe.codecs.ticket import DAY_MS
from probe.model import Measurement, Ticket
from probe.submit.identity import Identity
from probe.submit.membership import Ask, Member, Membership
from probe.submit.sealing import NOWHERE, Belonging, Sealer, seal_measurements
from probe.submit.spool import Spool
from probe.submit.waiting import Waiting, WaitingCycle


class Keeping(Struct, frozen=True, kw_only=True):
    """Where what was measured is kept, and what its batches say of this probe."""

    spool: Spool
    waiting: Waiting
    software: str
    random_bytes: Callable[[int], bytes]
    now_ms: Callable[[], int]

    def keep(
        self, cycle: str, measured: Sequence[Measurement], targets: str, member: Member, membership: Membership
    ) -> OSError | None:
        """Has a cycle wait, where that may make it belong to a network, else seals it. `cycle` is its id.

        The last error, if a part of it cannot be kept.
        """
        if membership.before is not None and member.mark() == membership.gateway:
            with suppress(OSError):  # there may be room for it once it is sealed
                self.waiting.hold(cycle, self._waiting(measured, targets, member, membership, membership.before))
                return None
        sealer = Sealer(
            identity=membership.identity,
            software=self.software,
            targets=targets,
            random_bytes=self.random_bytes,
            belonging=Belonging(ticket=membership.ticket),
            succession=membership.succession,
        )
        return self._put(sealer, measured)

    def _waiting(
        self, measured: Sequence[Measurement], targets: str, member: Member, membership: Membership, before: Ticket
    ) -> WaitingCycle:
        return WaitingCycle(
            url=member.url,
            before=before,
            gateway=membership.gateway or "",
            held_ms=self.now_ms(),
            software=self.software,
            targets=targets,
            measurements=tuple(measured),
        )

    async def settle(self, member: Member, membership: Membership, ask: Ask) -> None:
        """Seals the cycles that wait no longer, now that there is a ticket or is none. Raises OSError."""
        afters: dict[str, Ticket | None] = {}
        excess = set(self.waiting.excess())
        for path in self.waiting.paths():
            one = self.waiting.read(path)
            if one is None:
                continue
            after = await self._after(one, member, membership, ask, afters)
            if after is not None:
                self._seal(path, one, _identity(member, one.before), Belonging(before=one.before, after=after))
            elif path in excess or self._is_over(one, member, membership):
                self._seal(path, one, member.nowhere(self.now_ms()), NOWHERE)

    async def _after(
        self, one: WaitingCycle, member: Member, membership: Membership, ask: Ask, known: dict[str, Ticket | None]
    ) -> Ticket | None:
        """The ticket by which the cycle belongs: had now, for its key, in its network, behind its gateway.

        A key of a quarter that has ended since is asked for again.
        """
        ticket, key = membership.ticket, one.before.key
        here = ticket is not None and one.url == member.url and one.gateway == membership.gateway
        if ticket is None or not here or ticket.network != one.before.network:
            return None
        if _identity(member, one.before).key != key:
            return None
        if key not in known:
            known[key] = ticket if ticket.key == key else await ask(key)
        after = known[key]
        return after if after is not None and after.network == one.before.network else None

    def _is_over(self, one: WaitingCycle, member: Member, membership: Membership) -> bool:
        """Whether no ticket can be had any more by which it belongs."""
        answered = membership.ticket is not None and one.url == member.url
        return answered or not 0 <= self.now_ms() - one.held_ms < DAY_MS

    def _seal(self, path: Path, one: WaitingCycle, identity: Identity, belonging: Belonging) -> None:
        """Raises OSError, and the cycle waits on."""
        sealer = Sealer(
            identity=identity,
            software=one.software,
            targets=one.targets,
            random_bytes=self.random_bytes,
            belonging=belonging,
        )
        error = self._put(sealer, one.measurements)
        if error is not None:
            raise error
        self.waiting.release(path)

    def _put(self, sealer: Sealer, measurements: Iterable[Measurement]) -> OSError | None:
        """Each batch that can be kept; the last error, if there was one."""
        failed = None
        for batch, data in seal_measurements(sealer, measurements, self.now_ms(), self.spool):
            try:
                self.spool.put(batch, data)
            except OSError as error:
                failed = error
        return failed


def _identity(member: Member, before: Ticket) -> Identity:
    return member.keys.fixed if member.one_key else member.keys.of_ticket(before)
