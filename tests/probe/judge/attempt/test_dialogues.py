"""Dialogues of several flights that stop half-way: a line that loses much, or a NAT that rebinds, accuses nobody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.failure import EOF, RESET, TIMEOUT
from probe.flights import flights, sends
from probe.judge import Evidence, judge
from probe.model import (
    Attempt,
    DtlsFacts,
    Endpoint,
    Grade,
    HelloFacts,
    Neutral,
    Observation,
    QuicFacts,
    State,
    Step,
    StunFacts,
    Target,
    TlsFacts,
    Transport,
)
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    LINK,
    STUN,
    TLS,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    seen,
)

ACCUSING = (State.BLOCKED, State.LIKELY_BLOCKED)
QUIC = replace(TLS, transport=Transport.UDP, handshake="quic")
DTLS = replace(STUN, handshake="dtls")
NEUTRAL_QUIC = replace(neutral("quic"), transport=Transport.UDP, flights=1)
NEUTRALS = (*(replace(each, flights=1) for each in LINK.neutrals), NEUTRAL_QUIC)
STEADY = replace(LINK, neutrals=NEUTRALS)


def tls(failure: str | None, **fields: Any) -> Attempt:
    facts = TlsFacts(hello_bytes=300, hello_acknowledged=fields.pop("acknowledged", None))
    grade = None if failure else Grade.BOUND
    return attempt(TLS, seen(Step.TCP), seen(Step.TLS, failure, tls=facts, **fields), grade=grade)


def quic(failure: str | None, **facts: Any) -> Attempt:
    return attempt(QUIC, seen(Step.QUIC, failure, quic=QuicFacts(**facts)), grade=None if failure else Grade.BOUND)


def dtls(failure: str | None, **facts: Any) -> Attempt:
    return attempt(DTLS, seen(Step.DTLS, failure, dtls=DtlsFacts(**facts)), grade=None if failure else Grade.BOUND)


def case(endpoint: Endpoint, here: Attempt, earlier: Attempt | None = None, **fields: Any) -> Evidence:
    target: Target = replace(CALL if endpoint is DTLS else CHAT, endpoints=(endpoint,))
    well = {TLS: tls, QUIC: quic, DTLS: dtls}[endpoint](None)
    found = evidence(
        target, here, rounds=2, controls=[control(measurement(target, well))], **{"link": STEADY, **fields}
    )
    assert found.earlier is not None
    return replace(found, earlier=replace(found.earlier, attempts=(earlier or here,)))


BEGUN: list[Any] = [
    pytest.param(TLS, tls(TIMEOUT, bytes_received=1400), "tls_reply_dropped", id="half a flight of TLS"),
    pytest.param(TLS, tls(TIMEOUT, acknowledged=True), "tls_reply_dropped", id="a hello that arrived"),
    pytest.param(QUIC, quic(TIMEOUT, initial=True), "quic_endpoint_dropped", id="an Initial of QUIC"),
    pytest.param(QUIC, quic(TIMEOUT, retry=True), "quic_endpoint_dropped", id="a Retry of QUIC"),
]


@pytest.mark.parametrize(("endpoint", "begun", "rule"), BEGUN)
def test_what_begins_and_stops_on_a_steady_line_is_stopped(endpoint: Endpoint, begun: Attempt, rule: str) -> None:
    assert judge(case(endpoint, begun)).rule == rule


LOSSY = [
    pytest.param({"handshake": "stun", "sends": 2}, id="a neutral request was sent again"),
    pytest.param({"handshake": "tls", "sends": 2}, id="a neutral SYN was sent again"),
]


@pytest.mark.parametrize("in_round", [1, 2])
@pytest.mark.parametrize("change", LOSSY)
@pytest.mark.parametrize(("endpoint", "begun", "rule"), BEGUN)
def test_what_begins_and_stops_where_neutrals_lose_too_accuses_nobody(
    endpoint: Endpoint, begun: Attempt, rule: str, change: dict[str, Any], in_round: int
) -> None:
    link = replace(STEADY, neutrals=tuple(_changed(each, **change) for each in NEUTRALS))
    assert said(in_this_round(case(endpoint, begun), in_round, link)) == ("begun_on_a_lossy_link", State.INSUFFICIENT)


def _changed(each: Neutral, handshake: str, **fields: Any) -> Neutral:
    return replace(each, **fields) if each.handshake == handshake else each


def in_this_round(given_: Evidence, number: int, link: Any) -> Evidence:
    assert given_.earlier is not None
    if number == 1:
        return replace(given_, earlier=replace(given_.earlier, link=link))
    return replace(given_, measurement=replace(given_.measurement, link=link))


def said(given_: Evidence) -> tuple[str, State]:
    verdict = judge(given_)
    return verdict.rule, verdict.state


def test_a_neutral_that_passes_now_and_not_then_is_loss_and_one_that_never_does_hides_no_ban() -> None:
    begun = tls(TIMEOUT, bytes_received=1400)
    dead = replace(neutral("tls", TIMEOUT), target="baseline/elsewhere")
    with_it = replace(STEADY, neutrals=(*NEUTRALS, dead))
    given_ = case(TLS, begun)
    assert judge(in_this_round(given_, 1, with_it)).rule == "begun_on_a_lossy_link"
    assert judge(in_this_round(in_this_round(given_, 1, with_it), 2, with_it)).rule == "tls_reply_dropped"


def test_the_other_family_and_a_dead_other_kind_tell_nothing() -> None:
    begun = tls(TIMEOUT, bytes_received=1400)
    other_family = replace(neutral("stun", port=3478, family=6), sends=3)
    dead_udp = neutral("stun", TIMEOUT, port=19302)
    link = replace(STEADY, neutrals=(*NEUTRALS, other_family, replace(dead_udp, sends=7)))
    assert judge(in_this_round(case(TLS, begun), 2, link)).rule == "tls_reply_dropped"


def test_silence_from_the_start_needs_no_equal() -> None:
    assert judge(case(DTLS, dtls(TIMEOUT, sends=7))).rule == "dtls_endpoint_dropped"


# --- Loss of any pattern ------------------------------------------------------------------------------------------

STAGES: dict[str, list[Attempt]] = {  # how far a handshake got before it stopped
    "tls": [tls(TIMEOUT, bytes_received=n, acknowledged=True) for n in (0, 90, 1400, 4200)]
    + [tls(failure, bytes_received=1400) for failure in (RESET, EOF)],
    "quic": [
        quic(TIMEOUT, **facts) for facts in ({"initial": True}, {"retry": True}, {"initial": True, "retry": True})
    ],
    "dtls": [
        dtls(TIMEOUT, **facts)
        for facts in ({"hello_verify": True}, {"server_hello": True}, {"hello_verify": True, "server_hello": True})
    ],
}
ENDPOINTS = {"tls": TLS, "quic": QUIC, "dtls": DTLS}
OTHER_HELLO = attempt(replace(DTLS, handshake="dtls-browser"), seen(Step.DTLS), grade=Grade.BOUND)
OTHER_NAMES = [
    attempt(replace(QUIC, handshake="quic-other-name"), seen(Step.QUIC), grade=Grade.BOUND),
    attempt(replace(TLS, handshake="tls-other-name"), seen(Step.TCP), seen(Step.TLS), grade=Grade.TRANSPORT),
]


@given(st.data())
def test_a_flight_that_is_lost_in_each_round_accuses_nobody(data: st.DataObject) -> None:
    """Wherever the handshake stops, and whichever experiment came through: a neutral lost something as well."""
    kind = data.draw(st.sampled_from(sorted(STAGES)))
    now, then = (data.draw(st.sampled_from(STAGES[kind])) for _ in "12")
    experiments = data.draw(st.lists(st.sampled_from([OTHER_HELLO, *OTHER_NAMES]), max_size=3))
    lossy = data.draw(st.sampled_from(range(len(NEUTRALS))))
    neutrals = [replace(each, sends=2) if at == lossy else each for at, each in enumerate(NEUTRALS)]
    given_ = case(ENDPOINTS[kind], now, then)
    given_ = replace(given_, measurement=replace(given_.measurement, attempts=(now, *experiments)))
    found = in_this_round(given_, data.draw(st.sampled_from([1, 2])), replace(STEADY, neutrals=tuple(neutrals)))
    assert judge(found).state not in ACCUSING


@given(now=st.sampled_from(STAGES["dtls"]), then=st.sampled_from(STAGES["dtls"]), other=st.booleans())
def test_a_nat_that_rebinds_stops_whatever_takes_longer_than_the_neutral(
    now: Attempt, then: Attempt, other: bool
) -> None:
    given_ = case(DTLS, now, then)
    if other:
        given_ = replace(given_, measurement=replace(given_.measurement, attempts=(now, OTHER_HELLO)))
    assert judge(given_).state not in ACCUSING


# --- What is counted ----------------------------------------------------------------------------------------------


def test_flights_are_counted_by_step() -> None:
    assert flights([seen(Step.TCP), seen(Step.TLS), seen(Step.HTTP)]) == 3
    assert flights([seen(Step.DTLS)]) == 3
    assert flights([]) == 0


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(Step.STUN, stun=StunFacts(sends=3)), 3),
        (seen(Step.HELLO, hello=HelloFacts(sends=2)), 2),
        (replace(seen(Step.TCP), took_us=1_200_000), 2),
        (replace(seen(Step.TLS), took_us=1_200_000), 1),
        (seen(Step.QUIC, quic=QuicFacts(sends=5)), 1),
    ],
)
def test_what_was_said_again_is_counted(observation: Observation, expected: int) -> None:
    assert sends([seen(Step.TCP), observation]) == expected
    assert sends([]) == 1
