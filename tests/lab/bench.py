"""The lab as the runner uses it: what each entry makes of a line, of the probe on it, and of its controls."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from collector.facts.networks import read_networks
from probe.measuring.session import Settings as ProbeSettings
from probe.model import Access, ControlMeasurement, Network, Target, Targets
from probe.net.vantage import describe_resolver
from tests.lab import plan
from tests.lab.fork import Change, Order, Result
from tests.lab.model import Entry, Run, Stage
from tests.lab.moments import around, now_ms, placed
from tests.lab.settings import Settings, device_of, lay_out, resolver_addresses
from tests.lab.situation import PAST, Situation, controls_of, minutes_of, of_control, situation, world_key


def network_of(operator: str) -> Network:
    about = plan.OPERATORS[operator]
    return Network(country=about.country, asn=about.asn, operator=about.name)


class LabBench:
    """Entries on the lines of a running lab."""

    def __init__(self, lab: Any, entries: Mapping[str, Entry], directory: Path, *, scale: float = 1.0) -> None:
        self.lab, self._entries, self._directory, self._scale = lab, entries, directory, scale
        self.keep = False  # all measurements, not only those of controls
        self.alone = False  # what a probe concludes without a table of networks, too
        self.met: dict[str, Counter[str]] = {}  # entry → filter → packets that it did something to
        self._device_root = cache(self._laid_out)
        self._networks = read_networks(lab.networks_file)

    def world(self, run: Run) -> str:
        return world_key(self._of_run(run), run)

    def controls(self, run: Run) -> Sequence[Run]:
        return controls_of(self._of_run(run), run)

    def take(self, run: Run) -> Any:
        where = self.situation(run)
        settings, operator = where.settings, plan.OPERATORS[run.operator]
        return self.lab.line(
            settings.egress or run.operator,
            run.access,
            home=(*nat_stages(settings), *where.home),
            carrier=where.carrier,
            censor=where.censor,
            world=where.world,
            families=settings.families,
            gateway=settings.gateway,
            resolver=None if settings.resolvers == Settings().resolvers else resolver_addresses(settings, operator),
            seed=run.seed,
        )

    def release(self, run: Run, line: Any) -> None:
        met = self.met.setdefault(run.entry, Counter())
        met.update(line.met())
        self.lab.release(line)

    def order(self, run: Run, line: Any, controls: Sequence[ControlMeasurement] | None) -> Order:
        settings = self.situation(run).settings
        return Order(
            namespace=line.namespace,
            targets=self._targets(run, settings),
            trust=self.lab.old_trust if settings.trust == "old" else self.lab.trust,
            seed=f"{run.entry}:{run.operator}:{run.access}:{run.seed}",
            settings=self.probe_settings(run, settings, line.resolvers),
            skew_ms=settings.clock_skew_ms,
            scale=settings.scale or self._scale,
            controls=around(controls or (), now_ms()),
            keep=self.keep or controls is None,
            change=self._change(settings),
            freezes=settings.freezes,
            clock_steps=settings.clock_steps,
            files=settings.files,
            elsewhere=run.operator in plan.CONTROLS,
            network=network_of(settings.egress or run.operator),
            networks=self._networks,
            alone=self.alone,
        )

    def told(self, control: Run, result: Result) -> list[ControlMeasurement]:
        network, times = network_of(control.operator), minutes_of(self._of_run(control), control)
        return [
            ControlMeasurement(key=control.operator, network=network, measurement=each)
            for minutes in times
            for each in placed(result.measurements, minutes)
        ]

    def situation(self, run: Run) -> Situation:
        """A control's as well as a run's."""
        of_run = self._of_run(run)
        return of_control(of_run, run.operator) if run.operator in plan.CONTROLS else of_run

    def probe_settings(self, run: Run, settings: Settings, resolvers: Sequence[str]) -> ProbeSettings:
        """What the device knows of itself, and what the volunteer says."""
        root = self._own_root(settings, run) if settings.changes_after is not None else self._root(settings, run)
        return ProbeSettings(
            declared=Access(settings.declared or run.access),
            resolvers=tuple(describe_resolver(each, 53, self.lab.targets.resolvers) for each in resolvers),
            root=root,
        )

    def _of_run(self, run: Run) -> Situation:
        return situation(self._entries[run.entry.removesuffix(PAST)], run)

    def _targets(self, run: Run, settings: Settings) -> Targets:
        """A control measures those on request too, whoever needs them."""
        every: Targets = self.lab.every_target
        asked = every.targets if run.operator in plan.CONTROLS else self._asked(every, settings)
        return replace(every, targets=tuple(asked))

    @staticmethod
    def _asked(every: Targets, settings: Settings) -> list[Target]:
        return [each for each in every.targets if not each.on_request or each.service in settings.services]

    def _root(self, settings: Settings, run: Run) -> Path:
        return self._device_root(device_of(settings, plan.ACCESSES[run.access]))

    def _own_root(self, settings: Settings, run: Run) -> Path:
        """For a run during which it changes."""
        return self._laid_out(device_of(settings, plan.ACCESSES[run.access]))

    def _laid_out(self, device: Any) -> Path:
        root = Path(tempfile.mkdtemp(prefix=f"{device}-", dir=self._directory))
        lay_out(root, device)
        return root

    @staticmethod
    def _change(settings: Settings) -> Change | None:
        if settings.changes_after is None:
            return None
        return Change(after=settings.changes_after, device=settings.changes_to)


def nat_stages(settings: Settings) -> list[Stage]:
    """How the line's NAT behaves, in the words of Lab.line."""
    symmetric = [Stage("nat.symmetric")] if settings.nat == "symmetric" else []
    return symmetric + ([Stage("nat.timeout", {"seconds": settings.nat_timeout})] if settings.nat_timeout else [])
