"""The scoreboard: what all runs add up to, as JSON for programs and as a table for people. Pure.

The fractions are over techniques, each weighing the same, and only over what can be measured today; techniques that
key on our own bytes stand apart as `self_test`. README.md says how to read it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.lab.model import Entry, Run, Scored
from tests.lab.score import (
    OUTCOMES,
    STATE_IS_RIGHT,
    WRONG,
    Tally,
    by,
    by_entry,
    command,
    false_accusations,
    insufficient,
    macro,
    tally,
    touched,
    wilson,
)

WORST = 12
Json = dict[str, Any]


@dataclass(frozen=True)
class Board:
    """All cells, and the entries that they are of."""

    scored: Sequence[Scored]
    techniques: Mapping[str, Entry]
    impairments: Mapping[str, Entry]
    harmless_runs: int

    def is_harmless(self, entry: str) -> bool:
        return entry in self.impairments

    def entry(self, name: str) -> Entry:
        return self.impairments[name] if self.is_harmless(name) else self.techniques[name]

    def touched(self) -> dict[str, list[Scored]]:
        """Entry → the cells by which it is scored."""
        return {
            name: touched(cells, self.entry(name), harmless=self.is_harmless(name))
            for name, cells in sorted(by_entry(self.scored).items())
        }

    def tallies(self, *, self_test: bool = False) -> dict[str, Tally]:
        """Of techniques."""
        return {
            name: tally(cells)
            for name, cells in self.touched().items()
            if name in self.techniques and self.techniques[name].self_test == self_test
        }


def summary(board: Board, about: Json) -> Json:
    """The whole scoreboard; `about` is how it was made."""
    cells = board.touched()
    return {
        "false_accusations": false_accusations(board.scored),
        "false_accusations_waiting": waiting(board.scored),
        "harmless_runs": board.harmless_runs,
        "harmless_runs_accused": len(accused_runs(board)),
        **fractions(board.tallies()),
        "not_yet": len({(one.run.entry, one.target) for one in board.scored if one.verdict == "not_yet"}),
        "mild_ok": mild(board),
        "impairments": fractions({name: tally(cells[name]) for name in cells if name in board.impairments}),
        "self_test": fractions(board.tallies(self_test=True)),
        "untouched": untouched(board),
        **about,
        "worst": worst(cells),
        "entries": {name: entry_row(board, name, cells[name]) for name in cells},
        "wrong": wrong(board.scored),
        "cells": cell_rows(cells),
    }


def accused_runs(board: Board) -> set[Run]:
    """Harmless ones in which somebody is accused."""
    wrongly = (one for one in board.scored if one.verdict == "false_accusation")
    return {one.run for one in wrongly if board.is_harmless(one.run.entry)}


def waiting(scored: Iterable[Scored]) -> dict[str, int]:
    """What the false accusations wait for that could not be avoided with what is measured today; the others are ""."""
    return ordered(Counter(one.expected.not_yet for one in scored if one.verdict == "false_accusation"))


def fractions(tallies: Mapping[str, Tally]) -> Json:
    return {
        "state_correct": rounded(macro(tallies.values(), *STATE_IS_RIGHT)),
        "mechanism_correct": rounded(macro(tallies.values(), "right")),
        "shallow": rounded(macro(tallies.values(), "shallow")),
        "scored": sum(1 for each in tallies.values() if each.measured),
    }


def mild(board: Board) -> Json:
    """Impairments under which everything must be as on a clean line."""
    cells = [one for name, each in board.touched().items() for one in each if is_mild(board, name)]
    found = tally(cells)
    return {"fraction": rounded(found.fraction("right")), "interval": interval(found, "right"), "n": found.measured}


def is_mild(board: Board, name: str) -> bool:
    return name in board.impairments and board.impairments[name].mild


def untouched(board: Board) -> Json:
    """Targets that a technique does not name: they must be as on a clean line."""
    found = tally(
        one
        for one in board.scored
        if one.run.entry in board.techniques and one.target not in board.techniques[one.run.entry].expected
    )
    return {"fraction": rounded(found.fraction("right")), "interval": interval(found, "right"), "n": found.measured}


def entry_row(board: Board, name: str, cells: Sequence[Scored]) -> Json:
    entry, found = board.entry(name), tally(cells)
    return {
        "does": entry.does,
        "source": entry.source,
        "ranges": dict(entry.ranges),
        "at": entry.at,
        "kind": "impairment" if board.is_harmless(name) else "self-test" if entry.self_test else "technique",
        "mild": entry.mild,
        "runs": len({one.run for one in cells}),
        "state_correct": rounded(found.fraction(*STATE_IS_RIGHT)),
        "interval": interval(found, *STATE_IS_RIGHT),
        "mechanism_correct": rounded(found.fraction("right")),
        "insufficient": rounded(insufficient(cells)),
        "outcomes": ordered(found.counts),
    }


def worst(cells: Mapping[str, Sequence[Scored]]) -> list[Json]:
    """The pairs of entry and target that are wrong most often, with a command that shows each."""
    rows = [_worst_row(one) for each in cells.values() for one in by(each, lambda one: one.target).values()]
    bad = [row for row in rows if row["right"] is not None and row["right"] < 1]
    return sorted(bad, key=lambda row: (row["right"], -row["n"], row["entry"], row["target"]))[:WORST]


def _worst_row(cells: Sequence[Scored]) -> Json:
    found, first = tally(cells), next((one for one in cells if one.verdict in WRONG), cells[0])
    return {
        "entry": first.run.entry,
        "target": first.target,
        "right": rounded(found.fraction("right")),
        "n": found.measured,
        "expected": words(first.expected.state, first.expected.mechanism),
        "said": words(first.state, first.mechanism),
        "rule": first.rule,
        "command": command(first.run),
    }


def wrong(scored: Iterable[Scored]) -> list[Json]:
    """Every cell that is wrong, grouped by what was expected and said, with the command of the first."""
    cells = [one for one in scored if one.verdict in WRONG]
    groups = by(cells, lambda one: "|".join((one.run.entry, one.target, one.verdict, one.state, one.rule)))
    return [
        {
            "entry": first.run.entry,
            "target": first.target,
            "outcome": first.verdict,
            "times": len(group),
            "accesses": ordered(Counter(one.run.access for one in group)),
            "expected": words(first.expected.state, first.expected.mechanism),
            "said": words(first.state, first.mechanism),
            "rule": first.rule,
            "command": command(first.run),
        }
        for group in groups.values()
        for first in (group[0],)
    ]


def cell_rows(cells: Mapping[str, Sequence[Scored]]) -> list[Json]:
    """A row for each entry and target, with outcomes by access."""
    return [
        {
            "entry": name,
            "target": target,
            "expected": words(group[0].expected.state, group[0].expected.mechanism),
            **({"not_yet": group[0].expected.not_yet} if group[0].expected.not_yet else {}),
            "said": ordered(Counter(words(one.state, one.mechanism) for one in group)),
            **{
                access: ordered(tally(of_access).counts)
                for access, of_access in sorted(by(group, lambda one: one.run.access).items())
            },
        }
        for name, each in cells.items()
        for target, group in sorted(by(each, lambda one: one.target).items())
    ]


# --- Words ---------------------------------------------------------------------------------------------------------


def words(state: str, mechanism: str | None) -> str:
    return f"{state} {mechanism}" if mechanism else state


def rounded(fraction: float | None) -> float | None:
    return None if fraction is None else round(fraction, 4)


def interval(found: Tally, *outcomes: str) -> list[float]:
    return [round(bound, 4) for bound in found.interval(*outcomes)]


def ordered(counts: Mapping[str, int]) -> dict[str, int]:
    known = [name for name in OUTCOMES if name in counts]
    return {name: counts[name] for name in [*known, *sorted(set(counts) - set(known))]}


def percent(fraction: float | None) -> str:
    return "    –" if fraction is None else f"{fraction:5.1%}"


def as_text(board: Json) -> str:
    """JSON with a line for each row, so that two boards can be compared by diff."""
    parts = []
    for name, value in board.items():
        rows = value if isinstance(value, list) else value.items() if name == "entries" else None
        if not rows:
            parts.append(f"{_dumped(name)}: {_dumped(value)}")
        elif isinstance(value, list):
            parts.append(f"{_dumped(name)}: [\n  " + ",\n  ".join(map(_dumped, value)) + "\n ]")
        else:
            lines = [f"{_dumped(key)}: {_dumped(row)}" for key, row in rows]
            parts.append(f"{_dumped(name)}: {{\n  " + ",\n  ".join(lines) + "\n }")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def table(board: Json) -> str:
    """For people: one line per entry, then what is wrong and how to see it."""
    lines = [*_heading(board), ""]
    for kind in ("technique", "self-test", "impairment"):
        rows = {name: row for name, row in board["entries"].items() if row["kind"] == kind}
        if rows:
            lines += [f"{kind + 's':36} runs  state [95 %]            mechanism  insufficient"]
            lines += [_line(name, row) for name, row in rows.items()] + [""]
    lines += [_wrong_line(row) for row in board["wrong"]]
    return "\n".join(lines)


def _heading(board: Json) -> list[str]:
    runs, accused = board["harmless_runs"], board["harmless_runs_accused"]
    bound, mildly = wilson(accused, runs)[1], board["mild_ok"]
    return [
        f"{board['false_accusations']} false accusations; {accused} of {runs} harmless runs accuse somebody "
        f"(95 %: at most {bound:.2%})",
        f"state right {percent(board['state_correct'])}, mechanism right {percent(board['mechanism_correct'])}, "
        f"shallow {percent(board['shallow'])} over {board['scored']} techniques; not yet: {board['not_yet']}",
        f"mild impairments as on a clean line: {percent(mildly['fraction'])} of {mildly['n']} cells; "
        f"all impairments as expected: {percent(board['impairments']['state_correct'])}",
        *([_agreement(board["agreement"])] if "agreement" in board else []),
    ]


def _agreement(found: Json) -> str:
    differ = ", ".join(f"{row['entry']} {row['target']}" for row in found["differ"]) or "none"
    return f"{found['cells']} cells of {found['runs']} runs told three ways; told differently: {differ}"


def _line(name: str, row: Json) -> str:
    low, high = row["interval"]
    state = f"{percent(row['state_correct'])} [{low:5.1%}–{high:6.1%}]"
    return f"{name:36} {row['runs']:4}  {state}  {percent(row['mechanism_correct'])}     {percent(row['insufficient'])}"


def _wrong_line(row: Json) -> str:
    return (
        f"{row['outcome']}: {row['entry']}, {row['target']}: {row['said']} ({row['rule']}), not {row['expected']}, "
        f"{row['times']} times\n    {row['command']}"
    )
