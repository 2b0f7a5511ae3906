"""One case → the row that is kept of it, with what it adds to the rows of its hour. The judge comes in from outside.

Each case is judged alone, with all that is taken from it: one that cannot be (quarantine.py) leaves the others as
they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from collector.isolation import RETRIED
from collector.judging.evidence import Case
from collector.judging.quarantine import VERSION, Quarantine, unjudgeable
from collector.judging.rules import Rules
from collector.warehouse.tables import Kept, QuarantineRow, Share, quarantine_row, verdict_row
from probe.attempts import failing_addresses, is_at
from probe.failure import is_own
from probe.judge.conclusion import heard_paths
from probe.judge.evidence import Evidence
from probe.model import Access, AlsoDial, AttemptVerdict, Depth, Measurement, Observation, State, Transport, Verdict

Path = tuple[str, str | None, str]  # transport, address, state
Dial = tuple[str, int, str, str, str]  # host, port, transport, handshake, address
Counts = dict[str, tuple[int, int]]  # step → how often it was completed, and failed

_PATHS = msgspec.json.Decoder(tuple[Path, ...])
_DIALS = msgspec.json.Decoder(tuple[Dial, ...])
_COUNTS = msgspec.json.Decoder(Counts)


class JudgedRow(Struct, frozen=True):
    """A row, and the one in quarantine, where the measurement could not be judged."""

    kept: Kept
    quarantine: QuarantineRow | None = None


def judged_row(rules: Rules, case: Case, quarantine: Quarantine) -> JudgedRow:
    """What is to stand of one measurement."""
    evidence = case.evidence
    if evidence is None:
        return set_aside(rules, case, case.fault or "")
    try:
        verdict = quarantine.timed(case.record, lambda: rules.judge(evidence))
        access = rules.access_of(case.record.measurement.link)
        share = Share(
            paths=_text([_path(path) for path in heard_paths(verdict)]),
            steps=_text(_steps(case)),
            failing=_text(list(_failing(case, evidence))),
        )
        return JudgedRow(_kept(case, verdict, access, share))
    except RETRIED:
        raise
    except Exception as error:  # a mistake of ours, or what nobody thought of: it must not hold up the others
        quarantine.tell(error)
        return set_aside(rules, case, type(error).__name__)


def set_aside(rules: Rules, case: Case, fault: str) -> JudgedRow:
    """A verdict `unjudgeable`. It adds a line to its cell, and no step and no address."""
    verdict = unjudgeable(case.record, fault, rules.version)
    return JudgedRow(_kept(case, verdict, Access.UNKNOWN, Share()), quarantine_row(case.record, fault, VERSION))


def _kept(case: Case, verdict: Verdict, access: Access, share: Share) -> Kept:
    row = verdict_row(
        case.record,
        verdict,
        access,
        targets_known=case.targets_known,
        is_control=case.is_control,
        established=case.established,
        bucket=case.bucket,
    )
    return Kept(row, msgspec.structs.replace(share, asked=int(case.asked)))


# --- What it adds to its hour -------------------------------------------------------------------------------------


def verdict_of(
    target: str, state: str, mechanism: str | None, depth: str | None, rule: str, paths: str | None
) -> Verdict:
    """As far as a cell asks for it; so those of many lines are the same."""
    return Verdict(
        target=target,
        state=State(state),
        mechanism=mechanism,
        depth=None if depth is None else Depth(depth),
        grade=None,
        step=None,
        rule=rule,
        rules_version=0,
        reason="",
        uid="",
        round=1,
        paths=paths_of(paths or ""),
    )


def paths_of(text: str) -> tuple[AttemptVerdict, ...]:
    """The paths by which a cell may conclude something, as a share has them."""
    return tuple(_attempt_verdict(path) for path in _PATHS.decode(text)) if text else ()


def steps_of(text: str) -> Counts:
    return _COUNTS.decode(text) if text else {}


def dials_of(text: str) -> tuple[Dial, ...]:
    return _DIALS.decode(text) if text else ()


def _path(path: AttemptVerdict) -> Path:
    return path.transport.value, path.address, path.state.value


def _attempt_verdict(path: Path) -> AttemptVerdict:
    transport, address, state = path
    return AttemptVerdict(
        host="", port=None, transport=Transport(transport), family=None, state=State(state), rule="", address=address
    )


def _failing(case: Case, evidence: Evidence) -> Iterator[Dial]:
    """Where it failed. Controls are not lines, and a targets file must say what was dialled."""
    endpoints = evidence.target.endpoints if evidence.target else ()
    if case.is_control or not case.record.clock_known:
        return
    for dial in failing_addresses(case.record.measurement):
        if any(is_at(dial, endpoint) for endpoint in endpoints):
            yield _dial(dial)


def _dial(dial: AlsoDial) -> Dial:
    return dial.host, dial.port, dial.transport.value, dial.handshake, dial.address


def _steps(case: Case) -> Counts:
    """Where its handshakes got to. Not a control's, nor where a portal or a VPN answered for the network.

    A step at which the probe itself was interrupted or at fault got nowhere, and tells of nobody.
    """
    measurement = case.record.measurement
    if case.is_control or not case.record.clock_known or measurement.link.void is not None:
        return {}
    seen = [each for each in _observations(measurement) if not is_own(each.failure)]
    passed = Counter(each.step.value for each in seen if each.failure is None)
    every = Counter(each.step.value for each in seen)
    return {step: (passed[step], every[step] - passed[step]) for step in sorted(every)}


def _observations(measurement: Measurement) -> Iterator[Observation]:
    yield from (resolution.observation for resolution in measurement.resolutions)
    for attempt in measurement.attempts:
        yield from attempt.observations


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode() if value else ""
