"""One run in detail: what its entry does, what was expected and said of each target, and by which paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probe.model import Attempt, AttemptVerdict, Measurement, Verdict
from tests.lab.catalogue import ENTRIES
from tests.lab.fork import Result
from tests.lab.model import Run, Scored
from tests.lab.scoreboard import words
from tests.lab.session import Session, scored


def tell(session: Session, run: Run) -> tuple[str, bool]:
    """The text, and whether nobody is accused wrongly."""
    session.bench.keep = True
    result = session.results([run])[run]
    cells = {one.target: one for one in scored(run, result)}
    text = "\n".join([*_heading(session, run, result), *_targets(cells, result), ""])
    return text, not any(one.verdict == "false_accusation" for one in cells.values())


def _heading(session: Session, run: Run, result: Result) -> Iterator[str]:
    entry, where = ENTRIES[run.entry], session.bench.situation(run)
    yield f"{entry.name}: {entry.does} ({entry.source})"
    for place in ("home", "carrier", "censor", "world"):
        for stage in getattr(where, place):
            yield f"  {place}: {stage.filter} {dict(stage.parameters)}"
    yield f"  settings: {dict(entry.settings) or 'none'}; met: {dict(session.bench.met.get(run.entry, {}))}"
    yield f"  {run.operator} {run.access}, {result.took_s:.1f} s, link {'up' if result.up else 'down'}"


def _targets(cells: dict[str, Scored], result: Result) -> Iterator[str]:
    for verdict in result.verdicts:
        if verdict.target not in cells:
            continue
        cell = cells[verdict.target]
        expected = words(cell.expected.state, cell.expected.mechanism)
        yield f"{cell.verdict:16} {cell.target:16} {words(cell.state, cell.mechanism)} ({cell.rule})"
        if cell.verdict != "right":
            later = f", which waits for {cell.expected.not_yet}" if cell.expected.not_yet else ""
            yield f"    expected: {expected}{later}"
            yield from (f"    path: {_path(path)}" for path in verdict.paths)
            yield from _seen(verdict, result.measurements)


def _path(path: AttemptVerdict) -> str:
    return (
        f"{path.host} {path.port} {path.transport} IPv{path.family}: {words(path.state, path.mechanism)} ({path.rule})"
    )


def _seen(verdict: Verdict, measurements: Sequence[Measurement]) -> Iterator[str]:
    """Every question and every attempt of both rounds."""
    for measurement in (each for each in measurements if each.target == verdict.target):
        for one in measurement.resolutions:
            facts = one.observation.dns
            told = f"{facts.resolver} {facts.qtype} {facts.answers} late {facts.late}" if facts else ""
            yield f"    round {measurement.round}: {one.host} {one.observation.failure} {told}"
        for attempt in measurement.attempts:
            yield f"    round {measurement.round}: {_attempt(attempt)}"


def _attempt(attempt: Attempt) -> str:
    steps = ", ".join(f"{each.step} {each.failure or 'ok'} {each.took_us // 1000} ms" for each in attempt.observations)
    outcome = attempt.grade or attempt.not_attempted or "failed"
    return f"{attempt.handshake} {attempt.address}:{attempt.port} ({attempt.via}) {outcome}: {steps}"
