"""The rules of an attempt: answers and artefacts first, innocent explanations then, accusations last.

Their order is the table's; a test spells it out.
"""

from __future__ import annotations

from probe.judge.answers import ANSWERS
from probe.judge.attempts import AttemptCase
from probe.judge.connections import CONNECTIONS
from probe.judge.innocent import INNOCENT
from probe.judge.payloads import PAYLOADS
from probe.judge.rule import Rule
from probe.model import State

ATTEMPT_RULES: tuple[Rule[AttemptCase], ...] = (
    *ANSWERS,
    *INNOCENT,
    *CONNECTIONS,
    *PAYLOADS,
    Rule(
        "unexplained",
        lambda case: True,
        State.INSUFFICIENT,
        None,
        "it failed in a way that proves nothing",
        "Last: what no rule above explains accuses nobody.",
    ),
)
