"""Ports over TCP: a messenger's own is compared with neutral services on ports that are not the web's."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import RESET, TIMEOUT
from probe.judge import Evidence, judge
from probe.model import Attempt, Grade, Observation, State, Step
from tests.probe.judge.evidence import (
    CHAT,
    LINK,
    TCP,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
    tcp_fails,
    tls_fails,
)

CHAT_PORT = replace(TCP, handshake="noise")  # 5222
CLOSED = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TIMEOUT, port=853), neutral("tls", TIMEOUT, port=993)))
OPEN = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TIMEOUT, port=853), neutral("tls", port=993)))


def said(*observations: Observation, link: Any) -> str:
    target = replace(CHAT, endpoints=(CHAT_PORT,))
    well = attempt(CHAT_PORT, seen(Step.TCP), seen(Step.NOISE), grade=Grade.BOUND)
    mine: Attempt = attempt(CHAT_PORT, *observations)
    given: Evidence = evidence(target, mine, rounds=2, link=link, controls=[control(measurement(target, well))])
    return judge(given).rule


FAILURES = [
    pytest.param([seen(Step.TCP, TIMEOUT)], "ip_drop", id="no connection"),
    pytest.param([seen(Step.TCP), seen(Step.NOISE, TIMEOUT)], "payload_dropped", id="no answer"),
    pytest.param([seen(Step.TCP), seen(Step.NOISE, RESET)], "payload_reset", id="broken off"),
]


@pytest.mark.parametrize(("observations", "rule"), FAILURES)
def test_a_link_that_lets_only_the_webs_ports_out_accuses_nobody(observations: Any, rule: str) -> None:
    assert said(*observations, link=CLOSED) == "ports_closed_for_all"
    assert said(*observations, link=OPEN) == rule
    assert said(*observations, link=LINK) == rule  # none was tried: as before there were any


def test_the_webs_ports_are_compared_with_the_webs() -> None:
    """A neutral that answers elsewhere clears no link on which nothing neutral answers on 443."""
    web = replace(LINK, neutrals=(neutral("tls", TIMEOUT), neutral("http", TIMEOUT, port=80), neutral("tls", port=853)))
    assert judge(evidence(CHAT, tls_fails(RESET), rounds=2, link=web)).rule == "ports_closed_for_all"
    assert judge(evidence(CHAT, tcp_fails(TIMEOUT), rounds=2, link=CLOSED)).state is State.LIKELY_BLOCKED


@pytest.mark.parametrize("failure", [TIMEOUT, RESET])
def test_a_page_that_passes_clears_no_port_of_tls(failure: str) -> None:
    """A portal lets the connectivity check through and stops all else, also what no sweep places at home."""
    portal = replace(LINK, neutrals=(neutral("http", port=80), neutral("tls", failure)))
    verdict = judge(evidence(CHAT, tcp_fails(failure), rounds=2, link=portal))
    assert verdict.rule in ("neutral_failed", "ports_closed_for_all")
