"""Whatever failed: once accuses nobody, and an innocent explanation never makes a verdict stronger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from probe import failure
from probe.failure import EOF, HOST_UNREACHABLE, REFUSED, RESET, TIMEOUT, TLS_AUTHORITY, TLS_HOSTNAME, UNEXPECTED_REPLY
from probe.judge import Evidence, judge
from probe.model import (
    Attempt,
    DtlsFacts,
    Endpoint,
    Grade,
    HttpFacts,
    IcmpFacts,
    Observation,
    Plane,
    QuicFacts,
    State,
    Step,
    Target,
    TlsFacts,
    Transport,
    Verdict,
)
from tests.probe.judge.evidence import HERE, HOST, LINK, STARTED_MS, control, evidence, measurement, neutral, says, seen
from tests.probe.judge.test_location import HOME, SILENT, beside, sweep

ACCUSING = {State.BLOCKED, State.LIKELY_BLOCKED}
FAILURES = sorted(
    value for name, value in vars(failure).items() if name.isupper() and isinstance(value, str) and "_" in value
)
PLACES = [  # transport, handshake, its steps
    (Transport.TCP, "tls", (Step.TCP, Step.TLS)),
    (Transport.TCP, "noise", (Step.TCP, Step.NOISE)),
    (Transport.TCP, "mtproto-abridged", (Step.TCP, Step.MTPROTO)),
    (Transport.TCP, "http", (Step.TCP, Step.HTTP)),
    (Transport.TLS, "http", (Step.TCP, Step.TLS, Step.HTTP)),
    (Transport.WSS, "noise", (Step.TCP, Step.TLS, Step.WEBSOCKET, Step.NOISE)),
    (Transport.UDP, "turn", (Step.TURN,)),
    (Transport.UDP, "quic", (Step.QUIC, Step.HTTP)),
    (Transport.UDP, "dtls", (Step.DTLS,)),
    (Transport.UDP, "sip-echo", (Step.SIP,)),
]
NEUTRAL_QUIC = replace(neutral("quic"), transport=Transport.UDP, flights=1)
NEUTRAL_DTLS = replace(neutral("stun", port=5349), handshake="dtls", flights=3)
WELL = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", port=853), NEUTRAL_QUIC, NEUTRAL_DTLS))
EXPERIMENTS = ("tls-other-name", "stun-padded", "quic-other-name", "dtls-browser", "sip-twin", "mtproto-obfuscated")


def facts(draw: st.DrawFn, step: Step) -> dict[str, Any]:
    """What else may be seen of a step that failed, likely or not."""
    found: dict[str, Any] = {"bytes_received": draw(st.sampled_from([0, 0, 90]))}
    if step in (Step.TLS, Step.QUIC, Step.DTLS):
        issuer = draw(st.sampled_from([None, "bb" * 32, "dd" * 32]))
        contradicted, acknowledged = draw(st.booleans()), draw(st.sampled_from([None, True]))
        found["tls"] = TlsFacts(
            leaf_sha256="cc" * 32, issuer_sha256=issuer, contradicted=contradicted, hello_acknowledged=acknowledged
        )
    if step is Step.QUIC:
        found["quic"] = QuicFacts(initial=draw(st.booleans()))
    if step is Step.DTLS:
        found["dtls"] = DtlsFacts(hello_verify=draw(st.booleans()))
    if step is Step.HTTP:
        found["http"] = draw(st.sampled_from([None, HttpFacts(status=403), HttpFacts(status=200, fingerprint="wall")]))
    if draw(st.integers(0, 4)) == 0:
        found["icmp"] = IcmpFacts(type=3, code=3, from_target=draw(st.booleans()))
    return found


@st.composite
def cases(draw: st.DrawFn) -> Evidence:
    """A line that fails in some way in two rounds, beside experiments that came out somehow, all else being well."""
    transport, handshake, steps = draw(st.sampled_from(PLACES))
    where = Endpoint(host=HOST, port=draw(st.sampled_from([443, 5222])), transport=transport, handshake=handshake)
    target = Target(id="service/chat", plane=Plane.SIGNALLING, endpoints=(where,))
    failures = st.sampled_from([TIMEOUT, RESET, EOF, REFUSED, HOST_UNREACHABLE, TLS_AUTHORITY, TLS_HOSTNAME, *FAILURES])

    def tried(name: str, *observations: Observation, grade: Grade | None = None) -> Attempt:
        return Attempt(
            host=HOST, port=where.port, transport=transport, handshake=name, address=HERE, grade=grade, via="system",  # type: ignore[arg-type]
            observations=observations,
        )  # fmt: skip

    def failed() -> Attempt:
        at = draw(st.integers(0, len(steps) - 1))
        return tried(handshake, *map(seen, steps[:at]), seen(steps[at], draw(failures), **facts(draw, steps[at])))

    others = draw(st.lists(st.sampled_from(EXPERIMENTS), unique=True, max_size=3))
    now, then = failed(), failed()
    if draw(st.booleans()):
        then = now
    passing = [tried(name, seen(steps[-1]), grade=Grade.BOUND) for name in others]
    genuine = tried(handshake, *map(seen, steps), grade=Grade.CRYPTO)
    shown = [
        replace(each, tls=TlsFacts(leaf_sha256="aa" * 32, issuer_sha256="bb" * 32)) for each in genuine.observations
    ]
    well = measurement(target, replace(genuine, observations=tuple(shown)), resolutions=(says(HERE),), link=WELL)
    found = evidence(
        target, now, *passing, rounds=2, link=WELL, resolutions=(says(HERE),),
        controls=[control(well, number) for number in (1, 2)],
    )  # fmt: skip
    assert found.earlier is not None
    return replace(found, earlier=replace(found.earlier, attempts=(then, *passing)))


def linked(given_: Evidence, **fields: Any) -> Evidence:
    link = replace(given_.measurement.link, **fields)
    return replace(given_, measurement=replace(given_.measurement, link=link))


def with_failing_controls(given_: Evidence) -> Evidence:
    """None got through; that makes it down, or not known, and never a ban."""
    broken = [
        replace(each, measurement=replace(each.measurement, attempts=tuple(map(_broken, each.measurement.attempts))))
        for each in given_.controls
    ]
    return replace(given_, controls=tuple(broken))


def _broken(attempt: Attempt) -> Attempt:
    step = attempt.observations[0].step
    return replace(attempt, grade=None, observations=(seen(step, TIMEOUT),))


def at_home(given_: Evidence) -> Evidence:
    """The first packet dies before the first public router, and a neutral one does not."""
    (attempt, *_) = given_.measurement.attempts
    step = attempt.observations[-1].step
    over = Transport.UDP if attempt.transport is Transport.UDP else Transport.TCP
    place = {"host": attempt.host, "port": attempt.port, "transport": over}
    mine = [sweep(each, HOME, *[SILENT] * 5, **place) for each in dict.fromkeys((Step.TCP, step))]
    neutrals = [each for kind in (Step.TLS, Step.STUN) for each in beside(kind)]
    return replace(given_, measurement=replace(given_.measurement, sweeps=(*mine, *neutrals)))


EXPLANATIONS: dict[str, Callable[[Evidence], Evidence]] = {
    "once": lambda given_: replace(given_, earlier=None),
    "it passed before": lambda given_: replace(given_, earlier=given_.controls[0].measurement),
    "no control": lambda given_: replace(given_, controls=()),
    "one control": lambda given_: replace(given_, controls=given_.controls[:1]),
    "failing controls": with_failing_controls,
    "no neutral": lambda given_: linked(given_, neutrals=()),
    "dead neutrals": lambda given_: linked(
        given_, neutrals=tuple(replace(each, failure=TIMEOUT) for each in given_.measurement.link.neutrals)
    ),
    "lossy neutrals": lambda given_: linked(
        given_, neutrals=tuple(replace(each, sends=2) for each in given_.measurement.link.neutrals)
    ),
    "neutral certificates replaced": lambda given_: linked(
        given_, neutrals=(*given_.measurement.link.neutrals, neutral("tls", TLS_AUTHORITY, port=8443))
    ),
    "an old list of authorities": lambda given_: linked(given_, trust_store_ms=STARTED_MS - 900 * 86_400_000),
    "at home": at_home,
}


def strength(verdict: Verdict) -> int:
    return {State.LIKELY_BLOCKED: 1, State.BLOCKED: 2}.get(verdict.state, 0)


@given(cases())
@settings(max_examples=300)
def test_once_accuses_nobody(found: Evidence) -> None:
    assert judge(replace(found, earlier=None)).state not in ACCUSING


@given(cases(), st.lists(st.sampled_from(sorted(EXPLANATIONS)), min_size=1, max_size=3, unique=True))
@settings(max_examples=400)
def test_an_innocent_explanation_never_makes_it_stronger(found: Evidence, names: list[str]) -> None:
    before = judge(found)
    for name in names:
        if name == "it passed before" and not found.controls:
            continue
        found = EXPLANATIONS[name](found)
    assert strength(judge(found)) <= strength(before)


@given(cases())
@settings(max_examples=200)
def test_an_answer_that_is_no_silence_is_never_called_one(found: Evidence) -> None:
    """What speaks another protocol, or refuses in its own, accuses nobody, in however many rounds."""
    (mine, *others) = found.measurement.attempts
    last = replace(mine.observations[-1], failure=UNEXPECTED_REPLY, http=None)
    spoken = replace(mine, observations=(*mine.observations[:-1], last))
    again = replace(found.measurement, attempts=(spoken, *others))
    assert judge(replace(found, measurement=again, earlier=replace(again, round=1))).state not in ACCUSING
