"""Cells: floors, agreement, and which access a line has."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.judge import access_of, cell, judge
from probe.model import Access, Link, Network, State, Verdict
from tests.probe.judge.evidence import CHAT, evidence, tls_ok

VERDICT = judge(evidence(CHAT, tls_ok()))


def latest(*states: str) -> list[Verdict]:
    return [
        replace(VERDICT, state=State(state), mechanism="tls.mitm" if "blocked" in state else None) for state in states
    ]


def state_of(*states: str) -> str:
    return cell("service/chat", Network(), Access.ADSL, 0, 3_600_000, latest(*states)).state


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("", "insufficient"),
        ("ok ok", "insufficient"),
        ("blocked blocked", "insufficient"),
        ("ok ok ok", "ok"),
        ("blocked blocked blocked", "blocked"),
        ("blocked blocked ok", "blocked"),
        ("blocked likely_blocked likely_blocked blocked", "likely_blocked"),
        ("blocked blocked ok ok", "mixed"),
        ("degraded blocked ok ok", "mixed"),
        ("ok ok insufficient insufficient", "insufficient"),
        ("ok ok ok insufficient insufficient insufficient", "ok"),
        ("ok impaired down", "insufficient"),
    ],
)
def test_states(states: str, expected: str) -> None:
    assert state_of(*states.split()) == expected


def test_counts() -> None:
    found = cell("service/chat", Network(), Access.ADSL, 0, 1, latest("ok", "blocked", "blocked", "insufficient"))
    assert (found.lines, found.counted, found.mechanism) == (4, 3, "tls.mitm")
    assert found.states == {"ok": 1, "blocked": 2, "insufficient": 1}


@pytest.mark.parametrize(
    ("declared", "detected", "expected"),
    [
        ("unknown", "unknown", "unknown"),
        ("adsl", "unknown", "adsl"),
        ("adsl", "wifi", "adsl"),
        ("adsl", "ethernet", "adsl"),
        ("wifi", "wifi", "wifi"),
        ("unknown", "wifi", "wifi"),
        ("4g", "wifi", "wifi"),
        ("4g", "ethernet", "ethernet"),
        ("wifi", "ethernet", "ethernet"),
        ("wifi", "4g", "4g"),
        ("4g", "unknown", "4g"),
    ],
)
def test_access(declared: str, detected: str, expected: str) -> None:
    assert access_of(Link(up=True, declared=Access(declared), detected=Access(detected))) == expected
