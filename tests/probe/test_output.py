"""What is printed: lines for programs, a table for people."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pytest

from probe.cycle import Cycle
from probe.model import (
    Depth,
    Grade,
    Link,
    Measurement,
    NotAttempted,
    Resolution,
    State,
    Step,
    Verdict,
    Void,
)
from probe.output import ByteUsage, byte_usage, headline, seen, write_json, write_table
from probe.summary import advice
from tests.probe.builders import NOW_MS, attempt, endpoint, measurement, observation, target, targets

WHERE = endpoint("tcp", "203.0.113.44", 443)
FAILED = observation(Step.TCP, "connection_refused", bytes_sent=3, bytes_received=4)
TARGETS = targets(target("svc/chat", WHERE))


def cycle(*measurements: Measurement, **link: Any) -> Cycle:
    link = Link(**{"up": True, **link})  # type: ignore[assignment]
    return Cycle(uid="2" * 32, started_ms=NOW_MS, link=link, clock_offset_ms=None, measurements=measurements)  # type: ignore[arg-type]


def verdict(**changes: Any) -> Verdict:
    given: dict[str, Any] = {
        "target": "svc/chat", "state": State.OK, "mechanism": None, "depth": None, "grade": Grade.BOUND, "step": None,
        "rule": "ok", "rules_version": 1, "reason": "because", "uid": "1" * 32, "round": 1,
    }  # fmt: skip
    return Verdict(**{**given, **changes})


def test_lines_for_programs() -> None:
    out = io.StringIO()
    measured = measurement("svc/chat", attempts=(attempt(WHERE, FAILED),))
    verdicts = [verdict(state=State.INSUFFICIENT), verdict(round=2)]
    write_json(out, cycle(measured), verdicts, verdicts[1:], TARGETS, "ringback 0")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["type"] for line in lines] == ["measurement", "verdict", "verdict", "summary"]
    assert msgspec.convert(lines[0], Measurement) == measured
    assert (lines[1]["provisional"], lines[1]["state"], lines[1]["round"]) == (True, "insufficient", 1)
    assert lines[3]["states"] == {"ok": 1}
    assert lines[3]["handshakes"] == {"tcp tcp": {"times": 1, "bytes_sent": 3, "bytes_received": 4}}
    assert (lines[3]["bytes"], lines[3]["software"], lines[3]["targets"]) == (7, "ringback 0", TARGETS.digest)


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({}, ""),
        ({"up": False}, "no internet"),
        ({"void": Void.PORTAL, "up": False}, "captive portal"),
        ({"void": Void.VPN}, "VPN"),
        ({"void": Void.PROXY}, "proxy"),
        ({"void": Void.STARVED}, "too busy"),
        ({"void": Void.CLOCK}, "clock was set"),
        ({"void": Void.CHANGED}, "network changed"),
        ({"void": Void.UNKNOWN}, "void"),
    ],
)
def test_what_is_said_of_the_whole(link: dict[str, Any], sentence: str) -> None:
    assert sentence in headline(cycle(**link))
    assert bool(headline(cycle(**link))) == bool(sentence)


def table(*verdicts: Verdict, **link: Any) -> str:
    out = io.StringIO()
    write_table(out, cycle(measurement("svc/chat"), **link), verdicts)
    return out.getvalue()


def test_a_table_for_people() -> None:
    text = table(verdict(state=State.BLOCKED, mechanism="tls.mitm", step=Step.TLS))
    assert "svc" in text
    assert "blocked" in text
    assert "setting up encryption" in text
    assert "20:26:40" in text  # of NOW_MS
    assert "\x1b[" not in text  # no colours where nobody looks


def test_a_table_of_a_void_cycle_says_so_first() -> None:
    assert table(verdict(), void=Void.VPN).startswith("A VPN carries the traffic")


def test_what_each_handshake_took() -> None:
    lookup = Resolution(host="a.example", observation=observation(Step.DNS, bytes_sent=30, bytes_received=70))
    untried = attempt(WHERE, not_attempted=NotAttempted.COOLDOWN)
    measured = measurement(attempts=(attempt(WHERE, FAILED), attempt(WHERE, FAILED), untried), resolutions=(lookup,))
    assert byte_usage(cycle(measured)) == {
        "dns udp": ByteUsage(times=1, bytes_sent=30, bytes_received=70),
        "tcp tcp": ByteUsage(times=2, bytes_sent=6, bytes_received=8),
    }
    out = io.StringIO()
    write_table(out, cycle(measured), [], with_bytes=True)
    assert "0.1 kB of payload in this cycle" in out.getvalue()
    assert "dns udp" in out.getvalue()


def test_what_a_reason_says_is_printed_as_it_stands() -> None:
    assert "[/x] [b] :ab:" in table(verdict(state=State.INSUFFICIENT, reason="[/x] [b] :ab:"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "answered (grade: bound)"),
        ({"state": State.INSUFFICIENT, "depth": Depth.RELAY_ANSWERS}, "the call relay answers"),
        (
            {"state": State.BLOCKED, "mechanism": "dns.forged"},
            "the resolver gives a false address for the service's name",
        ),
        ({"state": State.INSUFFICIENT}, "because"),
    ],
)
def test_what_was_seen_in_words(changes: dict[str, Any], words: str) -> None:
    assert seen(verdict(**changes)) == words


def test_nobody_is_advised_without_need() -> None:
    assert advice([verdict()]) == ""
