"""The warehouse as judging needs it, wherever its file is held."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from collector.warehouse.basis import Basis
from collector.warehouse.tables import Change

Hour = tuple[str, int]  # target, hours since 1970
Parameters = Mapping[str, object] | Sequence[object]


class Warehouse(Protocol):
    """What each is for, says the class that holds the file (store.py)."""

    @property
    def path(self) -> Path | None: ...

    @property
    def is_damaged(self) -> bool: ...

    def select(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]: ...

    def cursor(self) -> int: ...

    def basis(self) -> Basis | None: ...

    def next_waiting(self, limit: int) -> list[Hour]: ...

    def apart(self) -> frozenset[str]: ...

    def begin(self, basis: Basis) -> None: ...

    def change_basis(self, basis: Basis, hours: Collection[Hour], apart: Collection[str], since_hour: int) -> None: ...

    def put(self, change: Change, cursor: int, waited: Sequence[Hour] = ()) -> None: ...

    def adopt(self, path: Path) -> None: ...

    def start_again(self) -> None: ...
