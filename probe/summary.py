"""The summary of a cycle for people: what matters first, and what is the same for several said once.

Every line follows from the verdicts: the words are those of the rules, the numbers count attempts and lookups that
were judged. A check is one target, measured once or twice in the cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from probe.explain import RELAY_ONLY, STATE_WORDS, STEP_WORDS, mechanism_words, role_words, service_words
from probe.judge.evidence import ADD_A_CONTROL
from probe.model import AttemptVerdict, Depth, Grade, State, Verdict

BASELINE = "baseline/"
WORST_FIRST = (State.BLOCKED, State.LIKELY_BLOCKED, State.DEGRADED)
UNCLEAR = (State.IMPAIRED, State.DOWN)
ROLES_FIRST = ("call", "chat", "push", "web")  # calls are what is asked; other roles follow
GRADES = tuple(grade for grade in Grade if grade is not Grade.UNKNOWN)
MORE = "`ringback check -v` prints every check, and what each handshake took."
COMPARE = (
    "What failed can only be compared: run `ringback check --format json > control.json` on a network without "
    "interference within the same hour, and pass that file here with --control."
)


def summary(verdict_of_link: str, latest: Sequence[Verdict]) -> list[str]:
    """The lines to print. `verdict_of_link` is what voids the whole cycle, in a sentence; "" when nothing does."""
    if verdict_of_link:
        return [f"{_capital(verdict_of_link)}."]
    checks = [verdict for verdict in latest if not verdict.target.startswith(BASELINE)]
    neutral = [verdict for verdict in latest if verdict.target.startswith(BASELINE)]
    lines = [
        _headline(checks),
        *_groups(checks, WORST_FIRST),
        *_groups(checks, UNCLEAR),
        *_not_concluded(filter(_failed_unclearly, checks)),
        *_answered(checks),
        *_relays(checks),
        *_not_concluded(verdict for verdict in checks if not _failed_unclearly(verdict)),
        *_neutral(neutral),
    ]
    return [*lines, *filter(None, (advice(latest),)), MORE]


def advice(latest: Sequence[Verdict]) -> str:
    """What to do about verdicts that want a comparison; "" when there is none."""
    return COMPARE if any(ADD_A_CONTROL in verdict.reason for verdict in latest) else ""


def _headline(checks: Sequence[Verdict]) -> str:
    interfered = [f"{STATE_WORDS[state]}: {_names(found)}" for state in WORST_FIRST if (found := _in(checks, state))]
    ok = len(_in(checks, State.OK))
    if not checks:
        return "On this link only neutral services were asked."
    whole = _count(len(checks), "check")
    if interfered:
        said = "; ".join(interfered)
    elif ok:
        said = f"no interference was seen in {whole if ok == len(checks) else f'{ok} of {whole}'}"
    elif len(_in(checks, State.INSUFFICIENT)) == len(checks):
        said = f"nothing can be concluded from any of {whole}"
    else:
        said = f"none of {whole} got the answer that was expected"
    unclear = sum(map(_failed_unclearly, checks))
    return f"On this link, {said}{f'. {unclear} failed, cause unclear' if unclear else ''}."


def _groups(checks: Iterable[Verdict], states: Sequence[State]) -> list[str]:
    """One line for all checks of a state in which the same was seen."""
    lines = []
    for state in states:
        for seen, found in _alike(_in(checks, state), _seen).items():
            counted = "; ".join(f"{_names([each])}{_where(each)}" for each in _in_order(found))
            lines.append(f"{_capital(STATE_WORDS[state])}: {counted}. {_capital(seen)}.")
    return lines


def _seen(verdict: Verdict) -> str:
    """The mechanism and the reason, in words."""
    mechanism, reason = mechanism_words(verdict.mechanism), _reason(verdict)
    return f"{mechanism}: {reason}" if mechanism and mechanism != reason else reason


def _where(verdict: Verdict) -> str:
    """How many of the attempts, or of the lookups, that were judged say so; and at which step they failed."""
    step = f"while {STEP_WORDS[verdict.step]}" if verdict.step else ""
    said = ", ".join(filter(None, (_counted(verdict), step)))
    return f" ({said})" if said else ""


def _counted(verdict: Verdict) -> str:
    judged = [path for path in verdict.paths if path.host and path.rule != "not_attempted"]
    alike = [path for path in judged if path.rule == verdict.rule]
    alike = alike or [path for path in judged if path.state in (State.BLOCKED, State.LIKELY_BLOCKED)]
    if not alike:
        return ""
    lookup = _is_lookup(alike[0])
    alike = [path for path in alike if _is_lookup(path) is lookup]
    tried = [path for path in judged if _is_lookup(path) is lookup]
    return f"{len(alike)} of {_count(len(tried), 'lookup' if lookup else 'attempt')}"


def _is_lookup(path: AttemptVerdict) -> bool:
    return not path.handshake


def _answered(checks: Iterable[Verdict]) -> list[str]:
    found = _in(checks, State.OK)
    grades = Counter(verdict.grade for verdict in found)
    proved = ", ".join(f"{grades[grade]} {grade}" for grade in reversed(GRADES) if grades[grade])
    return [f"{len(found)} answered, {STATE_WORDS[State.OK]}: {_names(found)} (grades: {proved})."] if found else []


def _relays(checks: Iterable[Verdict]) -> list[str]:
    found = [verdict for verdict in checks if _is_relay_only(verdict)]
    return [f"{_capital(STATE_WORDS[State.INSUFFICIENT])}, {RELAY_ONLY}: {_names(found)}."] if found else []


def _not_concluded(checks: Iterable[Verdict]) -> list[str]:
    """One line for each reason."""
    found = [verdict for verdict in _in(checks, State.INSUFFICIENT) if not _is_relay_only(verdict)]
    words = _capital(STATE_WORDS[State.INSUFFICIENT])
    return [f"{words}: {_names(alike)}. {_capital(reason)}." for reason, alike in _alike(found, _reason).items()]


def _failed_unclearly(verdict: Verdict) -> bool:
    """Whether something failed at a step, and no more is known than that."""
    return verdict.step is not None and verdict.state in (State.IMPAIRED, State.INSUFFICIENT)


def _neutral(verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return []
    silent = [verdict.target.removeprefix(BASELINE) for verdict in verdicts if not _has_answered(verdict)]
    failed = f"; not {', '.join(silent)}" if silent else ""
    answered = len(verdicts) - len(silent)
    return [f"For comparison: {answered} of {_count(len(verdicts), 'neutral service')} answered{failed}."]


def _has_answered(verdict: Verdict) -> bool:
    return verdict.state is State.OK or verdict.depth is not None


def _is_relay_only(verdict: Verdict) -> bool:
    return verdict.state is State.INSUFFICIENT and verdict.depth is Depth.RELAY_ANSWERS


def _reason(verdict: Verdict) -> str:
    return verdict.reason.partition(f"; {ADD_A_CONTROL}")[0]


def _alike(verdicts: Iterable[Verdict], key: Callable[[Verdict], str]) -> dict[str, list[Verdict]]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(key(verdict), []).append(verdict)
    return groups


def _in(verdicts: Iterable[Verdict], state: State) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.state is state]


def _in_order(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Calls first."""
    return sorted(verdicts, key=lambda verdict: (_rank(_role(verdict)), verdict.target))


def _names(verdicts: Iterable[Verdict]) -> str:
    """Such as `calls of Viber; messages of imo, WhatsApp`."""
    by_role: dict[str, list[str]] = {}
    for verdict in _in_order(verdicts):
        by_role.setdefault(_role(verdict), []).append(service_words(verdict.target.partition("/")[0]))
    return "; ".join(f"{role_words(role)} of {', '.join(services)}" for role, services in by_role.items())


def _role(verdict: Verdict) -> str:
    return verdict.target.partition("/")[2]


def _rank(role: str) -> int:
    return ROLES_FIRST.index(role) if role in ROLES_FIRST else len(ROLES_FIRST)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
