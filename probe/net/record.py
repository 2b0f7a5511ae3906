"""The record of one step: an observation in the making, with what its sockets carried while it lasted.

Facts are kept by their type; their names on the wire are those of `Observation`'s fields, and stand nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

from probe.failure import INTERRUPTED
from probe.model import Observation, Operation, Step
from probe.net.dialer import Counters

F = TypeVar("F", bound=Struct)


def _names() -> Mapping[type[Struct], str]:
    """The field of `Observation` in which facts of each type stand."""
    return {
        kind: name
        for name, hint in get_type_hints(Observation).items()
        for kind in get_args(hint)
        if isinstance(kind, type) and issubclass(kind, Struct)
    }


NAMES = _names()


@dataclass(slots=True)
class StepRecord:
    """A step is `interrupted` until its end says otherwise. Facts of one type replace each other."""

    step: Step
    started: float
    ended: float = 0.0
    failure: str | None = INTERRUPTED
    operation: Operation | None = None
    facts: dict[str, Struct] = field(default_factory=dict)  # by their names in `Observation`
    counted: list[tuple[Counters, Counters]] = field(default_factory=list)  # a socket's, and as it was before

    def keep(self, facts: Struct | None) -> None:
        """Keeps facts in place of earlier ones of their type; None keeps nothing."""
        if facts is not None:
            self.facts[NAMES[type(facts)]] = facts

    def kept(self, kind: type[F]) -> F | None:
        """The facts of this type that were kept last."""
        facts = self.facts.get(NAMES[kind])
        assert facts is None or isinstance(facts, kind)
        return facts

    def amend(self, kind: type[Struct], **changes: object) -> None:
        """Changes fields of the facts of this type, where some were kept."""
        facts = self.kept(kind)
        self.keep(facts and replace(facts, **changes))

    def count(self, counters: Counters) -> None:
        """Counts what this socket carries, from here to the step's end."""
        self.counted.append((counters, counters.copy()))

    def settle(self, ended: float) -> None:
        """Ends the step: later traffic of the same socket is another step's."""
        self.ended = ended
        self.counted = [(now.since(before), Counters()) for now, before in self.counted]

    def observation(self, origin: float) -> Observation:
        total = Counters()
        for now, before in self.counted:
            total.add(now.since(before))
        seen = Observation(
            step=self.step,
            started_us=round((self.started - origin) * 1e6),
            took_us=round((self.ended - self.started) * 1e6),
            failure=self.failure,
            operation=self.operation if self.failure else None,
            bytes_sent=total.bytes_sent,
            bytes_received=total.bytes_received,
            packets_sent=total.packets_sent,
            packets_received=total.packets_received,
        )
        return replace(seen, **self.facts)
