"""A strict reader of YAML for files that people write: known keys, exact types, and a line in every complaint.

YAML is only composed into nodes, which know their lines; nothing is constructed from tags. Aliases are refused, so
that a small file cannot unfold into a large one, and so is depth that no file of ours has.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterator, Sequence

import yaml

from probe.failure import UserError

MAX_DEPTH = 8
TEXT, INTEGER, FLAG = (f"tag:yaml.org,2002:{word}" for word in ("str", "int", "bool"))


class _Composer(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        problem = "aliases are not read; write it out" if isinstance(event, yaml.AliasEvent) else None
        if self.depth == MAX_DEPTH:
            problem = "nested too deeply"
        if problem is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def compose(body: bytes, file: str) -> yaml.Node:
    """The root node of the only document in `body`. Raises UserError, with the line where one is known."""
    try:
        node = yaml.compose(body.decode(), _Composer)
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise UserError(f"{file}, line {line}: this is not UTF-8; save the file as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise UserError(f"{file}, line {line}: this is not YAML that we read: {str(error.problem)[:100]}.") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # control characters; escapes beyond Unicode
        raise UserError(f"{file} holds characters that YAML does not allow; remove them.") from error
    if node is None:
        raise UserError(f"{file} is empty; write its sections.")
    return node


class Section:
    """One mapping of the file. Each method returns a value of exactly its type, or raises UserError with the line."""

    def __init__(
        self,
        file: str,
        what: str,
        node: yaml.Node,
        keys: Sequence[str] | None,
        inherits: tuple[Section, Sequence[str]] | None = None,
        place: yaml.Node | None = None,
    ) -> None:
        """`what` names the mapping in sentences; `keys` are those allowed (None: any); `inherits` is a block that
        gives some keys when this one does not; `place` is where the mapping's own name stands."""
        self.file, self.what, self.inherits, self.place = file, what, inherits, place or node
        self.values: dict[str, yaml.Node] = {}
        self.places: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            raise self._complain(node, f"{what} must be a mapping, `key: value` on each line.")
        for key, value in node.value:
            self._add(key, value, keys)

    def _add(self, key: yaml.Node, value: yaml.Node, keys: Sequence[str] | None) -> None:
        if not isinstance(key, yaml.ScalarNode) or key.tag != TEXT or not _one_line(key.value):
            raise self._complain(key, f"a key of {self.what} must be a word; put it in quotes.")
        if keys is not None and key.value not in keys:
            raise self._complain(key, f"{self.what} has no key `{key.value[:60]}`; {_advice(key.value, keys)}.")
        if key.value in self.values:
            first = self.places[key.value].start_mark.line + 1
            raise self._complain(key, f"`{key.value[:60]}` stands on line {first} already; keep one of the two.")
        self.values[key.value] = value
        self.places[key.value] = key

    def names(self) -> list[str]:
        """The keys, in the file's order."""
        return list(self.values)

    def has(self, key: str) -> bool:
        return self._find(key) is not None

    def refused(self, key: str | None, problem: str) -> UserError:
        """The error to raise for `key`, or for the whole block where None or absent."""
        owner = self._owner(key) if key is not None else None
        return self._complain(owner.places[key] if owner and key else self.place, problem)

    def text(self, key: str, lines: bool = False) -> str:
        """The text of a key, not empty, on one line unless `lines`."""
        return self._as_text(self._need(key), key, lines)

    def maybe(self, key: str) -> str | None:
        """The text of a key; None where it is absent."""
        return self.text(key) if self.has(key) else None

    def texts(self, key: str) -> list[str]:
        """The texts of a list, at least one."""
        self._need(key)
        return [self._as_text(node, key, False) for node in self.items(key)]

    def word(self, key: str, words: Sequence[str]) -> str:
        """The text of a key, which is one of `words`."""
        return self.known(key, self.text(key), words)

    def known(self, key: str, word: str, words: Sequence[str]) -> str:
        """`word`, if it is one of `words`; the complaint calls it a `key`."""
        if word not in words:
            raise self.refused(key, f"`{word[:60]}` is no known {key}; {_advice(word, words)}.")
        return word

    def integer(self, key: str, low: int, high: int) -> int:
        """The integer of a key, in decimal digits, from `low` to `high`."""
        node = self._need(key)
        digits = node.value if isinstance(node, yaml.ScalarNode) and node.tag == INTEGER else ""
        if re.fullmatch("[1-9][0-9]{0,8}", digits) is None or not low <= int(digits) <= high:
            raise self._complain(node, f"`{key}` must be a whole number from {low} to {high}.")
        return int(digits)

    def flag(self, key: str) -> bool:
        """The flag of a key, true or false; false where it is absent."""
        node = self._find(key)
        if node is None:
            return False
        if node.tag != FLAG or node.value not in ("true", "false"):
            raise self._complain(node, f"`{key}` must be `true` or `false`.")
        return bool(node.value == "true")

    def date(self, key: str) -> str:
        """The day, month or year of a key, as written: 2026-05-31, 2026-05 or 2026."""
        node = self._need(key)
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        try:
            if re.fullmatch("[0-9]{4}(-[0-9]{2}){0,2}", text) is None:
                raise ValueError
            datetime.date.fromisoformat(text + "-01-01"[len(text) - 4 :])  # the missing month and day
        except ValueError as error:
            raise self._complain(node, f"`{key}` must be a date such as 2026-05-31, 2026-05 or 2026.") from error
        return text

    def section(self, key: str, what: str, keys: Sequence[str] | None) -> Section:
        """The mapping under `key`."""
        return Section(self.file, what, self._need(key), keys, place=self.places.get(key))

    def sections(self, key: str, what: str, keys: Sequence[str]) -> Iterator[tuple[str, Section]]:
        """The named mappings under `key`; none where it is absent."""
        if self.has(key):
            section = self.section(key, f"`{key}`", None)
            for name in section.names():
                yield name, section.section(name, what, keys)

    def items(self, key: str) -> list[yaml.Node]:
        """The nodes of the list under `key`, at least one; none where it is absent."""
        node = self._find(key)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self._complain(node, f"`{key}` must be a list with at least one entry.")
        return list(node.value)

    def _find(self, key: str) -> yaml.Node | None:
        owner = self._owner(key)
        return None if owner is None else owner.values[key]

    def _owner(self, key: str) -> Section | None:
        if key in self.values:
            return self
        if self.inherits is not None and key in self.inherits[1]:
            return self.inherits[0]._owner(key)
        return None

    def _need(self, key: str) -> yaml.Node:
        node = self._find(key)
        if node is None:
            raise self._complain(self.place, f"{self.what} needs the key `{key}`.")
        return node

    def _as_text(self, node: yaml.Node, key: str, lines: bool) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != TEXT:
            raise self._complain(node, f"`{key}` must be text; put it in quotes.")
        if not _one_line(node.value.replace("\n", "") if lines else node.value):
            raise self._complain(node, f"`{key}` must be one line of printable text.")
        return str(node.value)

    def _complain(self, node: yaml.Node, problem: str) -> UserError:
        return UserError(f"{self.file}, line {node.start_mark.line + 1}: {problem}")


def _one_line(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


def _advice(word: str, words: Sequence[str]) -> str:
    close = difflib.get_close_matches(word[:60], words, 1, 0.5)
    if close:
        return f"write `{close[0]}`"
    return "use one of " + ", ".join(words) if words else "there is none to choose from"
