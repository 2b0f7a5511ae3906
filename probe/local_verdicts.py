"""`--control`: results from elsewhere, to compare with. A file of another `ringback check`, or a collector's controls.

Each file is taken for one control in a network of its own: who passes it vouches for that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from probe.codecs.text import utf8
from probe.failure import UserError
from probe.judge import Evidence, judge
from probe.judge.control_answers import started_ms as control_started_ms
from probe.judge.controls import Controls
from probe.judge.evidence import CALIBRATION_MS, NEAR_MS
from probe.model import ControlMeasurement, Measurement, Network, Targets, Verdict
from probe.submit.fetch import fetch_lines
from probe.submit.signing import Authorize

FETCH_BYTES = 20_000_000


class Line(Struct):
    """What tells the lines of such a file apart."""

    type: str = ""
    key: str = ""


def read_controls(path: str, number: int) -> list[ControlMeasurement]:
    """The measurements in the JSON lines of a file. Raises UserError."""
    try:
        lines = utf8(Path(path).read_bytes()).splitlines()
    except OSError as error:
        raise UserError(f"Cannot read the control file {path}: {error.strerror}.") from error
    found = parse_controls(lines, path, number)
    if not found:
        raise UserError(f"The control file {path} holds no measurement: make it with `ringback check --format json`.")
    return found


def parse_controls(lines: Iterable[bytes], name: str, number: int) -> list[ControlMeasurement]:
    """Of the output of `ringback check --format json`, or of a collector's /v1/controls. Raises UserError."""
    found = []
    for at, line in enumerate(lines, start=1):
        try:
            kind = msgspec.json.decode(line, type=Line)
            if kind.type == "measurement":
                network = Network(operator=f"control {number}")
                measurement = msgspec.json.decode(line, type=Measurement)
                found.append(ControlMeasurement(key=name, network=network, measurement=measurement))
            elif kind.key:
                found.append(msgspec.json.decode(line, type=ControlMeasurement))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"{name}, line {at}, is no line of a control: {error}.") from error
    return found


async def fetch_controls_near(url: str, now_ms: int, authorize: Authorize | None = None) -> list[ControlMeasurement]:
    """A collector's controls that bear on what is measured now. Raises UserError."""
    return await fetch_controls(url, now_ms - CALIBRATION_MS, now_ms + NEAR_MS, authorize)


async def fetch_controls(
    url: str, since_ms: int, until_ms: int, authorize: Authorize | None = None
) -> list[ControlMeasurement]:
    """A collector's controls of that time; `authorize` signs what it knows. Raises UserError."""
    query = {"since": since_ms, "until": until_ms}
    lines = await fetch_lines(url, "/v1/controls", query, what="controls", limit=FETCH_BYTES, authorize=authorize)
    return parse_controls(lines, url, 0)


class NetworkTable(Struct, frozen=True, kw_only=True):
    """Whose the line, its resolvers and the routers before it are: a probe has no table by which to know that."""

    network: Network = Network()
    networks: dict[str, Network] = {}  # prefix → network


UNKNOWN_WHEREABOUTS = NetworkTable()


def judge_all(
    measurements: Sequence[Measurement],
    targets: Targets,
    controls: Sequence[ControlMeasurement],
    whereabouts: NetworkTable = UNKNOWN_WHEREABOUTS,
) -> list[Verdict]:
    """A verdict for each measurement of one cycle, provisional: the collector may know more."""
    first_rounds = {each.target: each for each in measurements if each.round == 1}
    by_id = {target.id: target for target in targets.targets}
    reached = frozenset(
        attempt.address
        for each in measurements
        for attempt in each.attempts
        if attempt.grade is not None and attempt.address is not None
    )
    seen = _by_target(controls)
    verdicts = []
    for measurement in measurements:
        same, at_ms = seen[measurement.target], started_ms(measurement)
        evidence = Evidence(
            measurement=measurement,
            target=by_id.get(measurement.target),
            earlier=first_rounds.get(measurement.target) if measurement.round > 1 else None,
            network=whereabouts.network,
            networks=whereabouts.networks,
            controls=same.between(at_ms - NEAR_MS, at_ms + NEAR_MS),
            calibrating=same.between(at_ms - CALIBRATION_MS, at_ms + CALIBRATION_MS),
            reached=reached,
        )
        verdicts.append(judge(evidence))
    return verdicts


def _by_target(controls: Iterable[ControlMeasurement]) -> defaultdict[str, Controls]:
    seen = defaultdict[str, list[ControlMeasurement]](list)
    for each in controls:
        seen[each.measurement.target].append(each)
    return defaultdict(Controls, {target: Controls(each) for target, each in seen.items()})


def latest(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """One verdict per target: the second round's where there is one."""
    by_target: dict[str, Verdict] = {}
    for verdict in sorted(verdicts, key=lambda each: each.round):
        by_target[verdict.target] = verdict
    return sorted(by_target.values(), key=lambda each: each.target)


def out_of_window(controls: Iterable[ControlMeasurement], measurements: Sequence[Measurement]) -> bool:
    """There are controls, and none of them is of the hour in which these measurements were made."""
    apart = [abs(_apart_ms(each, measurements[0])) for each in controls if measurements]
    return bool(apart) and min(apart) > NEAR_MS


def _apart_ms(control: ControlMeasurement, measurement: Measurement) -> int:
    return control_started_ms(control) - started_ms(measurement)


def started_ms(measurement: Measurement) -> int:
    """The corrected start, as far as the device could tell."""
    return measurement.started_ms + (measurement.clock_offset_ms or 0)
