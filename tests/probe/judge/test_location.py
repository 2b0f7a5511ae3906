"""Where on the path it dies: each place is told from sweeps, disarms what would accuse, and is not told from less."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import EOF, HOST_UNREACHABLE, NXDOMAIN, REFUSED, RESET, TIMEOUT, TLS_AUTHORITY
from probe.judge import Evidence, judge
from probe.judge.evidence import Neighbours
from probe.model import (
    Access,
    Attempt,
    Grade,
    Hop,
    HopKind,
    Network,
    ReplyKind,
    State,
    Step,
    Sweep,
    Target,
    TlsFacts,
    Transport,
)
from tests.probe.judge.attempt.test_attempts import TLS, conclusion
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    HERE,
    HOST,
    attempt,
    control,
    evidence,
    measurement,
    says,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
    turn_fails,
)

HOME, EDGE, CORE, TRANSIT = (  # routers of a path, and what they say
    ("exceeded", "private", None),
    ("exceeded", "near", None),
    ("exceeded", "public", "198.51.0.0/24"),
    ("exceeded", "public", "192.0.2.0/24"),
)
SILENT, ANSWER, BROKEN, REJECTED = (("silence",), ("answer",), ("reset",), ("rejected", "public", "198.51.0.0/24"))
UNSEEN = ("exceeded",)  # in an open connection the router's address is not given
WHOLE = (HOME, EDGE, CORE, TRANSIT, ANSWER, ANSWER)
OURS, ABROAD = Network(country="MA", asn=1, operator="ours"), Network(country="FR", asn=2, operator="transit")
NETWORKS = {"198.51.0.0/24": OURS, "192.0.2.0/24": ABROAD}
Came_ = tuple[Any, ...]


def sweep(step: Step, *came: Came_, neutral: bool = False, **fields: Any) -> Sweep:
    hops = [
        Hop(
            ttl=ttl, came=ReplyKind(what), kind=HopKind(whose[0]) if whose else None, prefix=whose[1] if whose else None
        )
        for ttl, (what, *whose) in enumerate(came, start=1)
    ]
    over = Transport.UDP if step in (Step.DNS, Step.STUN, Step.TURN) else Transport.TCP
    where = {"host": "neutral.example", "port": 443, "family": 4} if neutral else _place(step)
    return Sweep(step=step, neutral=neutral, hops=tuple(hops), **{"transport": over, **where, **fields})


def _place(step: Step) -> dict[str, Any]:
    if step is Step.DNS:
        return {"host": HOST, "port": 53, "family": 4}
    if step in (Step.STUN, Step.TURN):
        return {"host": HERE, "port": 3478, "family": 4, "address": HERE}
    return {"host": HOST, "port": 443, "family": 4, "address": HERE}


def beside(step: Step) -> list[Sweep]:
    """The neutrals that pass: the packet of this kind, and what shows the routers."""
    inside = (UNSEEN, UNSEEN, UNSEEN, UNSEEN, ANSWER)
    shown = {Step.TLS: inside}.get(step, WHOLE)
    return [sweep(Step.TCP, *WHOLE, neutral=True), sweep(step, *shown, neutral=True)]


def located(target: Target, failed: Attempt, *sweeps: Sweep, rounds: int = 2, **fields: Any) -> Evidence:
    """In a network of whose routers, and of those beyond it, the owners are known."""
    given = evidence(target, failed, rounds=rounds, **{"network": OURS, "networks": NETWORKS, **fields})
    step = sweeps[0].step
    compared = beside(Step.STUN if step is Step.TURN else step)
    return replace(given, measurement=replace(given.measurement, sweeps=(*sweeps, *compared)))


HELLO_PASSES = sweep(Step.TCP, *WHOLE)  # the SYN to the same place does
CASES = [  # what failed, how its packet fared
    pytest.param(CHAT, tcp_fails(TIMEOUT), [sweep(Step.TCP, HOME, *[SILENT] * 5)], id="SYN dropped"),
    pytest.param(CHAT, tcp_fails(TIMEOUT), [sweep(Step.TCP, *[SILENT] * 6)], id="SYN dropped before any router"),
    pytest.param(CHAT, tcp_fails(REFUSED), [sweep(Step.TCP, HOME, *[BROKEN] * 5)], id="SYN reset"),
    pytest.param(CHAT, tcp_fails(HOST_UNREACHABLE), [sweep(Step.TCP, HOME, *[REJECTED] * 5)], id="SYN rejected"),
    pytest.param(
        CHAT, tls_fails(TIMEOUT), [sweep(Step.TLS, UNSEEN, *[SILENT] * 5), HELLO_PASSES], id="ClientHello dropped"
    ),
    pytest.param(CHAT, tls_fails(RESET), [sweep(Step.TLS, *[BROKEN] * 6), HELLO_PASSES], id="reset after ClientHello"),
    pytest.param(CALL, turn_fails(), [sweep(Step.STUN, HOME, *[SILENT] * 5)], id="relay silent"),
    pytest.param(CALL, turn_fails(), [sweep(Step.TURN, HOME, *[SILENT] * 5)], id="Allocate dropped"),
]


@pytest.mark.parametrize(("target", "failed", "sweeps"), CASES)
def test_what_dies_before_the_first_public_hop_is_the_homes(target: Target, failed: Attempt, sweeps: Any) -> None:
    assert conclusion(located(target, failed, *sweeps)) == ("stopped_at_home", State.IMPAIRED, "local.firewall")


@pytest.mark.parametrize(("target", "failed", "sweeps"), CASES)
def test_what_passes_the_first_public_hop_is_not(target: Target, failed: Attempt, sweeps: Any) -> None:
    """The same fate, one router later: the first public one, at TTL 2, has seen the packet."""
    further = [replace(each, hops=_later(each)) for each in sweeps]
    assert conclusion(located(target, failed, *further))[1] is State.LIKELY_BLOCKED


def _later(one: Sweep) -> tuple[Hop, ...]:
    seen_by = (UNSEEN, UNSEEN) if one.step is Step.TLS else (HOME, EDGE)
    fate = one.hops[-1]
    return (*sweep(one.step, *seen_by).hops, *(replace(fate, ttl=ttl) for ttl in range(3, 7)))


@pytest.mark.parametrize("first", ["shared", "private"])
@pytest.mark.parametrize(("target", "failed", "sweeps"), CASES)
def test_a_router_that_is_no_homes(target: Target, failed: Attempt, sweeps: Any, first: str) -> None:
    """At TTL 1: between carriers and customers, or before a device that is on a cellular network itself."""
    given = located(target, failed, *(replace(each, hops=_from_the_second(each)) for each in sweeps))
    detected = Access.G4 if first == "private" else Access.UNKNOWN
    link = replace(given.measurement.link, detected=detected)
    known = [replace(each, hops=tuple(_as(first, hop) for hop in each.hops)) for each in given.measurement.sweeps]
    found = replace(given, measurement=replace(given.measurement, link=link, sweeps=tuple(known)))
    assert conclusion(found)[1] is State.LIKELY_BLOCKED
    if first == "private":
        at_home = replace(found, measurement=replace(found.measurement, link=replace(link, detected=Access.WIFI)))
        assert conclusion(at_home) == ("stopped_at_home", State.IMPAIRED, "local.firewall")


def _from_the_second(one: Sweep) -> tuple[Hop, ...]:
    return (*sweep(one.step, UNSEEN if one.step is Step.TLS else HOME).hops, *one.hops[1:])


def _as(kind: str, hop: Hop) -> Hop:
    return replace(hop, kind=HopKind(kind)) if hop.kind is HopKind.PRIVATE else hop


@pytest.mark.parametrize(("target", "failed", "sweeps"), CASES)
def test_without_a_word_from_a_public_router_nothing_is_known(target: Target, failed: Attempt, sweeps: Any) -> None:
    given = located(target, failed, *sweeps)
    mute = [replace(each, hops=tuple(_unless_public(hop) for hop in each.hops)) for each in given.measurement.sweeps]
    muted = replace(given, measurement=replace(given.measurement, sweeps=tuple(mute)))
    assert conclusion(muted) == conclusion(evidence(target, failed, rounds=2))


def _unless_public(hop: Hop) -> Hop:
    return Hop(ttl=hop.ttl, came=ReplyKind.SILENCE) if hop.kind in ("near", "public") else hop


def test_a_silent_router_is_silent_for_neutrals_too() -> None:
    """Nobody behind TTL 2 says anything to anybody: that the failing packet draws no word there tells nothing."""
    given = located(CHAT, tcp_fails(TIMEOUT), sweep(Step.TCP, HOME, SILENT, SILENT))
    neutral = (sweep(Step.TCP, HOME, SILENT, SILENT, ANSWER, neutral=True), sweep(Step.STUN, HOME, EDGE, neutral=True))
    sweeps = (given.measurement.sweeps[0], *neutral)
    assert judge(replace(given, measurement=replace(given.measurement, sweeps=sweeps))).rule == "ip_drop"


def test_the_homes_proxy_shows_its_certificate() -> None:
    opened = sweep(Step.TCP, *[ANSWER] * 6)
    given = located(CHAT, tls_fails(TLS_AUTHORITY, leaf="cc" * 32), opened)
    assert conclusion(given) == ("tls_read_at_home", State.IMPAIRED, "local.tls")


@pytest.mark.parametrize("failure", [TIMEOUT, RESET, EOF])
def test_a_proxy_at_home_that_carries_nothing_but_tls(failure: str) -> None:
    """It accepts every connection, passes neutral TLS on untouched, and does not understand a messenger's words."""
    noise = replace(TLS, handshake="noise")
    chat = replace(CHAT, endpoints=(noise,))
    failed = attempt(noise, seen(Step.TCP), seen(Step.NOISE, failure))
    well = control(measurement(chat, attempt(noise, seen(Step.TCP), seen(Step.NOISE), grade=Grade.BOUND)))
    said = sweep(Step.NOISE, *[SILENT] * 6)
    at_home, genuine = (
        located(chat, failed, sweep(Step.TCP, *came), said, controls=[well]) for came in ([ANSWER] * 6, WHOLE)
    )
    assert conclusion(at_home) == ("stopped_at_home", State.IMPAIRED, "local.firewall")
    assert judge(genuine).state is State.LIKELY_BLOCKED


def test_a_proxy_that_opens_every_connection_excuses_no_ban_of_a_name() -> None:
    """Accelerators of satellite links do: what neutral TLS gets through is not what breaks the service's off."""
    given = located(CHAT, tls_fails(RESET), sweep(Step.TCP, *[ANSWER] * 6))
    assert judge(given).rule == "tls_broken_off"


def test_an_interceptor_in_the_network_shows_its_own() -> None:
    opened = sweep(Step.TCP, HOME, EDGE, *[ANSWER] * 4)
    given = located(CHAT, tls_fails(TLS_AUTHORITY, leaf="cc" * 32), opened)
    assert conclusion(given) == ("tls_mitm", State.BLOCKED, "tls.mitm")


def test_an_interceptor_abroad_is_an_artefact_all_the_same() -> None:
    given = located(CHAT, tls_fails(TLS_AUTHORITY, leaf="cc" * 32), HELLO_PASSES)
    assert judge(given).rule == "tls_mitm"


# --- Names --------------------------------------------------------------------------------------------------------


def named(*came: Came_, failure: str = NXDOMAIN, rounds: int = 2) -> Evidence:
    given = evidence(CHAT, rounds=rounds, resolutions=(says(failure=failure),))
    sweeps = (sweep(Step.DNS, *came), sweep(Step.DNS, *WHOLE, neutral=True))
    return replace(given, measurement=replace(given.measurement, sweeps=sweeps))


@pytest.mark.parametrize("failure", [NXDOMAIN, TIMEOUT])
def test_a_question_that_the_home_answers_or_swallows(failure: str) -> None:
    fate = ANSWER if failure == NXDOMAIN else SILENT
    found = ("name_answered_at_home", State.IMPAIRED, "local.resolver")
    assert conclusion(named(*[fate] * 6, failure=failure)) == found
    assert conclusion(named(HOME, *[fate] * 5, failure=failure)) == found
    assert conclusion(named(HOME, EDGE, *[fate] * 4, failure=failure))[1] in (State.BLOCKED, State.LIKELY_BLOCKED)


def test_a_resolver_that_is_the_first_public_hop_itself_answers_there() -> None:
    """It answers neutral questions there too; that packets go further, others show."""
    given = named(HOME, ANSWER, ANSWER, ANSWER)
    sweeps = (
        given.measurement.sweeps[0],
        sweep(Step.DNS, HOME, ANSWER, ANSWER, neutral=True),
        sweep(Step.STUN, HOME, EDGE, CORE, ANSWER, neutral=True),
    )
    found = judge(replace(given, measurement=replace(given.measurement, sweeps=sweeps)))
    assert (found.rule, found.state) == ("name_denied", State.BLOCKED)
    assert judge(given).rule == "name_answered_at_home"


# --- Beyond the network -------------------------------------------------------------------------------------------

ABROAD_CASES = [
    pytest.param(CHAT, tcp_fails(TIMEOUT), [sweep(Step.TCP, HOME, EDGE, CORE, TRANSIT, SILENT)], id="SYN unanswered"),
    pytest.param(
        CHAT, tls_fails(TIMEOUT), [sweep(Step.TLS, *[UNSEEN] * 4, SILENT), HELLO_PASSES], id="ClientHello unanswered"
    ),
    pytest.param(CALL, turn_fails(), [sweep(Step.STUN, HOME, EDGE, CORE, TRANSIT, SILENT)], id="relay unanswered"),
]


@pytest.mark.parametrize(("target", "failed", "sweeps"), ABROAD_CASES)
def test_what_leaves_the_network_and_is_not_answered(target: Target, failed: Attempt, sweeps: Any) -> None:
    given = located(target, failed, *sweeps, neighbours={})
    assert conclusion(given) == ("left_unanswered", State.IMPAIRED, None)
    one = replace(given, neighbours={HERE: Neighbours(reached=1)})
    assert conclusion(one) == conclusion(given)
    reached = replace(given, neighbours={HERE: Neighbours(reached=2)})  # the service keeps out nobody of this country
    assert judge(reached).state is State.LIKELY_BLOCKED


def test_a_hello_that_the_service_took_was_not_kept_out() -> None:
    facts = TlsFacts(hello_bytes=300, hello_acknowledged=True)
    silent = attempt(TLS, seen(Step.TCP), seen(Step.TLS, TIMEOUT, tls=facts))
    given = located(CHAT, silent, sweep(Step.TLS, *[UNSEEN] * 4, SILENT), HELLO_PASSES)
    assert judge(given).rule == "tls_reply_dropped"


@pytest.mark.parametrize("failure", [RESET, EOF])
def test_a_reset_from_as_far_as_the_service_is_a_refusal(failure: str) -> None:
    given = located(CHAT, tls_fails(failure), sweep(Step.TLS, *[UNSEEN] * 4, BROKEN, BROKEN), HELLO_PASSES)
    assert conclusion(given) == ("refused_at_the_service", State.IMPAIRED, "service.refusal")


def test_a_reset_from_nearer_than_the_service_and_beyond_the_network_is_somebody_elses() -> None:
    farther = sweep(Step.TCP, HOME, EDGE, CORE, TRANSIT, TRANSIT, ANSWER)
    given = located(CHAT, tls_fails(RESET), sweep(Step.TLS, *[UNSEEN] * 4, BROKEN, BROKEN), farther)
    assert conclusion(given) == ("refused_beyond", State.IMPAIRED, None)


def test_a_reset_beside_the_path_is_the_networks_however_far_the_packet_gets() -> None:
    """A box that lets the ClientHello pass: routers behind it, abroad too, still see some of its copies."""
    raced = sweep(Step.TLS, UNSEEN, UNSEEN, BROKEN, UNSEEN, BROKEN, BROKEN)
    assert judge(located(CHAT, tls_fails(RESET), raced, HELLO_PASSES)).rule == "tls_broken_off"


def test_a_rejection_from_abroad() -> None:
    abroad = ("rejected", "public", "192.0.2.0/24")
    given = located(CHAT, tcp_fails(HOST_UNREACHABLE), sweep(Step.TCP, HOME, EDGE, CORE, TRANSIT, abroad, abroad))
    assert conclusion(given) == ("refused_beyond", State.IMPAIRED, None)


def test_what_gets_through_by_now_is_placed_nowhere() -> None:
    given = located(CHAT, tcp_fails(TIMEOUT), HELLO_PASSES)
    assert conclusion(given) == conclusion(evidence(CHAT, tcp_fails(TIMEOUT), rounds=2))


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({"networks": {}}, id="as the program on the line knows it"),
        pytest.param({"network": Network()}, id="whose the line is, is not known"),
        pytest.param({"networks": {"192.0.2.0/24": replace(OURS, country="FR")}}, id="its own network, abroad"),
        pytest.param({"networks": {"192.0.2.0/24": replace(ABROAD, country="MA")}}, id="another of the same country"),
        pytest.param({"networks": {"192.0.2.0/24": replace(ABROAD, country="ZZ")}}, id="nobody knows where"),
    ],
)
@pytest.mark.parametrize(("target", "failed", "sweeps"), ABROAD_CASES)
def test_only_another_countrys_network_is_beyond(target: Target, failed: Attempt, sweeps: Any, known: Any) -> None:
    assert judge(located(target, failed, *sweeps, **known)).state is State.LIKELY_BLOCKED


def test_a_sweep_of_another_endpoint_or_family_says_nothing() -> None:
    dead = sweep(Step.TCP, *[SILENT] * 6)
    for other in (replace(dead, host="other.example"), replace(dead, port=5222), replace(dead, family=6)):
        assert judge(located(CHAT, tcp_fails(TIMEOUT), other)).rule == "ip_drop"


def test_controls_still_come_first() -> None:
    dead = sweep(Step.TCP, *[SILENT] * 6)
    assert judge(located(CHAT, tcp_fails(TIMEOUT), dead, controls=())).rule == "no_control"
    failed = [control(measurement(CHAT, tcp_fails(TIMEOUT)), number) for number in (1, 2)]
    assert judge(located(CHAT, tcp_fails(TIMEOUT), dead, controls=failed)).rule == "down"
    assert judge(located(CHAT, tls_ok(), dead)).state is State.OK
