"""The page's first sentences: what was measured, what interfered, and what cannot be concluded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from collector.front.page.summary import Place, Row, Summary
from collector.front.page.words import day_words, place_words
from collector.warehouse.early_signal import EarlySignal
from probe.explain import STATE_WORDS, role_words, service_words
from probe.judge.cells import SPEAKS_AGAINST
from probe.model import State

NAMED = 6  # how many are named before the rest is a number


def title(summary: Summary) -> str:
    simulated = " (simulated)" if any(place.simulated for place in summary.places) else ""
    return f"Ringback: do calls get through?{simulated}"


def sentences(summary: Summary) -> list[str]:
    """The headline, one statement each, the most important first."""
    rows = _rows(summary.places)
    if not rows:
        return [_nothing(summary), *_early(summary.early)]
    return [
        f"In the last 24 hours, {_targets(rows)} measured on {_where(summary.places)}.",
        *_findings(rows),
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
    count = len({(row.service, row.role) for row in rows})
    return "1 target was" if count == 1 else f"{count} targets were"


def _where(places: Sequence[Place]) -> str:
    if len(places) > 1:
        return f"{len(places)} kinds of connection (a network and an access)"
    place = places[0]
    if place.by_line and all(not row.line for row in place.rows):
        return "this link"
    return place_words(place.country, place.asn, place.operator, place.access)


def _findings(rows: Sequence[Row]) -> list[str]:
    """The sentences about interference. "None was seen" is no finding where nothing could be seen at all."""
    if all(row.state is State.INSUFFICIENT for row in rows):
        return [f"Nothing can be concluded about {'it' if len(rows) == 1 else 'any of them'}."]
    return [_interference(rows), *_others(rows)]


def _interference(rows: Sequence[Row]) -> str:
    named = _named(rows, SPEAKS_AGAINST, with_state=True)
    if not named:
        return "Interference was seen with none of them, as far as anything can be concluded."
    return f"Interference was seen with {_listed(named)}."


def _others(rows: Sequence[Row]) -> list[str]:
    """The sentences about the other states, each where a target is in it."""
    said = (
        (State.INSUFFICIENT, "Nothing can be concluded about {}."),
        (State.IMPAIRED, "Not working, cause unclear: {}."),
        (State.DOWN, "Down everywhere it was measured: {}."),
        (State.OK, "No interference was seen with {}, at the depth stated below."),
    )
    named = [(_named(rows, (state,), with_state=False), sentence) for state, sentence in said]
    return [sentence.format(_listed(names)) for names, sentence in named if names]


def _named(rows: Sequence[Row], states: Collection[State], *, with_state: bool) -> list[str]:
    """The targets in these states, with how many connections each: a country has no state of its own."""
    seen = Counter((row.service, row.role) for row in rows)
    found = Counter((row.service, row.role, row.state) for row in rows if row.state in states)
    names = []
    for (service, role, state), count in found.items():
        total = seen[(service, role)]
        said = [STATE_WORDS[state].partition(":")[0]] if with_state else []
        if total > 1:
            said.append(f"{'on ' if with_state else ''}{count} of {total}")
        names.append(f"{service} {role} ({' '.join(said)})" if said else f"{service} {role}")
    return names


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


def _listed(names: Sequence[str]) -> str:
    named, more = names[:NAMED], len(names) - NAMED
    if more > 0:
        return f"{', '.join(named)} and {more} more"
    return " and ".join((", ".join(named[:-1]), named[-1])) if len(named) > 1 else named[0]
