"""From evidence to verdict: the measurement's rules, else those of its names and attempts, combined."""

from __future__ import annotations

from msgspec.structs import replace

from probe.addresses import family_of
from probe.judge.attempts import AttemptCase, attempt_cases
from probe.judge.combine import combine
from probe.judge.evidence import Evidence
from probe.judge.names import NameCase, name_cases
from probe.judge.rule import first_match
from probe.judge.rules import ATTEMPT_RULES, MEASUREMENT_RULES, NAME_RULES, RULES, RULES_VERSION
from probe.model import Depth, PathVerdict, State, Step, Target, Transport, Verdict

RELAY_REASON = "relay reached, call not exercised: whether a call gets through cannot be concluded"
REASONS = {rule.id: rule.reason for rule in RULES} | {
    "partial": "it works, and some of its ways are interfered with",
    "forced_fallback": "UDP is interfered with, and only a fallback gets through",
    "relay_only": RELAY_REASON,
    "nothing_tried": "nothing was tried",
}


def judge(evidence: Evidence) -> Verdict:
    """What this measurement says about this line at this time, and why."""
    decisive = first_match(MEASUREMENT_RULES, evidence)
    if decisive is not None:
        path = _measurement_path(decisive.id, decisive.state, decisive.mechanism)
        return _verdict(evidence, path, (path,))
    target = evidence.target
    assert target is not None  # the first rule of a measurement
    paths = tuple(judge_paths(evidence, target))
    return _verdict(evidence, _as_a_call(target, combine(paths, target)), paths)


def judge_paths(evidence: Evidence, target: Target) -> list[PathVerdict]:
    """One verdict per name that did not resolve, and one per attempt."""
    names = [_name_path(case) for case in name_cases(evidence, target)]
    return names + [_attempt_path(case) for case in attempt_cases(evidence, target)]


def _measurement_path(rule: str, state: State, mechanism: str | None) -> PathVerdict:
    return PathVerdict(
        host="", port=None, transport=Transport.UNKNOWN, family=None, state=state, rule=rule, mechanism=mechanism
    )


def _name_path(case: NameCase) -> PathVerdict:
    rule = first_match(NAME_RULES, case)
    assert rule is not None  # the last rule of a name always matches
    return PathVerdict(
        host=case.host,
        port=None,
        transport=Transport.UDP,
        family=case.family,
        state=rule.state,
        rule=rule.id,
        mechanism=rule.mechanism,
        step=Step.DNS,
    )


def _attempt_path(case: AttemptCase) -> PathVerdict:
    rule = first_match(ATTEMPT_RULES, case)
    assert rule is not None  # the last rule of an attempt always matches
    return PathVerdict(
        host=case.attempt.host,
        port=case.attempt.port,
        transport=case.attempt.transport,
        family=family_of(case.attempt.address) if case.attempt.address else None,
        state=rule.state,
        rule=rule.id,
        mechanism=rule.mechanism,
        grade=case.attempt.grade,
        step=case.step if case.failure else None,
        handshake=case.attempt.handshake,
    )


def _as_a_call(target: Target, path: PathVerdict) -> PathVerdict:
    """A relay that answers is not a call that gets through."""
    if target.role == "call" and path.state is State.OK:
        return replace(path, state=State.INSUFFICIENT, rule="relay_only")
    return path


def _verdict(evidence: Evidence, path: PathVerdict, paths: tuple[PathVerdict, ...]) -> Verdict:
    measurement = evidence.measurement
    is_call = measurement.target.endswith("/call")
    reached = any(each.state is State.OK for each in paths)
    return Verdict(
        target=measurement.target,
        state=path.state,
        mechanism=path.mechanism,
        depth=Depth.RELAY_ANSWERS if is_call and reached else None,
        grade=path.grade,
        step=path.step,
        rule=path.rule,
        rules_version=RULES_VERSION,
        reason=REASONS[path.rule],
        uid=measurement.uid,
        round=measurement.round,
        paths=paths,
    )
