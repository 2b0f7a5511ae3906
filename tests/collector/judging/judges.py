"""Judging for tests, put together as the projector does it, with the standing that a test gives."""

from __future__ import annotations

from collector.judging.affected import Affected
from collector.judging.evidence import Gatherer, TargetFiles
from collector.judging.judging import Judging
from collector.judging.quarantine import Quarantine
from collector.judging.rules import Rules
from collector.judging.who_counts import TOLD, WhoCounts
from tests.collector.judging.evidence import RULES, parse
from tests.collector.log.memory_log import MemoryLog


def gatherer_of(
    log: MemoryLog, controls: frozenset[str] = frozenset(), who: WhoCounts = TOLD, quarantine: Quarantine | None = None
) -> Gatherer:
    return Gatherer(log, controls, TargetFiles(log, parse), who, quarantine)


def judging_of(
    log: MemoryLog, controls: frozenset[str] = frozenset(), who: WhoCounts = TOLD, rules: Rules = RULES
) -> Judging:
    quarantine = Quarantine()
    gatherer = gatherer_of(log, controls, who, quarantine)
    affected = Affected(log, gatherer, TargetFiles(log, parse))
    return Judging(log, gatherer, quarantine, affected, rules=rules, go_on=lambda: None)
