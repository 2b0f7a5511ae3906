"""A line whose UDP is dead: what is told of it, and that it never has the words of a clean line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import TIMEOUT
from probe.judge import Evidence, judge
from probe.model import Depth, Grade, Link, Neutral, State, Step, Sweep, Transport
from tests.probe.judge.evidence import (
    CALL,
    HERE,
    LINK,
    STUN,
    TURN,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
    turn_fails,
    turn_ok,
)
from tests.probe.judge.test_location import CORE, EDGE, HOME, OURS, SILENT, WHOLE, sweep

TLS_PASSES = neutral("tls")


def over_udp(handshake: str, port: int, failure: str | None = TIMEOUT, family: int = 4) -> Neutral:
    return replace(neutral(handshake, failure, port, family), transport=Transport.UDP)


STUN_DEAD = (over_udp("stun", 3478), over_udp("stun", 19302))
QUIC, QUIC_DEAD = over_udp("quic", 443, None), over_udp("quic", 443)
DNS = over_udp("dns", 53, None)


def given(*neutrals: Neutral, rounds: int = 2, sweeps: Sequence[Sweep] = (), **fields: Any) -> Evidence:
    """A relay that does not answer, on a line with these neutral services."""
    link = Link(up=True, neutrals=(TLS_PASSES, *neutrals), resolvers=LINK.resolvers)
    found = evidence(CALL, turn_fails(), link=link, rounds=rounds, network=OURS, **fields)
    return replace(found, measurement=replace(found.measurement, sweeps=tuple(sweeps)))


def conclusion(found: Evidence) -> tuple[str, State, str | None]:
    verdict = judge(found)
    return verdict.rule, verdict.state, verdict.mechanism


DEAD = ("udp_dead", State.IMPAIRED, "udp.all.drop")
STUN_ALONE = ("stun_dead", State.IMPAIRED, None)
UNTOLD = ("neutral_failed", State.INSUFFICIENT, None)
LINES = [
    pytest.param([*STUN_DEAD, QUIC_DEAD], DEAD, id="nothing passes"),
    pytest.param([*STUN_DEAD, QUIC_DEAD, DNS], DEAD, id="nothing but DNS"),
    pytest.param(STUN_DEAD, UNTOLD, id="STUN is all that was asked"),
    pytest.param([*STUN_DEAD, QUIC], STUN_ALONE, id="a drop of all STUN"),
    pytest.param([STUN_DEAD[0], QUIC], UNTOLD, id="one server that is silent is that server's fault"),
    pytest.param([STUN_DEAD[0]], UNTOLD, id="the same without QUIC"),
    pytest.param([STUN_DEAD[0], over_udp("quic", 443, family=6)], DEAD, id="in the other family as well"),
    pytest.param([STUN_DEAD[0], over_udp("stun", 3478, None, 6)], UNTOLD, id="the other family passes"),
    pytest.param([STUN_DEAD[0], QUIC, over_udp("stun", 3478, family=6)], STUN_ALONE, id="STUN is, in both"),
    pytest.param(
        [over_udp("stun", 3478, family=6), over_udp("quic", 443, family=6)], UNTOLD, id="only the other was asked"
    ),
    pytest.param([], UNTOLD, id="nothing was asked"),
]


@pytest.mark.parametrize(("neutrals", "told"), LINES)
def test_what_neutral_services_over_udp_tell(neutrals: list[Neutral], told: tuple[str, State, str | None]) -> None:
    assert conclusion(given(*neutrals)) == told
    assert conclusion(given(*neutrals, rounds=1)) == UNTOLD  # once is nothing


def test_a_dead_line_is_not_a_line_without_udp() -> None:
    """TLS fails for neutral services as well: it is the line that is dead."""
    found = given(*STUN_DEAD)
    link = replace(found.measurement.link, neutrals=(neutral("tls", TIMEOUT), neutral("http", port=80), *STUN_DEAD))
    assert judge(replace(found, measurement=replace(found.measurement, link=link))).rule == "neutral_failed"


def test_without_a_control_nothing_is_told() -> None:
    """That no relay answers anybody is no ban; so a cell that rests on these lines has another network that passes."""
    assert judge(given(*STUN_DEAD, QUIC_DEAD, controls=())).rule == "no_control"


BEYOND = ("udp_dead_beyond_home", State.IMPAIRED, "udp.all.drop")
ROUTERS = sweep(Step.TCP, *WHOLE, neutral=True)
SWEEPS = [
    pytest.param(
        [ROUTERS, sweep(Step.STUN, HOME, EDGE, SILENT, neutral=True)], BEYOND, id="the first public hop saw it"
    ),
    pytest.param([ROUTERS, sweep(Step.TURN, HOME, EDGE, CORE, SILENT)], BEYOND, id="and one behind it"),
    pytest.param([ROUTERS, sweep(Step.STUN, HOME, SILENT, SILENT, neutral=True)], DEAD, id="only the home did"),
    pytest.param(
        [ROUTERS, sweep(Step.DNS, HOME, EDGE, CORE, SILENT)], DEAD, id="a question to a resolver tells nothing"
    ),
    pytest.param([ROUTERS], DEAD, id="no datagram was followed"),
]


@pytest.mark.parametrize(("sweeps", "told"), SWEEPS)
def test_datagrams_that_get_out_of_the_home(sweeps: list[Sweep], told: tuple[str, State, str | None]) -> None:
    assert conclusion(given(*STUN_DEAD, QUIC_DEAD, sweeps=sweeps)) == told


# --- A relay that is dead over UDP, and answers over something else ---------------------------------------------------

OVER_TCP = replace(TURN, transport=Transport.TCP)
BOTH = replace(CALL, endpoints=(TURN, OVER_TCP))
TCP_ANSWERS = attempt(OVER_TCP, seen(Step.TCP), seen(Step.TURN), grade=Grade.MARKED)


def both(link: Link = LINK, port: int | None = None) -> Evidence:
    """Both of them work for the control."""
    over_tcp = replace(OVER_TCP, port=port or OVER_TCP.port)
    answers = replace(TCP_ANSWERS, port=over_tcp.port)
    target = replace(CALL, endpoints=(TURN, over_tcp))
    well = control(measurement(target, turn_ok(), answers))
    return evidence(target, turn_fails(), answers, link=link, rounds=2, controls=[well])


def test_udp_dead_and_tcp_alive_at_one_relay() -> None:
    """One host and port, over two transports: they are two paths."""
    assert conclusion(both()) == ("forced_fallback", State.DEGRADED, "forced_fallback")


def test_a_port_that_is_dead_for_neutrals_too_beside_a_fallback() -> None:
    link = replace(LINK, neutrals=(TLS_PASSES, over_udp("stun", 3478), over_udp("stun", 19302, None)))
    verdict = judge(both(link, port=443))
    assert (verdict.state, verdict.mechanism, verdict.depth) == (
        State.IMPAIRED,
        "udp.port.drop",
        Depth.RELAY_ANSWERS,
    )
    assert verdict.reason.startswith("neutral services on this port do not answer either")


def test_all_udp_dead_beside_a_fallback() -> None:
    link = replace(LINK, neutrals=(TLS_PASSES, *STUN_DEAD, QUIC_DEAD))
    assert conclusion(both(link, port=443)) == DEAD


def test_a_binding_over_tcp_stands_for_no_relay_over_udp() -> None:
    over_tcp = replace(STUN, transport=Transport.TCP)
    binding = attempt(over_tcp, seen(Step.TCP), seen(Step.STUN), grade=Grade.BOUND, address=HERE)
    verdict = judge(evidence(CALL, turn_fails(), binding, rounds=2))
    assert verdict.mechanism == "udp.endpoint.drop"
