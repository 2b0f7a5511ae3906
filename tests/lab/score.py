"""What was said against what is true: the outcome of each target, and what outcomes add up to. Pure.

An outcome is one of OUTCOMES. `not_yet` is what waits for a handshake or a call flow that does not exist: it is never
right and never wrong. Whoever is accused although nobody interferes is a `false_accusation`, whatever else holds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tests.lab.model import Entry, Expected, Run, Scored

OUTCOMES = ("right", "shallow", "wrong_mechanism", "wrong_state", "false_accusation", "not_yet")
STATE_IS_RIGHT = ("right", "shallow", "wrong_mechanism")
WRONG = ("wrong_mechanism", "wrong_state", "false_accusation")
ACCUSING = frozenset({"blocked", "likely_blocked"})
INTERFERED = ACCUSING | {"degraded"}  # the cells of the product count these as interference
REACHED = "relay_only"  # the rule of a call whose relay answers: its clean state
UNMEASURABLE = "not_measurable"
UNTOLD = frozenset({REACHED, UNMEASURABLE})  # `insufficient`, but for what the lab's country does
Z = 1.96  # 95 %


@dataclass(frozen=True, slots=True)
class Said:
    """The last verdict of a run about one target."""

    target: str
    state: str
    mechanism: str | None
    rule: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of many cells, with fractions over those that could be measured."""

    counts: Mapping[str, int]

    @property
    def measured(self) -> int:
        return sum(self.counts.values()) - self.counts.get("not_yet", 0)

    def of(self, *outcomes: str) -> int:
        return sum(self.counts.get(outcome, 0) for outcome in outcomes)

    def fraction(self, *outcomes: str) -> float | None:
        """None when nothing could be measured."""
        return self.of(*outcomes) / self.measured if self.measured else None

    def interval(self, *outcomes: str) -> tuple[float, float]:
        return wilson(self.of(*outcomes), self.measured)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion; everything is possible before the first trial."""
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, Z * Z / trials
    centre = share + square / 2
    margin = Z * math.sqrt((share * (1 - share) + square / 4) / trials)
    return max(0.0, (centre - margin) / (1 + square)), min(1.0, (centre + margin) / (1 + square))


def clean(target: str) -> Expected:
    """What must be said of a target that nothing touches."""
    return Expected("insufficient" if target.endswith("/call") else "ok")


def outcome(expected: Expected, said: Said, *, harmless: bool) -> str:
    """What became of one target; `harmless` when nobody interferes with anything in this run."""
    if is_false_accusation(expected, said, harmless):
        return "false_accusation"
    if expected.not_yet:
        return "not_yet"
    if expected.or_open and said.state == "insufficient":
        return "right"
    if said.state != expected.state:
        return "wrong_state"
    if said.mechanism == expected.mechanism:
        return "right"
    return "shallow" if is_prefix(said.mechanism, expected.mechanism) else "wrong_mechanism"


def is_false_accusation(expected: Expected, said: Said, harmless: bool) -> bool:
    """Blocking is said of an innocent network, or interference of a target that nobody interferes with."""
    if harmless and said.state in ACCUSING:
        return True
    return said.state in INTERFERED and expected.state not in INTERFERED


def is_prefix(said: str | None, expected: str | None) -> bool:
    """A mechanism that is right as far as it goes: `tls` of `tls.sni.drop`."""
    return bool(said and expected) and f"{expected}.".startswith(f"{said}.")


def score(run: Run, entry: Entry, verdicts: Iterable[Said], *, harmless: bool) -> list[Scored]:
    """Each target that was measured against what this entry does to it.

    Neutral targets and those that cannot be measured count where the entry names them, or where they are accused.
    """
    cells = (_scored(run, entry, said, harmless) for said in verdicts)
    return [one for one in cells if one.target in entry.expected or _counts(one)]


def _counts(one: Scored) -> bool:
    """Without being named."""
    neutral = one.target.startswith("baseline/") or one.rule == UNMEASURABLE
    return one.verdict == "false_accusation" or not neutral


def _scored(run: Run, entry: Entry, said: Said, harmless: bool) -> Scored:
    named = entry.expected.get(said.target)
    expected = named or clean(said.target)
    found = outcome(expected, said, harmless=harmless)
    if named is None and found == "right" and said.target.endswith("/call") and said.rule != REACHED:
        found = "wrong_state"  # insufficient, but not for the reason that makes it a clean call
    return Scored(run, said.target, expected, said.state, said.mechanism, said.rule, found)


# --- Sums --------------------------------------------------------------------------------------------------------


def tally(scored: Iterable[Scored]) -> Tally:
    return Tally(Counter(one.verdict for one in scored))


def by(scored: Iterable[Scored], key: Callable[[Scored], str]) -> dict[str, list[Scored]]:
    groups: dict[str, list[Scored]] = {}
    for one in scored:
        groups.setdefault(key(one), []).append(one)
    return groups


def by_entry(scored: Iterable[Scored]) -> dict[str, list[Scored]]:
    return by(scored, lambda one: one.run.entry)


def macro(tallies: Iterable[Tally], *outcomes: str) -> float | None:
    """The mean of the entries' fractions: a technique that touches many targets weighs no more than another."""
    fractions = [each.fraction(*outcomes) for each in tallies]
    known = [fraction for fraction in fractions if fraction is not None]
    return fmean(known) if known else None


def insufficient(scored: Sequence[Scored]) -> float | None:
    """The share of targets about which nothing could be concluded, though something should."""
    told = [one for one in scored if one.rule not in UNTOLD]
    return sum(one.state == "insufficient" for one in told) / len(told) if told else None


def false_accusations(scored: Iterable[Scored]) -> int:
    return sum(one.verdict == "false_accusation" for one in scored)


def touched(scored: Iterable[Scored], entry: Entry, *, harmless: bool) -> list[Scored]:
    """Of a technique, the targets that it names; of an impairment all, since it must harm none."""
    return [one for one in scored if harmless or one.target in entry.expected]


def command(run: Run) -> str:
    """Runs just this cell again."""
    return f"python -m tests.lab --entry {run.entry} --operator {run.operator} --access {run.access} --seed {run.seed}"
