"""Before `likely_blocked`: each of the three things that exclude a lost route or the service's own doing is enough."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import HOST_UNREACHABLE, REFUSED, RESET, TIMEOUT
from probe.judge import Evidence, judge
from probe.judge.attempt.routing import ACCUSING
from probe.judge.evidence import Neighbours
from probe.model import Access, Attempt, Grade, HopKind, Network, State, Step, Sweep, Target, Transport
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    HERE,
    STUN,
    TLS,
    TURN,
    attempt,
    evidence,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
    turn_fails,
)
from tests.probe.judge.test_location import (
    ABROAD,
    ANSWER,
    BROKEN,
    CORE,
    EDGE,
    HOME,
    NETWORKS,
    OURS,
    REJECTED,
    SILENT,
    TRANSIT,
    UNSEEN,
    WHOLE,
    sweep,
)

ALONE: dict[str, Any] = {"neighbours": {}, "reached": frozenset(), "network": OURS, "networks": NETWORKS}
NEXT_DOOR, FAR_AWAY = "198.51.100.77", "203.0.113.77"
OTHERS = {HERE: Neighbours(reached=2)}
FAILURES = [
    pytest.param(CHAT, tcp_fails(TIMEOUT), "ip.drop", id="SYN dropped"),
    pytest.param(CHAT, tcp_fails(REFUSED), "ip.reset", id="SYN reset"),
    pytest.param(CHAT, tcp_fails(HOST_UNREACHABLE), "ip.reject", id="SYN rejected"),
    pytest.param(CHAT, tls_fails(TIMEOUT), "tcp.payload.drop", id="ClientHello dropped"),
    pytest.param(CHAT, tls_fails(RESET), "tcp.payload.reset", id="reset after ClientHello"),
    pytest.param(CALL, turn_fails(), "udp.endpoint.drop", id="relay silent"),
]


def alone(target: Target, failed: Attempt, *beside: Attempt, **fields: Any) -> Evidence:
    """Nobody else of the country has measured, and no sweep was made."""
    return evidence(target, failed, *beside, rounds=2, **{**ALONE, **fields})


def conclusion(given: Evidence) -> tuple[str, State, str | None]:
    verdict = judge(given)
    return verdict.rule, verdict.state, verdict.mechanism


@pytest.mark.parametrize(("target", "failed", "mechanism"), FAILURES)
def test_an_answer_abroad_excludes_a_dead_service_and_no_more(target: Target, failed: Attempt, mechanism: str) -> None:
    assert conclusion(alone(target, failed)) == ("routing_or_service_not_excluded", State.IMPAIRED, None)


def test_only_what_would_be_accused_needs_more() -> None:
    """What is unclear already keeps its own words."""
    assert judge(alone(CHAT, tcp_fails("message_size"))).rule == "unexplained"
    assert judge(alone(CHAT, tls_fails("ssl_failed_handshake", received=7))).rule == "tls_refused"
    assert judge(alone(CHAT, tls_ok())).rule == "complete"
    assert {rule.state for rule in ACCUSING} == {State.BLOCKED, State.LIKELY_BLOCKED, State.IMPAIRED}


# --- Other operators, and the line's own way to the prefix ------------------------------------------------------------


@pytest.mark.parametrize(("target", "failed", "mechanism"), FAILURES)
def test_others_reach_it_and_this_line_its_prefix(target: Target, failed: Attempt, mechanism: str) -> None:
    verdict = judge(alone(target, failed, neighbours=OTHERS, reached=frozenset({NEXT_DOOR})))
    assert (verdict.state, verdict.mechanism) == (State.LIKELY_BLOCKED, mechanism)
    assert verdict.reason.endswith("; 2 or more lines of other operators in MA reach the address")


REACHED = [
    pytest.param({NEXT_DOOR}, {}, True, id="another address of its /24"),
    pytest.param({HERE}, {}, False, id="no other than itself"),
    pytest.param({FAR_AWAY}, {}, False, id="an address elsewhere"),
    pytest.param({FAR_AWAY}, {"198.51.100.0/24": ABROAD, "203.0.113.0/24": ABROAD}, True, id="the same AS"),
    pytest.param({FAR_AWAY}, {"198.51.100.0/24": ABROAD, "203.0.113.0/24": OURS}, False, id="another AS"),
    pytest.param({FAR_AWAY}, {"198.51.100.0/24": Network(), "203.0.113.0/24": Network()}, False, id="no AS is known"),
    pytest.param(set(), {}, False, id="nothing"),
]


@pytest.mark.parametrize(("reached", "networks", "excluded"), REACHED)
def test_a_route_is_not_lost_where_its_prefix_is_reached(
    reached: set[str], networks: dict[str, Network], excluded: bool
) -> None:
    given = alone(CHAT, tcp_fails(TIMEOUT), neighbours=OTHERS, reached=frozenset(reached), networks=networks)
    assert (judge(given).state is State.LIKELY_BLOCKED) is excluded


def test_another_address_of_the_same_target_is_of_this_cycle_too() -> None:
    beside = attempt(TLS, seen(Step.TCP), seen(Step.TLS), address=NEXT_DOOR, grade=Grade.BOUND)
    verdict = judge(alone(CHAT, tcp_fails(TIMEOUT), beside, neighbours=OTHERS))
    assert (verdict.state, verdict.mechanism) == (State.DEGRADED, "partial")


@pytest.mark.parametrize("lines", [0, 1])
def test_fewer_than_two_lines_of_other_operators_are_nobody(lines: int) -> None:
    few = alone(CHAT, tcp_fails(TIMEOUT), neighbours={HERE: Neighbours(reached=lines)}, reached=frozenset({NEXT_DOOR}))
    assert judge(few).rule == "routing_or_service_not_excluded"


def test_where_all_operators_are_alike_it_is_said_in_these_words() -> None:
    verdict = judge(alone(CHAT, tcp_fails(TIMEOUT), neighbours={HERE: Neighbours(failed=3)}))
    assert (verdict.rule, verdict.state) == ("unreachable_in_country", State.IMPAIRED)
    words = "unreachable from all networks measured in MA; a decision of the service or of the state is not told apart"
    assert verdict.reason == words
    some = alone(CHAT, tcp_fails(TIMEOUT), neighbours={HERE: Neighbours(failed=3, reached=1)})
    assert judge(some).rule == "routing_or_service_not_excluded"


# --- The failure follows what was changed -----------------------------------------------------------------------------


def test_the_same_address_answers_other_bytes() -> None:
    binding = attempt(STUN, seen(Step.STUN), grade=Grade.BOUND)
    assert judge(alone(CALL, turn_fails(), binding)).state is State.LIKELY_BLOCKED


def test_the_same_address_and_port_answers_over_another_transport() -> None:
    over_tcp = replace(TURN, transport=Transport.TCP)
    target = replace(CALL, endpoints=(TURN, over_tcp))
    passed = attempt(over_tcp, seen(Step.TCP), seen(Step.TURN), grade=Grade.MARKED)
    assert conclusion(alone(target, turn_fails(), passed)) == ("forced_fallback", State.DEGRADED, "forced_fallback")
    elsewhere = replace(passed, port=443)
    assert judge(alone(target, turn_fails(), elsewhere)).state is State.IMPAIRED


# --- It dies inside the line's own network ----------------------------------------------------------------------------

PASSES = sweep(Step.TCP, *WHOLE)  # the SYN to the same address
HELLO_UP_TO = (UNSEEN, UNSEEN)


def neighbour(step: Step = Step.TCP, *came: Any, address: str | None = NEXT_DOOR) -> Sweep:
    return sweep(step, *(came or WHOLE), neutral=True, address=address)


def inside(target: Target, failed: Attempt, *sweeps: Sweep, **fields: Any) -> Evidence:
    given = alone(target, failed, **fields)
    return replace(given, measurement=replace(given.measurement, sweeps=sweeps))


DEATHS = [
    pytest.param(
        CHAT, tcp_fails(TIMEOUT), [sweep(Step.TCP, HOME, EDGE, *[SILENT] * 4), neighbour()], "ip.drop", id="SYN dropped"
    ),
    pytest.param(
        CHAT, tcp_fails(REFUSED), [sweep(Step.TCP, HOME, EDGE, *[BROKEN] * 4), neighbour()], "ip.reset", id="SYN reset"
    ),
    pytest.param(
        CHAT,
        tcp_fails(HOST_UNREACHABLE),
        [sweep(Step.TCP, HOME, EDGE, *[REJECTED] * 4), neighbour()],
        "ip.reject",
        id="SYN rejected",
    ),
    pytest.param(
        CHAT, tls_fails(TIMEOUT), [sweep(Step.TLS, *HELLO_UP_TO, *[SILENT] * 4), PASSES], "tcp.payload.drop", id="hello"
    ),
    pytest.param(
        CHAT,
        tls_fails(RESET),
        [sweep(Step.TLS, *HELLO_UP_TO, *[BROKEN] * 4), PASSES],
        "tcp.payload.reset",
        id="hello reset",
    ),
    pytest.param(
        CALL,
        turn_fails(),
        [sweep(Step.TURN, HOME, EDGE, *[SILENT] * 4), neighbour(Step.STUN)],
        "udp.endpoint.drop",
        id="Allocate dropped",
    ),
]


@pytest.mark.parametrize(("target", "failed", "sweeps", "mechanism"), DEATHS)
def test_what_dies_in_the_own_network_beside_its_neighbour(
    target: Target, failed: Attempt, sweeps: list[Sweep], mechanism: str
) -> None:
    assert conclusion(inside(target, failed, *sweeps))[1:] == (State.LIKELY_BLOCKED, mechanism)


@pytest.mark.parametrize(("target", "failed", "sweeps", "mechanism"), DEATHS)
def test_without_the_neighbour_nothing_is_known(
    target: Target, failed: Attempt, sweeps: list[Sweep], mechanism: str
) -> None:
    """A neutral that goes elsewhere takes another route."""
    astray = [replace(each, address=FAR_AWAY) for each in sweeps[1:]]
    for compared in ([], astray, [replace(each, address=None) for each in astray]):
        shown = sweep(Step.TCP, *WHOLE, neutral=True)  # so that routers are known
        assert judge(inside(target, failed, sweeps[0], shown, *compared)).rule == "routing_or_service_not_excluded"


SYN = sweep(Step.TCP, HOME, EDGE, *[SILENT] * 4)
DOUBTS = [
    pytest.param([SYN, neighbour(Step.TCP, HOME, EDGE, *[SILENT] * 3, ANSWER)], {}, id="routers beyond are silent"),
    pytest.param([SYN, neighbour(Step.TCP, HOME, EDGE, ANSWER)], {}, id="a cache in this network, beside a dead one"),
    pytest.param([SYN, neighbour(Step.TCP, HOME, EDGE, TRANSIT, ANSWER)], {}, id="at the border of another country"),
    pytest.param(
        [sweep(Step.TCP, HOME, EDGE, CORE, TRANSIT, SILENT), neighbour(Step.TCP, *WHOLE[:4], TRANSIT, ANSWER)],
        {},
        id="in another country's network",
    ),
    pytest.param(
        [sweep(Step.TCP, HOME, EDGE, CORE, *[SILENT] * 3), neighbour(Step.TCP, HOME, EDGE, CORE, CORE, ANSWER)],
        {"networks": {}},
        id="whose the last router is, is not known",
    ),
    pytest.param([SYN, replace(neighbour(), family=6)], {}, id="in the other family"),
    pytest.param([SYN, replace(neighbour(), transport=Transport.UDP)], {}, id="over another transport"),
    pytest.param([SYN, neighbour(Step.TLS, *[UNSEEN] * 5)], {}, id="of another kind, elsewhere in the prefix"),
    pytest.param([sweep(Step.TCP, HOME, EDGE, *[SILENT] * 3, ANSWER), neighbour()], {}, id="it gets through by now"),
    pytest.param([sweep(Step.TCP, HOME, EDGE), neighbour()], {}, id="further on nothing was asked"),
]


@pytest.mark.parametrize(("sweeps", "known"), DOUBTS)
def test_what_shows_no_death_in_the_own_network(sweeps: list[Sweep], known: dict[str, Any]) -> None:
    assert judge(inside(CHAT, tcp_fails(TIMEOUT), *sweeps, **known)).state is State.IMPAIRED


@pytest.mark.parametrize(
    ("kind", "access"), [("shared", Access.UNKNOWN), ("near", Access.UNKNOWN), ("private", Access.G4)]
)
def test_routers_that_are_the_lines_own_networks_by_their_address(kind: str, access: Access) -> None:
    first = ("exceeded", kind, None)
    given = inside(
        CHAT,
        tcp_fails(TIMEOUT),
        sweep(Step.TCP, first, *[SILENT] * 4),
        neighbour(Step.TCP, first, CORE, TRANSIT, ANSWER),
        networks={},
    )
    link = replace(given.measurement.link, detected=access)
    on_it = replace(given, measurement=replace(given.measurement, link=link))
    assert judge(on_it).state is State.LIKELY_BLOCKED
    assert HopKind(kind)


def test_a_private_router_behind_the_first_public_hop_is_its_networks() -> None:
    inner = ("exceeded", "private", None)
    deaths = (
        sweep(Step.TCP, HOME, EDGE, inner, *[SILENT] * 3),
        neighbour(Step.TCP, HOME, EDGE, inner, inner, TRANSIT, ANSWER),
    )
    assert judge(inside(CHAT, tcp_fails(TIMEOUT), *deaths)).state is State.LIKELY_BLOCKED


def test_another_as_of_the_same_operator_is_its_network() -> None:
    backbone = {"198.51.0.0/24": replace(OURS, asn=64_999)}
    deaths = (
        sweep(Step.TCP, HOME, EDGE, CORE, *[SILENT] * 3),
        neighbour(Step.TCP, HOME, EDGE, CORE, CORE, TRANSIT, ANSWER),
    )
    assert judge(inside(CHAT, tcp_fails(TIMEOUT), *deaths, networks=backbone)).state is State.LIKELY_BLOCKED
    for other in ("another", "unknown"):
        others = {"198.51.0.0/24": replace(OURS, asn=64_999, operator=other)}
        assert judge(inside(CHAT, tcp_fails(TIMEOUT), *deaths, networks=others)).state is State.IMPAIRED


def test_a_router_is_not_shown_to_be_the_networks_by_a_name() -> None:
    """Two that nobody named are not one's, nor is a group's of another country."""
    deaths = (
        sweep(Step.TCP, HOME, EDGE, CORE, *[SILENT] * 3),
        neighbour(Step.TCP, HOME, EDGE, CORE, CORE, TRANSIT, ANSWER),
    )
    unnamed = replace(OURS, operator="unknown")
    abroad = {"198.51.0.0/24": replace(OURS, asn=64_999, country="FR")}
    nobodys = {"198.51.0.0/24": Network()}
    assert judge(inside(CHAT, tcp_fails(TIMEOUT), *deaths, networks=abroad)).state is State.IMPAIRED
    assert judge(inside(CHAT, tcp_fails(TIMEOUT), *deaths, network=unnamed, networks=nobodys)).state is State.IMPAIRED
