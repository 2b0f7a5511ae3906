"""The page's first sentences: the answer, then what was found about what, then what it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from collector.front.page.rows import Row
from collector.front.page.summary import Place, Summary
from collector.front.page.words import day_words, place_words
from collector.warehouse.early_signal import EarlySignal
from probe.explain import STATE_WORDS, role_words, service_words
from probe.judge.cells import SPEAKS_AGAINST
from probe.model import State

NAMED = 6  # how many are named before the rest is a number
MOST_BEHIND = 100  # batches that wait for the judge before the page says so
# What speaks against somebody first, what says nothing last.
SEVERITY = (
    *(State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED, State.MIXED),
    *(State.IMPAIRED, State.DOWN, State.OK, State.INSUFFICIENT, State.UNKNOWN),
)


def title(simulated: bool) -> str:
    return f"Ringback: do calls get through?{' (simulated)' if simulated else ''}"


def behind(batches: int) -> list[str]:
    """Says how far what was received is ahead of what is shown."""
    if batches < MOST_BEHIND:
        return []
    return [
        f"{batches:,} batches of measurements have been received and are not judged yet: they are not on this page."
    ]


def sentences(summary: Summary) -> list[str]:
    """The headline, one statement each, the most important first."""
    rows = _rows(summary.places)
    if not rows:
        return [_nothing(summary), *_early(summary.early)]
    return [
        *_findings(rows),
        f"In the last 24 hours, {_targets(rows)} measured on {_where(summary.places)}.",
        *_early(summary.early),
        *_controls(summary),
        *([] if summary.complete else ["There is more than this page can hold; the rest is in /v1/cells."]),
    ]


def _rows(places: Iterable[Place]) -> list[Row]:
    """The rows of services; neutral ones are for comparison only."""
    return [row for place in places for row in place.rows if not row.neutral]


def _nothing(summary: Summary) -> str:
    if summary.full:
        return "Nothing was measured in the last 24 hours."
    return (
        "In the last 24 hours, no network was measured in any hour on 3 established lines from 3 places or more; below "
        "that nothing is shown. A line is established when it was seen on 7 days: a young collector shows its owner "
        "everything, and others little."
    )


def _targets(rows: Sequence[Row]) -> str:
    count = len({row.target for row in rows})
    return "1 target was" if count == 1 else f"{count} targets were"


def _where(places: Sequence[Place]) -> str:
    if len(places) > 1:
        return f"{len(places)} connections (operator and access type)"
    place = places[0]
    if place.by_line and all(not row.line for row in place.rows):
        return "this link"
    return place_words(place.country, place.asn, place.operator, place.access)


# --- What was found


def _findings(rows: Sequence[Row]) -> list[str]:
    """The answer, and a sentence for each kind of outcome. "None was found" is no finding where nothing could be."""
    if all(row.state is State.INSUFFICIENT for row in rows):
        return [f"Nothing can be concluded about {'it' if len(rows) == 1 else 'any of them'}.", *_outcomes(rows)]
    if any(row.state in SPEAKS_AGAINST for row in rows):
        return _outcomes(rows)
    return ["No interference was found wherever a conclusion was possible.", *_outcomes(rows)]


def _outcomes(rows: Sequence[Row]) -> list[str]:
    """What was seen of which targets, those together of which the same was seen; what speaks against somebody first."""
    of_target: dict[str, list[Row]] = {}
    for row in rows:
        of_target.setdefault(row.target, []).append(row)
    outcomes: dict[tuple[int, str], list[Row]] = {}
    for group in of_target.values():
        outcomes.setdefault((min(map(_severity, group)), _outcome(group)), []).append(group[0])
    ordered = sorted(outcomes.items(), key=lambda item: item[0][0])
    return [f"{_named(named)}: {outcome}." for (_, outcome), named in ordered]


def _severity(row: Row) -> int:
    return SEVERITY.index(row.state)


def _outcome(rows: Sequence[Row]) -> str:
    """Such as `likely blocked on 8 of 12 connections, cannot be concluded on 4`: a country has no state of its own."""
    counts = Counter(_said(row) for row in sorted(rows, key=_severity))
    if len(rows) == 1:
        return _said(rows[0])
    if len(counts) == 1:
        return f"{_said(rows[0])} on all {len(rows)} connections measured"
    first, *others = counts.items()
    return ", ".join([f"{first[0]} on {first[1]} of {len(rows)} connections", *(f"{w} on {n}" for w, n in others)])


def _said(row: Row) -> str:
    """The state in words, with the depth where nothing else is known."""
    words = row.state_words if row.state is State.INSUFFICIENT else STATE_WORDS[row.state]
    return words.replace(": ", ", ")


def _named(rows: Sequence[Row]) -> str:
    """Such as `Messenger and Viber calls, Telegram messages`."""
    of_role: dict[str, list[str]] = {}
    for row in rows:
        of_role.setdefault(row.role, []).append(row.service)
    return ", ".join(f"{_listed(services)} {role}" for role, services in of_role.items())


def _listed(names: Sequence[str]) -> str:
    named, more = names[:NAMED], len(names) - NAMED
    if more > 0:
        return f"{', '.join(named)} and {more} more"
    return " and ".join((", ".join(named[:-1]), named[-1])) if len(named) > 1 else named[0]


# --- What it rests on


def _early(signals: Sequence[EarlySignal]) -> list[str]:
    """For the owner, who is told also what nobody established has seen."""
    sentences = [
        f"Early signal, unconfirmed, from {one.sources} new measurers, on {day_words(one.day)}: interference with "
        f"{service_words(one.service)} {role_words(one.role)} on {one.operator} (AS{one.asn}, {one.country}); "
        f"{one.passing} other new ones got through."
        for one in signals[:NAMED]
    ]
    more = len(signals) - NAMED
    return [*sentences, *([f"There are {more} more early signals."] if more > 0 else [])]


def _controls(summary: Summary) -> list[str]:
    if summary.controls:
        return []
    return ["No control measured in these hours; without one, a service that is down can rarely be told from a block."]
