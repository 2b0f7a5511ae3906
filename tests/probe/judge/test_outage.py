"""A service that says itself that it is out of order: believed of controls, never of the line that is judged."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import NXDOMAIN, RESET, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.judge.name.case import name_cases
from probe.judge.name.view import names_of
from probe.model import Outage, Resolution, State
from tests.probe.judge.evidence import CHAT, HERE, PUBLIC, control, evidence, measurement, says, tls_fails, tls_ok

STATUS = "uptime.service.example"
WELL, DOWN = "127.0.0.1", "127.0.0.2"
TARGET = replace(CHAT, outage=Outage(name=STATUS, address=DOWN))


def told(address: str, **fields: Any) -> Resolution:
    return says(address, host=STATUS, **fields)


def given(*here: Resolution, control_is_told: str = WELL, failure: str = RESET) -> Evidence:
    well = measurement(TARGET, tls_ok(), resolutions=(says(HERE), told(control_is_told)))
    return evidence(
        TARGET, tls_fails(failure, leaf="cc" * 32), resolutions=(says(HERE), *here), controls=[control(well)], rounds=2
    )


def test_an_outage_that_a_control_was_told_of_accuses_nobody() -> None:
    verdict = judge(given(control_is_told=DOWN))
    assert (verdict.rule, verdict.state, verdict.mechanism) == ("outage_reported", State.IMPAIRED, None)
    assert judge(given(control_is_told=WELL)).rule == "tls_broken_off"


@pytest.mark.parametrize("resolver", ["isp", PUBLIC])
def test_what_this_line_was_told_excuses_nothing(resolver: str) -> None:
    """Or whoever resets the connections would forge the status as well."""
    assert judge(given(told(DOWN, resolver=resolver))).rule == "tls_broken_off"


def test_an_artefact_stands_also_in_an_outage() -> None:
    assert judge(given(control_is_told=DOWN, failure=TLS_AUTHORITY)).mechanism == "tls.mitm"


@pytest.mark.parametrize(
    "lie", [told(DOWN), told("10.10.34.34"), told("203.0.113.66"), says(host=STATUS, failure=NXDOMAIN)]
)
def test_the_status_name_is_no_way_to_the_service(lie: Resolution) -> None:
    """Its addresses are no service's, and a lie about it hides no message."""
    assert name_cases(given(lie), TARGET, names_of(given(lie), TARGET)) == []
    works = evidence(TARGET, tls_ok(), resolutions=(says(HERE), lie))
    assert judge(works).state is State.OK


def test_a_service_without_a_status_name() -> None:
    well = measurement(CHAT, tls_ok(), resolutions=(says(HERE), told(DOWN)))
    assert judge(evidence(CHAT, tls_fails(RESET), rounds=2, controls=[control(well)])).rule == "tls_broken_off"
