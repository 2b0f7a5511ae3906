"""What one cycle is measured with, as one value: what was asked for, the tools, and what is known of the line so far.

A session is frozen. What the cycle finds out (usable families, the clock) makes another session of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from probe.handshakes.trace import Instruments
from probe.measuring.allocate_budget import Budget
from probe.measuring.byte_budget import ByteBudget
from probe.measuring.measurer import Measurer
from probe.measuring.self_check import is_baseline
from probe.model import Access, AlsoDial, Target, Targets
from probe.net.near import as_told
from probe.net.vantage import SYSTEM, LinkResolver, LinkSnapshot, independent_resolvers, numbered, system_resolvers
from probe.path.ttl_probe import Sweeper

Progress = Callable[[int, int, str], None]  # done, all, the target that was just measured


class Settings(Struct, frozen=True, kw_only=True):
    """What the volunteer said about the line, where the device describes itself, and what else to dial."""

    declared: Access = Access.UNKNOWN
    behind: Access = Access.UNKNOWN
    resolvers: tuple[LinkResolver, ...] = ()  # instead of those of resolv.conf
    root: Path = Path("/")  # of proc, sys and etc
    extra_addresses: tuple[AlsoDial, ...] = ()  # at which other probes failed
    max_bytes: int | None = None  # of payload, in the self-check and the first round; None: no limit


class Session(Struct, frozen=True, kw_only=True):
    """One cycle's targets, tools and knowledge of the line."""

    targets: Targets
    instruments: Instruments
    settings: Settings
    budget: Budget
    progress: Progress
    before: LinkSnapshot  # the line when the cycle began
    resolvers: tuple[LinkResolver, ...]
    families: frozenset[int]  # in which there is anything to dial
    sweeper: Sweeper | None = None  # finds where on the path something dies; None: nothing does

    def baseline(self) -> list[Target]:
        return [target for target in self.targets.targets if is_baseline(target)]

    def services(self) -> list[Target]:
        return [target for target in self.targets.targets if not is_baseline(target)]

    def measurer(self, byte_budget: ByteBudget | None = None) -> Measurer:
        """One for each round: it holds that round's limit of attempts per host."""
        return Measurer(self.instruments, self.resolvers, self.families, self.budget, byte_budget)

    def timed(self, clock_offset_ms: int | None) -> Self:
        """The same, with the clock corrected."""
        return replace(self, instruments=replace(self.instruments, clock_offset_ms=clock_offset_ms))


def open_session(
    targets: Targets,
    instruments: Instruments,
    settings: Settings,
    budget: Budget,
    progress: Progress,
    before: LinkSnapshot,
    sweeper: Sweeper | None = None,
) -> Session:
    """At the beginning of a cycle, when only the device's own view of the line is known."""
    own = settings.resolvers or _own_resolvers(targets, settings, instruments)
    independent = independent_resolvers(targets.resolvers, before.families)
    return Session(
        targets=targets,
        instruments=replace(instruments, own_addresses=before.own_addresses, fingerprints=targets.fingerprints),
        settings=settings,
        budget=budget,
        progress=progress,
        before=before,
        resolvers=(*numbered(as_told(own, before, settings.root)), *independent),
        families=before.families,
        sweeper=sweeper,
    )


def _own_resolvers(targets: Targets, settings: Settings, instruments: Instruments) -> list[LinkResolver]:
    """Those of resolv.conf, else the system itself, where it can be asked."""
    known = system_resolvers(settings.root, targets.resolvers)
    return known or ([SYSTEM] if instruments.system_names else [])
