"""The rules: an ordered table each for a measurement, a name and an attempt. The first that matches decides.

A rule that accuses is reached only after every innocent explanation that the evidence could show has been ruled out.
`blocked` needs an artefact that only interference leaves, or a comparison that changed one thing; `likely_blocked`
needs a failure that repeats, at an address that answers elsewhere, while neutral services of the same kind answer
here. Everything else says why nothing can be said. RULES_VERSION changes with any change of the tables' meaning.
"""

from __future__ import annotations

from probe.judge.attempt_rules import ATTEMPT_RULES
from probe.judge.attempts import AttemptCase
from probe.judge.evidence import Evidence
from probe.judge.measurement_rules import MEASUREMENT_RULES
from probe.judge.name_rules import NAME_RULES
from probe.judge.names import NameCase
from probe.judge.rule import Rule

RULES_VERSION = 18

RULES: tuple[Rule[Evidence] | Rule[NameCase] | Rule[AttemptCase], ...] = (
    *MEASUREMENT_RULES,
    *NAME_RULES,
    *ATTEMPT_RULES,
)

__all__ = ["ATTEMPT_RULES", "MEASUREMENT_RULES", "NAME_RULES", "RULES", "RULES_VERSION"]
