"""The rules by which a collector judges. Whoever judges takes them as an argument; RULES are those of this version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from probe.judge.cells import Line, access_of, cell
from probe.judge.evidence import Evidence
from probe.judge.verdict import RULES_VERSION, judge
from probe.model import Access, Cell, Link, Network, Verdict


class MakeCell(Protocol):
    """One cell, of its lines with the latest verdict of each."""

    def __call__(
        self,
        target: str,
        network: Network,
        access: Access,
        since_ms: int,
        until_ms: int,
        latest: Sequence[Line],
    ) -> Cell: ...


class Rules(Struct, frozen=True, kw_only=True):
    """How a measurement is judged. All three are pure; `version` names what they do together."""

    judge: Callable[[Evidence], Verdict]
    cell: MakeCell
    access_of: Callable[[Link], Access]
    version: int


RULES = Rules(judge=judge, cell=cell, access_of=access_of, version=RULES_VERSION)
