"""A timeout during which datagrams came that answered nothing is not plain silence, and accuses nobody."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import TIMEOUT
from probe.judge import judge
from probe.model import (
    DtlsFacts,
    Endpoint,
    HelloFacts,
    Observation,
    Plane,
    QuicFacts,
    SipFacts,
    State,
    Step,
    StunFacts,
    Target,
    Transport,
)
from tests.probe.judge import evidence as E

ACCUSES = frozenset({State.BLOCKED, State.LIKELY_BLOCKED})
KINDS: list[tuple[str, Step, Any]] = [
    ("stun", Step.STUN, StunFacts),
    ("turn", Step.TURN, StunFacts),
    ("sip", Step.SIP, SipFacts),
    ("zoom", Step.HELLO, HelloFacts),
    ("quic", Step.QUIC, QuicFacts),
    ("dtls", Step.DTLS, DtlsFacts),
]
FIELD = {StunFacts: "stun", SipFacts: "sip", HelloFacts: "hello", QuicFacts: "quic", DtlsFacts: "dtls"}
kinds = pytest.mark.parametrize(("handshake", "step", "facts"), KINDS)
LINK = replace(E.LINK, neutrals=(*E.NEUTRALS, *(E.neutral(name) for name in ("quic", "dtls", "sip", "turn", "zoom"))))


def of(handshake: str) -> tuple[Target, Endpoint]:
    where = Endpoint(host=E.HERE, port=443, transport=Transport.UDP, handshake=handshake)
    return Target(id="service/call", plane=Plane.MEDIA, endpoints=(where,)), where


def silence(step: Step, facts: Any, unmatched: int) -> Observation:
    return E.seen(step, TIMEOUT, **{FIELD[facts]: facts(sends=7, unmatched=unmatched)})


def judged(handshake: str, *seen: Observation) -> Any:
    """Round 1 and 2 as given; controls get through."""
    target, where = of(handshake)
    well = E.control(E.measurement(target, E.attempt(where, E.seen(seen[0].step), grade="bound")))
    first, second = (
        E.measurement(target, E.attempt(where, each), round=n, link=LINK) for n, each in enumerate(seen, 1)
    )
    given = E.evidence(target, E.attempt(where, seen[1]), rounds=2, link=LINK, controls=[well])
    return judge(replace(given, measurement=second, earlier=first))


@kinds
@pytest.mark.parametrize("strangers", [(1, 0), (0, 1), (7, 7)])
def test_what_is_not_plain_silence_accuses_nobody(
    handshake: str, step: Step, facts: Any, strangers: tuple[int, int]
) -> None:
    verdict = judged(handshake, *(silence(step, facts, number) for number in strangers))
    assert verdict.state not in ACCUSES
    plain = judged(handshake, silence(step, facts, 0), silence(step, facts, 0))
    if plain.state in ACCUSES:
        assert (verdict.state, verdict.rule, verdict.mechanism) == (State.IMPAIRED, "unmatched_replies", None)


@kinds
@pytest.mark.parametrize("failure", [TIMEOUT, "unexpected_reply"])
def test_controls_that_got_an_answer_of_some_kind_make_nothing_down(
    handshake: str, step: Step, facts: Any, failure: str
) -> None:
    target, where = of(handshake)
    seen = replace(silence(step, facts, 3), failure=failure)
    failing = [E.control(E.measurement(target, E.attempt(where, seen)), number) for number in (1, 2, 3)]
    plain = E.attempt(where, silence(step, facts, 0))
    assert judge(E.evidence(target, plain, rounds=2, link=LINK, controls=failing)).state is State.INSUFFICIENT


def test_plain_silence_still_counts() -> None:
    plain = silence(Step.TURN, StunFacts, 0)
    assert judged("turn", plain, plain).state in ACCUSES
