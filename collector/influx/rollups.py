"""Totals as points: absolute, at the start of their hour or day. What is no more is written as zeros."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from collector.influx import public as public_cells
from collector.influx import totals
from collector.influx.line import MS_NS, Value, line
from collector.influx.public import Told
from collector.influx.schema import CONTROL_1H, HOURLY, NOTHING, RELAY_REACHED, STATES, Span
from collector.influx.totals import Bucket, Controls, Said, Tally
from collector.influx.vocabulary import Place, Vocabulary, country_word
from collector.judging.rows import verdict_of
from collector.judging.rules import MakeCell
from collector.warehouse import privacy_floor
from collector.warehouse.store import Warehouse
from probe.judge.cells import LINES_FLOOR, SPEAKS_AGAINST, Line
from probe.model import HOUR_MS, Access, Cell, Depth, Network, State, Step

STEPS = tuple(step.value for step in Step)

Fields = dict[str, Value | None]
Steps = Mapping[tuple[Place, bool], Mapping[str, tuple[int, int]]]


class Counted(Struct, frozen=True):
    """A cell with what it was made of; both are None where nothing stands any more. `left`: some verdicts have moved
    away from there. `public` is what strangers are told of it, if anything.
    """

    tally: Tally | None = None
    cell: Cell | None = None
    left: bool = False
    public: Cell | None = None


class Rollups:
    """Makes points of what stands in `warehouse`. `make_cell` is the judge's."""

    def __init__(self, warehouse: Warehouse, make_cell: MakeCell) -> None:
        self._warehouse, self._make_cell = warehouse, make_cell

    def of(self, span: Span, words: Vocabulary, marks: Sequence[Bucket], now_ms: int) -> Iterator[str]:
        """The lines of each (target, slot): cells, countries and steps, and of an hour the controls."""
        buckets = [bucket for bucket in marks if words.target(bucket[0])]
        tallies = totals.of_places(self._warehouse, buckets, span.hours)
        gone = totals.vacated(self._warehouse, buckets, span.hours)
        countries = totals.of_countries(self._warehouse, buckets, span.hours)
        controls = totals.of_controls(self._warehouse, buckets, span.hours)
        steps = totals.of_steps(self._warehouse, buckets, span.hours)
        public = public_cells.told(self._warehouse, self._make_cell, buckets, span.hours, now_ms)

        def lines(bucket: Bucket) -> list[str]:
            seen = controls.get(bucket, {})
            told, of_countries = public.get(bucket, {}), countries.get(bucket, {})
            places = self._cells(bucket, span.hours, tallies.get(bucket, {}), gone.get(bucket, set()), told)
            sums = dict(_sums_of_small(places, of_countries, told))
            return [
                *cell_lines(span, words, bucket, {**places, **sums}, seen),
                *country_lines(span, words, bucket, {**places, **sums}, of_countries, seen),
                *step_lines(span, words, bucket, places, steps.get(bucket, {})),
                *([control_line(words, bucket, seen)] if span is HOURLY else []),
            ]

        for made in self._warehouse.faults.each("points of totals", lines, buckets):
            yield from made

    def _cells(
        self, bucket: Bucket, span: int, standing: Mapping[Place, Tally], left: Collection[Place], told: Told
    ) -> dict[Place, Counted]:
        """The cells of a bucket by place, also of places where nothing stands any more."""
        return {
            place: self._counted(bucket, span, place, standing.get(place), place in left, told)
            for place in sorted({*standing, *left})
        }

    def _counted(self, bucket: Bucket, span: int, place: Place, tally: Tally | None, left: bool, told: Told) -> Counted:
        if tally is None:
            return Counted(left=left)
        target, slot = bucket
        country, asn, operator, access = place
        network = Network(country=country, asn=asn, operator=operator)
        since_ms, until_ms = (n * span * HOUR_MS for n in (slot, slot + 1))
        latest = [line for said, lines in tally.said.items() for line in [_line(target, said)] * lines]
        cell = self._make_cell(target, network, Access(access), since_ms, until_ms, latest)
        return Counted(tally, cell, left, told.get((place, tally.simulated)))


def _sums_of_small(
    places: Mapping[Place, Counted], countries: Mapping[str, Tally], told: Told
) -> Iterator[tuple[Place, Counted]]:
    """The sums of small networks, for strangers only: of each country and access in which there may be one, or was."""
    networks = Counter((country, access) for country, _, _, access in places)
    for (country, access), count in networks.items():
        if count > 1 and country != Network().country:
            place = (country, 0, privacy_floor.OTHER, access)
            tally = countries.get(country)
            yield place, Counted(public=None if tally is None else told.get((place, tally.simulated)))


def cell_lines(
    span: Span,
    words: Vocabulary,
    bucket: Bucket,
    places: Mapping[Place, Counted],
    controls: Mapping[bool, Controls],
) -> Iterator[str]:
    target, slot = bucket
    for place, counted in places.items():
        tags = words.place(place)
        if tags is None:  # counted for its country only
            continue
        fields = {**_lines(counted.tally, controls), **_conclusion(counted.cell), **_public(counted), "flows": 0}
        yield line(span.cell, {**tags, **(words.target(target) or {})}, fields, start_ns(slot, span.hours))


def country_lines(
    span: Span,
    words: Vocabulary,
    bucket: Bucket,
    places: Mapping[Place, Counted],
    tallies: Mapping[str, Tally],
    controls: Mapping[bool, Controls],
) -> Iterator[str]:
    """The lines of a country. `shown` and what belongs to it are of all lines, for operators; what strangers read is
    `public_`, made of nothing but the cells that pass the privacy floor.
    """
    target, slot = bucket
    for country in dict.fromkeys(place[0] for place in places):
        tally = tallies.get(country)
        shown = tally is not None and tally.lines >= LINES_FLOOR
        cells = _cells_of(country, places, tally)
        fields: Fields = {
            **_lines(tally if shown else None, controls),
            **_sums(cells if shown else []),
            "shown": int(shown),
            "band": privacy_floor.band(tally.lines) if tally and shown else "",
            **_public_sums(_told_of(country, places, tally)),
        }
        tags = {"country": country_word(country), **(words.target(target) or {})}
        yield line(span.country, tags, fields, start_ns(slot, span.hours))


def _told_of(country: str, places: Mapping[Place, Counted], tally: Tally | None) -> list[Cell]:
    """The cells of a country that strangers are told of; of what was simulated only where nothing was measured."""
    return [
        each.public
        for place, each in places.items()
        if place[0] == country
        and each.public
        and tally
        and (each.tally is None or each.tally.simulated == tally.simulated)
    ]


def _cells_of(country: str, places: Mapping[Place, Counted], tally: Tally | None) -> list[Cell]:
    """The cells of a country that its tally is of: what is simulated is not added to what was measured."""
    return [
        each.cell
        for place, each in places.items()
        if place[0] == country and each.cell and each.tally and tally and each.tally.simulated == tally.simulated
    ]


def step_lines(
    span: Span, words: Vocabulary, bucket: Bucket, places: Mapping[Place, Counted], steps: Steps
) -> Iterator[str]:
    """The lines of steps, with zeros for what may have been written and does not hold any more."""
    target, slot = bucket
    for place, counted in places.items():
        tags = words.place(place)
        if tags is None:
            continue
        named = {**tags, **(words.target(target) or {})}
        for step, (passed, failed) in sorted(_outcomes(place, counted, steps).items()):
            yield line(
                span.step, {**named, "step": step}, {"passed": passed, "failed": failed}, start_ns(slot, span.hours)
            )


def _outcomes(place: Place, counted: Counted, steps: Steps) -> dict[str, tuple[int, int]]:
    """What was simulated may have been written before anything was measured there."""
    displaced = dict.fromkeys((*steps.get((place, True), ()), *(STEPS if counted.left else ())), (0, 0))
    return {**displaced, **(steps.get((place, counted.tally.simulated), {}) if counted.tally else {})}


def control_line(words: Vocabulary, bucket: Bucket, controls: Mapping[bool, Controls]) -> str:
    target, slot = bucket
    seen = controls.get(False) or controls.get(True) or Controls()
    fields: Fields = {"controls": seen.seen, "answered": seen.answered, "failed": seen.seen - seen.answered}
    return line(CONTROL_1H, words.target(target) or {}, fields, start_ns(slot, HOURLY.hours))


def start_ns(slot: int, span: int) -> int:
    return slot * span * HOUR_MS * MS_NS


def _lines(tally: Tally | None, controls: Mapping[bool, Controls]) -> Fields:
    if tally is None:
        return {"lines": 0, "measurements": 0, "controls": 0, **dict.fromkeys(STATES, 0), "simulated": 0}
    # What is simulated bears on nothing that is not; the other way round it may.
    bearing = [seen.seen for simulated, seen in controls.items() if tally.simulated or not simulated]
    states = tally.states()
    return {
        "lines": tally.lines,
        "measurements": tally.measurements,
        "controls": sum(bearing),
        **{state.value: states[state.value] for state in STATES},
        "simulated": tally.lines if tally.simulated else 0,
    }


def _conclusion(cell: Cell | None) -> Fields:
    if cell is None:
        return {"state": NOTHING, "look": NOTHING, "mechanism": "", "answered": 0, "judged": 0, "interfered": 0}
    return {
        "state": cell.state.value,
        "look": _look(cell.state, cell.depth),
        "mechanism": cell.mechanism or "",
        "answered": cell.answered,
        **_sums([cell], counted=False),
    }


def _look(state: State, depth: Depth | None) -> str:
    """A cell's state in one word, or that nothing is concluded but that relays answer."""
    reached = state is State.INSUFFICIENT and depth is Depth.RELAY_ANSWERS
    return RELAY_REACHED if reached else state.value


def _public(counted: Counted) -> Fields:
    """Who counted in a cell, and what strangers are told of it: below the floor nothing."""
    cell, shown = counted.cell, counted.public
    return {
        "established": cell.established if cell else 0,
        "buckets": cell.buckets if cell else 0,
        "public_shown": int(shown is not None),
        "public_state": shown.public_state.value if shown else NOTHING,
        "public_look": _look(shown.public_state, shown.public_depth) if shown else NOTHING,
        "public_mechanism": (shown.public_mechanism or "") if shown else "",
    }


def _public_sums(shown: Sequence[Cell]) -> Fields:
    """The sums over cells that strangers are told of; a line in two of them counts in both."""
    return {
        "public_shown": int(bool(shown)),
        "public_cells": len(shown),
        "public_judged": sum(cell.public_state is not State.INSUFFICIENT for cell in shown),
        "public_interfered": sum(cell.public_state in SPEAKS_AGAINST for cell in shown),
        "public_band": privacy_floor.band(sum(cell.established for cell in shown)) if shown else "",
    }


def _sums(cells: Sequence[Cell], counted: bool = True) -> Fields:
    """The sums over cells: of how many something can be said, and against how many."""
    judged = sum(cell.state is not State.INSUFFICIENT for cell in cells)
    interfered = sum(cell.state in SPEAKS_AGAINST for cell in cells)
    return {"judged": judged, "interfered": interfered, **({"cells": len(cells)} if counted else {})}


def _line(target: str, said: Said) -> Line:
    verdict = verdict_of(target, said.state, said.mechanism, said.depth, said.rule or "", said.paths)
    return Line(verdict=verdict, established=said.established, bucket=said.bucket)
