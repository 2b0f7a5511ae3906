"""What the judge asked: evidence that is found when a rule first asks for it, and notes that it was asked for.

What was not asked cannot change a verdict; so an arrival concerns only those who asked about what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import IntFlag
from typing import Generic, TypeVar

V = TypeVar("V")


class Asked(IntFlag):
    """Of whom a verdict asked anything. Kept with it, as a number: no bit may get another meaning without a SCHEMA."""

    NOBODY = 0
    CONTROLS = 1  # of within ±60 min
    CALIBRATION = 2  # controls of the 24 h before
    NEIGHBOURS = 4  # lines of other operators, at an address
    RESOLVER_LINES = 8  # lines that use the same resolver
    REACHED = 16  # what its own line reached in its cycle. The highest, for few ask, and they are looked for by it


class AskedLines(Mapping[str, V], Generic[V]):
    """What others' lines say, by the name of what they are asked about. `find` is asked once about each."""

    def __init__(self, names: Callable[[], Iterable[str]], find: Callable[[str], V | None]) -> None:
        self._names, self._find = names, find
        self.answers: dict[str, V | None] = {}  # to what was asked so far; None: nobody knows anything of it

    def __getitem__(self, name: str) -> V:
        if name not in self.answers:
            self.answers[name] = self._find(name)
        found = self.answers[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name in sorted(self._names()) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class AskedAddresses(Collection[str]):
    """Addresses that are found when first asked for."""

    def __init__(self, find: Callable[[], frozenset[str]]) -> None:
        self._find = find
        self._found: frozenset[str] | None = None

    @property
    def is_asked(self) -> bool:
        return self._found is not None

    def __contains__(self, address: object) -> bool:
        return address in self._addresses()

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses())

    def __len__(self) -> int:
        return len(self._addresses())

    def _addresses(self) -> frozenset[str]:
        if self._found is None:
            self._found = self._find()
        return self._found
