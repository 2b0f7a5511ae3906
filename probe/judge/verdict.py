"""From evidence to verdict: the measurement's rules, else those of its names and attempts, combined.

The rules are an ordered table each for a measurement, a name and an attempt; the first that matches decides. A rule
that accuses is reached only after every innocent explanation that the evidence could show has been ruled out. `blocked`
needs an artefact that only interference leaves, or a comparison that changed one thing; `likely_blocked` needs a
failure that repeats, at an address that answers elsewhere, while neutral services of the same kind answer here, and
something that excludes a lost route and a decision of the service's. Everything else says why nothing can be said.
RULES_VERSION changes with any change of the tables' meaning.
"""

from __future__ import annotations

from msgspec.structs import replace

from probe.addresses import family_of
from probe.judge.attempt.artefacts import ARTEFACTS
from probe.judge.attempt.case import AttemptCase, attempt_cases
from probe.judge.attempt.exclusions import EXCLUSIONS
from probe.judge.attempt.routing import ACCUSING, ROUTING
from probe.judge.combine import combine
from probe.judge.evidence import NEIGHBOURS_FLOOR, Evidence, Rule, first_match
from probe.judge.measurement_rules import MEASUREMENT_RULES
from probe.judge.name.case import NameCase, name_cases
from probe.judge.name.rules import NAME_RULES
from probe.judge.name.view import names_of
from probe.model import AttemptVerdict, Depth, State, Step, Target, Transport, Verdict

RULES_VERSION = 21

# Answers and artefacts first, innocent explanations then, accusations last: the order is the table's.
ATTEMPT_RULES: tuple[Rule[AttemptCase], ...] = (
    *ARTEFACTS,
    *EXCLUSIONS,
    *ROUTING,
    *ACCUSING,
    Rule(
        "unexplained",
        lambda case: True,
        State.INSUFFICIENT,
        None,
        "it failed in a way that proves nothing",
        "Last: what no rule above explains accuses nobody.",
    ),
)
RULES: tuple[Rule[Evidence] | Rule[NameCase] | Rule[AttemptCase], ...] = (
    *MEASUREMENT_RULES,
    *NAME_RULES,
    *ATTEMPT_RULES,
)

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
    paths = tuple(judge_attempts(evidence, target))
    return _verdict(evidence, _as_a_call(target, combine(paths, target)), paths)


def judge_attempts(evidence: Evidence, target: Target) -> list[AttemptVerdict]:
    """One verdict per name that did not resolve, and one per attempt."""
    names = names_of(evidence, target)
    by_name = [_name_path(case) for case in name_cases(evidence, target, names)]
    return by_name + [_attempt_path(case) for case in attempt_cases(evidence, target, names)]


def _measurement_path(rule: str, state: State, mechanism: str | None) -> AttemptVerdict:
    return AttemptVerdict(
        host="", port=None, transport=Transport.UNKNOWN, family=None, state=state, rule=rule, mechanism=mechanism
    )


def _name_path(case: NameCase) -> AttemptVerdict:
    rule = first_match(NAME_RULES, case)
    assert rule is not None  # the last rule of a name always matches
    return AttemptVerdict(
        host=case.host,
        port=None,
        transport=Transport.UDP,
        family=case.family,
        state=rule.state,
        rule=rule.id,
        mechanism=rule.mechanism,
        step=Step.DNS,
    )


def _attempt_path(case: AttemptCase) -> AttemptVerdict:
    rule = first_match(ATTEMPT_RULES, case)
    assert rule is not None  # the last rule of an attempt always matches
    return AttemptVerdict(
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
        address=case.attempt.address,
        neighbours=case.neighbours.reached if rule.state is State.LIKELY_BLOCKED else 0,
    )


def _as_a_call(target: Target, path: AttemptVerdict) -> AttemptVerdict:
    """A relay that answers is not a call that gets through."""
    if target.role == "call" and path.state is State.OK:
        return replace(path, state=State.INSUFFICIENT, rule="relay_only")
    return path


def _verdict(evidence: Evidence, path: AttemptVerdict, paths: tuple[AttemptVerdict, ...]) -> Verdict:
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
        reason=_reason(evidence, path),
        uid=measurement.uid,
        round=measurement.round,
        paths=paths,
    )


def _reason(evidence: Evidence, path: AttemptVerdict) -> str:
    """With the lines of other operators named on which an accusation may rest."""
    country = evidence.network.country
    reason = REASONS[path.rule].format(country=country)
    if path.state is State.LIKELY_BLOCKED and path.neighbours >= NEIGHBOURS_FLOOR:
        return f"{reason}; {NEIGHBOURS_FLOOR} or more lines of other operators in {country} reach the address"
    return reason
