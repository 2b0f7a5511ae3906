"""From evidence to verdict: pure functions over ordered tables of rules."""

from __future__ import annotations

from probe.judge.cells import Line, access_of, cell
from probe.judge.evidence import Evidence
from probe.judge.verdict import RULES_VERSION, judge

__all__ = ["RULES_VERSION", "Evidence", "Line", "access_of", "cell", "judge"]
