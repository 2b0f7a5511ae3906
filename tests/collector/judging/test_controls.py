"""Controls of one hour are asked once what they saw, however many measurements they bear on."""

from __future__ import annotations

import pytest

from collector.judging.controls import Witnesses
from probe.judge import controls, judge
from tests.collector.judging.evidence import BODIES, CALIBRATED, HOUR, SPAIN, record
from tests.collector.judging.judges import gatherer_of
from tests.collector.log.memory_log import MemoryLog

ASKED = ("tried_at", "resolved")  # once for each endpoint, or name, and control


def questions(monkeypatch: pytest.MonkeyPatch, lines: int) -> int:
    """How many were put to three controls so that this many lines, which failed, were judged."""
    asked = []
    for name in ASKED:
        ask = getattr(controls, name)
        monkeypatch.setattr(controls, name, lambda *given, ask=ask: asked.append(given) or ask(*given))
    log = MemoryLog()
    log.files.update(BODIES)
    log.deliver(record(f"k{number}", key=f"k{number}", minute=30, failing=["192.0.2.3"]) for number in range(lines))
    keys = frozenset({"c1", "c2", "c3"})
    log.deliver(record(key, key=key, network=SPAIN, reached=["192.0.2.3"]) for key in sorted(keys))
    gatherer = gatherer_of(log, keys)
    for one in gatherer.records("whatsapp/chat", HOUR):
        case = gatherer.case(one)
        if not case.is_control:
            assert case.evidence is not None
            assert len(case.evidence.controls) == 3
            judge(case.evidence)
    monkeypatch.undo()
    return len(asked)


def test_more_lines_ask_controls_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert questions(monkeypatch, 40) == questions(monkeypatch, 2) > 0


def test_controls_of_one_time_stand_in_order_and_without_the_measurements_own_key() -> None:
    seen = Witnesses(
        [
            record("late", key="c2", minute=60),
            record("early", key="c1", minute=0),
            record("after", key="c3", minute=121),
            record("timeless", key="c4", minute=30, clock_known=False),
            record("simulated", key="c5", minute=30, simulated=True),
        ]
    )

    def near(minute: int, **fields: object) -> list[str]:
        return [each.measurement.uid for each in seen.near(record("m", minute=minute, **fields))]

    assert near(60) == ["early", "late"]
    assert near(61) == ["late", "after"]
    assert near(60, key="c1") == ["late"]
    assert near(60, simulated=True) == ["early", "simulated", "late"]
    assert [each.key for each in seen.calibrating(record("m", minute=60, targets=CALIBRATED))] == ["c1", "c2"]
