"""The warehouse as the judging process sees it: the collector answers, and writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from collector.judging.process import messages
from collector.judging.process.messages import Answer, Link, Refused, Request
from collector.warehouse import basis as bases
from collector.warehouse import waiting
from collector.warehouse.basis import SCHEMA, Basis
from collector.warehouse.interface import Hour, Parameters
from collector.warehouse.tables import Change


class NotNow(OSError):
    """The collector could not do what was asked for: the step fails, and is tried again."""


class FarWarehouse:
    """A Warehouse (collector/warehouse/interface.py) over a link, and the index's hand that writes."""

    def __init__(self, link: Link, path: Path) -> None:
        self._link, self.path = link, path

    @property
    def is_damaged(self) -> bool:
        return bool(self._ask(messages.IsDamaged()))

    def select(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        given = parameters if isinstance(parameters, dict) else list(parameters)
        return messages.rows(self._ask(messages.Select(statement, given)))

    def cursor(self) -> int:
        return int(self.select("SELECT cursor FROM meta")[0][0])

    def basis(self) -> Basis | None:
        ((schema,),) = self.select("SELECT schema FROM meta")
        if schema != SCHEMA:
            return Basis(schema=schema, rules_version=0, log="")
        return bases.written(self.select(bases.SELECT)[0])

    def next_waiting(self, limit: int) -> list[Hour]:
        return [(target, hour) for target, hour in self.select(waiting.NEXT, [limit])]

    def apart(self) -> frozenset[str]:
        return frozenset(key for (key,) in self.select(waiting.APART))

    def begin(self, basis: Basis) -> None:
        self._ask(messages.Begin(basis))

    def change_basis(self, basis: Basis, hours: Collection[Hour], apart: Collection[str], since_hour: int) -> None:
        self._ask(messages.ChangeBasis(basis, sorted(hours), sorted(apart), since_hour))

    def put(self, change: Change, cursor: int, waited: Sequence[Hour] = ()) -> None:
        self._ask(messages.Put(change, cursor, list(waited)))

    def adopt(self, path: Path) -> None:
        self._ask(messages.Adopt(str(path)))

    def start_again(self) -> None:
        self._ask(messages.StartAgain())

    def extend(self, limit: int) -> int:
        """Has the collector take more of the log into the index."""
        return int(self._ask(messages.Extend(limit)))

    def _ask(self, request: Request) -> Any:
        self._link.send(request)
        answer = self._link.order()
        if isinstance(answer, Refused):
            raise NotNow("the collector could not do it now")
        assert isinstance(answer, Answer)
        return answer.value
