"""Places that say whose doing it is not: private routers behind the first, ICMP errors in the service's name, ports."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import NXDOMAIN, REFUSED, TIMEOUT
from probe.judge import Evidence, judge
from probe.judge.location import FailureLocation, of_name
from probe.model import Access, IcmpFacts, State, Step, Transport
from tests.probe.judge.attempt.test_attempts import conclusion
from tests.probe.judge.evidence import CALL, CHAT, HOST, LINK, evidence, neutral, says, tcp_fails, turn_fails
from tests.probe.judge.test_location import (
    ANSWER,
    CORE,
    HOME,
    NETWORKS,
    OURS,
    SILENT,
    TRANSIT,
    Came_,
    located,
    sweep,
)

INNER = ("exceeded", "private", None)  # an operator's own router in 10/8, or a campus's
LONG = (HOME, INNER, INNER, CORE, TRANSIT, ANSWER)  # how the neutral packet fares


def beside_long(target: Any, failed: Any, step: Step, *came: Came_, **fields: Any) -> Evidence:
    """Behind the first router two more private ones."""
    given = located(target, failed, sweep(step, *came), **fields)
    mine, *_ = given.measurement.sweeps
    neutrals = tuple(sweep(each, *LONG, neutral=True) for each in (Step.TCP, step))
    return replace(given, measurement=replace(given.measurement, sweeps=(mine, *neutrals)))


BETWEEN = ("stopped_between", State.IMPAIRED, None)
HOMES = ("stopped_at_home", State.IMPAIRED, "local.firewall")
FATES = [
    pytest.param([SILENT] * 6, HOMES, id="the first router has not seen it"),
    pytest.param([HOME, *[SILENT] * 5], BETWEEN, id="the first one has"),
    pytest.param([HOME, INNER, *[SILENT] * 4], BETWEEN, id="the second has"),
    pytest.param([HOME, INNER, INNER, *[SILENT] * 3], BETWEEN, id="the last private one has"),
]


@pytest.mark.parametrize(("came", "expected"), FATES)
def test_private_routers_behind_the_first_may_be_the_operators(came: list[Came_], expected: Any) -> None:
    assert conclusion(beside_long(CHAT, tcp_fails(TIMEOUT), Step.TCP, *came)) == expected
    assert conclusion(beside_long(CALL, turn_fails(), Step.STUN, *came)) == expected


@pytest.mark.parametrize("came", [fate.values[0] for fate in FATES])
def test_on_a_cellular_network_of_its_own_they_are(came: list[Came_]) -> None:
    given = beside_long(CHAT, tcp_fails(TIMEOUT), Step.TCP, *came)
    link = replace(given.measurement.link, detected=Access.G4)
    found = judge(replace(given, measurement=replace(given.measurement, link=link)))
    assert (found.state is State.LIKELY_BLOCKED) == (came[0] == HOME)


def test_private_routers_behind_a_public_one_are() -> None:
    """As where an operator numbers its core so: what a public hop has let go is no home's."""
    edge = ("exceeded", "near", None)
    given = located(CHAT, tcp_fails(TIMEOUT), sweep(Step.TCP, HOME, edge, INNER, *[SILENT] * 3))
    assert judge(given).state is State.LIKELY_BLOCKED


def test_a_name_that_is_answered_between_them_accuses_nobody_either() -> None:
    denied = (says(failure=NXDOMAIN), says("198.51.100.10", resolver="quad9"))
    given = evidence(CHAT, network=OURS, networks=NETWORKS, resolutions=denied)
    sweeps = (sweep(Step.DNS, HOME, *[ANSWER] * 5), sweep(Step.DNS, *LONG, neutral=True))
    found = replace(given, measurement=replace(given.measurement, sweeps=sweeps))
    assert of_name(found, HOST) is FailureLocation.HOME
    assert judge(found).mechanism == "local.resolver"


# --- ICMP errors under the service's address ----------------------------------------------------------------------

BY_TARGET = IcmpFacts(type=3, code=3, from_target=True)
REJECTED = ("rejected",)


def refused(*came: Came_, from_target: bool = True) -> Evidence:
    failed = turn_fails(REFUSED, icmp=replace(BY_TARGET, from_target=from_target))
    return located(CALL, failed, sweep(Step.STUN, *came)) if came else evidence(CALL, failed, rounds=2)


def test_an_error_in_the_services_name_is_the_services_where_it_comes_from_as_far() -> None:
    beyond = refused(HOME, ("exceeded", "near", None), CORE, TRANSIT, REJECTED, REJECTED)
    assert conclusion(beyond) == ("refused_by_target", State.IMPAIRED, "service.refusal")


def test_without_a_distance_neither_is_named() -> None:
    assert conclusion(refused()) == ("refused_under_its_address", State.IMPAIRED, None)
    unknown = refused(HOME, ("exceeded", "near", None), CORE, CORE, CORE, REJECTED)
    assert conclusion(unknown) == ("refused_under_its_address", State.IMPAIRED, None)


def test_one_that_comes_from_inside_the_network_is_the_networks() -> None:
    """A neutral packet was still in the operator's own network where this one was refused."""
    inside = refused(HOME, ("exceeded", "near", None), *[REJECTED] * 4)
    assert conclusion(inside) == ("ip_reject", State.LIKELY_BLOCKED, "ip.reject")
    assert conclusion(replace(inside, earlier=None))[1] is State.INSUFFICIENT
    unnamed = replace(inside, networks={})
    assert conclusion(unnamed) == ("refused_under_its_address", State.IMPAIRED, None)


def test_one_from_the_home_is_the_homes() -> None:
    assert conclusion(refused(*[REJECTED] * 6)) == HOMES


# --- Ports --------------------------------------------------------------------------------------------------------

PORT_DEAD = replace(LINK, neutrals=(neutral("stun", TIMEOUT, port=3478), neutral("stun", port=19302)))


def test_a_port_that_the_network_drops_for_everybody_is_said_to_be_behind_the_home() -> None:
    """And accuses nobody: of one line it is not told that a service is meant."""
    edge = ("exceeded", "near", None)
    given = located(CALL, turn_fails(), sweep(Step.STUN, HOME, edge, *[SILENT] * 4), link=PORT_DEAD)
    assert conclusion(given) == ("port_dead_behind_the_home", State.IMPAIRED, "udp.port.drop")
    assert conclusion(evidence(CALL, turn_fails(), rounds=2, link=PORT_DEAD))[0] == "port_dead_for_neutrals"


def test_a_sweep_of_another_transport_places_nothing() -> None:
    edge = ("exceeded", "near", None)
    over_tcp = sweep(Step.STUN, HOME, edge, *[SILENT] * 4, transport=Transport.TCP)
    given = located(CALL, turn_fails(), over_tcp, link=PORT_DEAD)
    assert conclusion(given)[0] == "port_dead_for_neutrals"
