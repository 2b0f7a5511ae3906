"""Messengers' own protocols: two forms of one request compared, keys that are not the service's, and impostors."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import EOF, RESET, TIMEOUT, TLS_AUTHORITY, TLS_CERTIFICATE, TLS_HOSTNAME, UNEXPECTED_REPLY
from probe.judge import Evidence, judge
from probe.judge.name.view import names_of
from probe.model import (
    Attempt,
    Endpoint,
    Expect,
    Grade,
    HttpFacts,
    NoiseFacts,
    Observation,
    Plane,
    State,
    Step,
    Target,
    Transport,
    Via,
)
from tests.probe.judge.evidence import (
    FORGED,
    HERE,
    HOST,
    LINK,
    V6,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    says,
    seen,
)

KEYS = Expect(keys=("0102030405060708",))
PLAIN = Endpoint(host=HERE, port=443, transport=Transport.TCP, handshake="mtproto-abridged", expect=KEYS)
HIDDEN = replace(PLAIN, handshake="mtproto-obfuscated")
ELSEWHERE = replace(HIDDEN, host="198.51.100.11")
TELEGRAM = Target(id="service/chat", plane=Plane.SIGNALLING, endpoints=(PLAIN, HIDDEN, ELSEWHERE))
NOISE = Endpoint(host=HOST, port=5222, transport=Transport.TCP, handshake="noise", expect=Expect(keys=("ab" * 32,)))
WHATSAPP = Target(id="service/chat", plane=Plane.SIGNALLING, endpoints=(NOISE,))


def conclusion(given: Evidence) -> tuple[str, State, str | None]:
    verdict = judge(given)
    return verdict.rule, verdict.state, verdict.mechanism


# --- One request in two forms ---------------------------------------------------------------------------------------


def met(where: Endpoint, grade: Grade = Grade.MARKED, **fields: Any) -> Attempt:
    return attempt(where, seen(Step.TCP), seen(Step.MTPROTO), grade=grade, address=where.host, **fields)


def fails(where: Endpoint, failure: str, **fields: Any) -> Attempt:
    return attempt(where, seen(Step.TCP), seen(Step.MTPROTO, failure, **fields), address=where.host)


def telegram(*attempts: Attempt, **fields: Any) -> Evidence:
    well = control(measurement(TELEGRAM, *map(met, TELEGRAM.endpoints)))
    return evidence(TELEGRAM, *attempts, controls=[well], **fields)


@pytest.mark.parametrize("failure", [RESET, EOF])
def test_a_form_that_is_broken_off_where_another_passes(failure: str) -> None:
    given = telegram(fails(PLAIN, failure), met(HIDDEN), rounds=2)
    assert conclusion(given) == ("partial", State.DEGRADED, "partial")
    plain, hidden = judge(given).paths
    assert (plain.rule, plain.state, plain.mechanism) == (
        "payload_recognised_reset",
        State.BLOCKED,
        "tcp.payload.reset",
    )
    assert hidden.state is State.OK


def test_a_form_that_stays_unanswered_where_another_passes() -> None:
    given = telegram(fails(PLAIN, TIMEOUT), met(HIDDEN), rounds=2)
    assert conclusion(given) == ("partial", State.DEGRADED, "partial")
    assert (judge(given).paths[0].rule, judge(given).step) == ("payload_recognised_dropped", Step.MTPROTO)


def test_also_the_hidden_form_may_be_the_one_that_dies() -> None:
    """As under a list of what is allowed."""
    given = telegram(met(PLAIN), fails(HIDDEN, TIMEOUT), rounds=2)
    assert judge(given).paths[1].rule == "payload_recognised_dropped"


@pytest.mark.parametrize(("failure", "rounds", "rule"), [(TIMEOUT, 1, "silence_once"), (RESET, 1, "broken_off_once")])
def test_once_is_not_enough_for_a_comparison(failure: str, rounds: int, rule: str) -> None:
    given = telegram(fails(PLAIN, failure), met(HIDDEN), rounds=rounds)
    assert judge(given).paths[0].rule == rule
    assert judge(given).state is State.OK


def test_what_passed_in_the_first_round_has_not_failed_twice() -> None:
    given = telegram(fails(PLAIN, RESET), met(HIDDEN), rounds=2)
    assert given.earlier is not None
    given = replace(given, earlier=replace(given.earlier, attempts=(met(PLAIN),)))
    assert judge(given).paths[0].rule == "broken_off_once"
    in_other_ways = replace(given, earlier=replace(given.earlier, attempts=(fails(PLAIN, TIMEOUT),)))
    assert judge(in_other_ways).paths[0].rule == "payload_reset"


@pytest.mark.parametrize(
    "other",
    [met(ELSEWHERE), met(replace(HIDDEN, port=80)), met(HIDDEN, Grade.BOUND), fails(HIDDEN, TIMEOUT)],
    ids=["another address", "another port", "without Telegram's mark", "as dead"],
)
def test_what_is_no_comparison(other: Attempt) -> None:
    given = telegram(fails(PLAIN, TIMEOUT), other, rounds=2)
    assert judge(given).paths[0].rule == "payload_dropped"


def test_a_form_that_no_control_got_through_with_is_the_services_matter() -> None:
    """A service that gives up a form answers the other one still."""
    well = control(measurement(TELEGRAM, fails(PLAIN, TIMEOUT), met(HIDDEN)))
    given = replace(telegram(fails(PLAIN, TIMEOUT), met(HIDDEN), rounds=2), controls=(well,))
    assert judge(given).paths[0].rule == "no_control"


def test_half_an_answer_is_no_silence() -> None:
    given = telegram(fails(PLAIN, TIMEOUT, bytes_received=40), met(HIDDEN), rounds=2)
    assert judge(given).paths[0].rule == "unexplained"


def test_a_guess_that_nobody_gets_an_answer_with_hides_nothing() -> None:
    guess = replace(ELSEWHERE, uncalibrated=True)
    target = replace(TELEGRAM, endpoints=(PLAIN, guess))
    well = control(measurement(target, met(PLAIN)))
    given = evidence(target, fails(PLAIN, RESET), fails(guess, TIMEOUT), controls=[well], rounds=2)
    assert conclusion(given) == ("payload_reset", State.LIKELY_BLOCKED, "tcp.payload.reset")
    alone = evidence(replace(target, endpoints=(guess,)), fails(guess, TIMEOUT), controls=[well], rounds=2)
    assert judge(alone).rule == "uncalibrated"


# --- Keys that are not the service's --------------------------------------------------------------------------------


def noise(failure: str | None = None, address: str = HERE, leaf: str = "aa", **fields: Any) -> Attempt:
    grade = fields.pop("grade", None if failure else Grade.CRYPTO)
    via = fields.pop("via", Via.SYSTEM)
    observation = seen(Step.NOISE, failure, noise=NoiseFacts(leaf_sha256=leaf * 32), **fields)
    return attempt(NOISE, seen(Step.TCP), observation, address=address, grade=grade, via=via)


def whatsapp(*attempts: Attempt, here: str = HERE, elsewhere: str = HERE, **fields: Any) -> Evidence:
    """The link's own resolver gives `here`, the control's gives `elsewhere`, where the service proves its key."""
    well = control(measurement(WHATSAPP, noise(address=elsewhere), resolutions=(says(elsewhere),)))
    fields.setdefault("resolutions", (says(here),))
    return evidence(WHATSAPP, *attempts, controls=fields.pop("controls", [well]), **fields)


def test_a_key_that_is_proved_is_ok_at_any_address() -> None:
    verdict = judge(whatsapp(noise()))
    assert (verdict.state, verdict.grade) == (State.OK, Grade.CRYPTO)


def test_a_bound_answer_is_not_the_services() -> None:
    assert conclusion(whatsapp(noise(grade=Grade.BOUND))) == ("other_mark", State.INSUFFICIENT, None)


def test_another_key_at_an_address_that_proves_the_services_elsewhere() -> None:
    given = whatsapp(noise(TLS_AUTHORITY, leaf="bb"), rounds=2)
    assert conclusion(given) == ("tls_mitm", State.BLOCKED, "tls.mitm")


def test_another_key_at_an_address_that_nobody_reached_elsewhere() -> None:
    """A service that begins to use a new root somewhere has its fault, and no censor."""
    given = whatsapp(noise(TLS_AUTHORITY, leaf="bb"), elsewhere="198.51.100.20", resolutions=(), neighbours={})
    assert conclusion(given) == ("regional_fault_not_excluded", State.IMPAIRED, None)


def test_another_key_at_an_address_that_the_resolver_made_up() -> None:
    given = whatsapp(
        noise(TLS_AUTHORITY, FORGED, "bb"),
        noise(address=HERE, via=Via.INDEPENDENT),
        here=FORGED,
        rounds=2,
    )
    assert conclusion(given) == ("name_forged", State.BLOCKED, "dns.forged")


def test_the_same_chain_elsewhere_is_the_services_own_fault() -> None:
    broken = noise(TLS_AUTHORITY, leaf="cc")
    controls = [control(measurement(WHATSAPP, broken), 1), control(measurement(WHATSAPP, noise()), 2)]
    assert judge(whatsapp(broken, controls=controls)).rule == "same_certificate_elsewhere"


def test_certificates_out_of_date_accuse_nobody() -> None:
    assert conclusion(whatsapp(noise(TLS_CERTIFICATE, leaf="bb"))) == ("certificate_expired", State.IMPAIRED, None)
    unmeasured = whatsapp(noise(TLS_CERTIFICATE, leaf="bb"), clock_offset_ms=None)
    assert judge(unmeasured).rule == "clock_unmeasured"


def test_a_link_on_which_certificates_are_replaced_for_all() -> None:
    link = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TLS_AUTHORITY, port=8443)))
    assert judge(whatsapp(noise(TLS_AUTHORITY, leaf="bb"), link=link)).mechanism == "local.tls"


# --- Everybody else -------------------------------------------------------------------------------------------------


def web_server(address: str = FORGED, page: HttpFacts | None = None, via: Via = Via.SYSTEM) -> Attempt:
    observation: Observation = seen(Step.NOISE, UNEXPECTED_REPLY, http=page)
    return attempt(NOISE, seen(Step.TCP), observation, address=address, via=via)


PAGE = HttpFacts(status=400)


def test_a_web_server_where_the_resolver_leads_and_the_service_where_others_lead() -> None:
    given = whatsapp(web_server(page=PAGE), noise(via=Via.INDEPENDENT), here=FORGED, rounds=2)
    assert conclusion(given) == ("name_forged", State.BLOCKED, "dns.forged")


@pytest.mark.parametrize(
    "attempts",
    [
        (web_server(page=PAGE), web_server(HERE, PAGE, Via.INDEPENDENT)),
        (web_server(), noise(via=Via.INDEPENDENT)),
        (web_server(page=PAGE),),
    ],
    ids=["it answers at every address", "it is no web server", "the service was not met"],
)
def test_what_answers_otherwise_and_does_not_show_a_forged_name(attempts: tuple[Attempt, ...]) -> None:
    given = whatsapp(*attempts, here=FORGED)
    assert names_of(given, WHATSAPP).forged == set()
    assert judge(given).state is State.IMPAIRED


def certificate(failure: str | None, address: str = FORGED, via: Via = Via.SYSTEM) -> Attempt:
    """The experiment of the second round."""
    where = Endpoint(host=HOST, port=443, transport=Transport.TCP, handshake="tls")
    grade = None if failure else Grade.BOUND
    return attempt(where, seen(Step.TCP), seen(Step.TLS, failure), address=address, via=via, grade=grade)


ASTRAY = (noise(EOF, FORGED), noise(via=Via.INDEPENDENT))


def test_a_stranger_who_shows_a_certificate_of_his_own_is_not_the_service() -> None:
    given = whatsapp(*ASTRAY, certificate(TLS_AUTHORITY), here=FORGED, rounds=2)
    assert conclusion(given) == ("name_forged", State.BLOCKED, "dns.forged")


@pytest.mark.parametrize(
    "experiments",
    [
        (),
        (certificate(TIMEOUT),),
        (certificate(None),),
        (certificate(TLS_HOSTNAME),),
        (certificate(TLS_AUTHORITY), certificate(TLS_AUTHORITY, HERE, Via.INDEPENDENT)),
    ],
    ids=[
        "none was made",
        "it said nothing",
        "it is the service's",
        "it is another customer's",
        "the service shows it too",
    ],
)
def test_experiments_that_show_no_stranger(experiments: tuple[Attempt, ...]) -> None:
    given = whatsapp(*ASTRAY, *experiments, here=FORGED, rounds=2)
    assert judge(given).state is State.IMPAIRED


def test_the_same_stranger_in_both_families_is_one() -> None:
    given = whatsapp(*ASTRAY, certificate(TLS_AUTHORITY), certificate(TLS_AUTHORITY, V6), here=FORGED)
    assert names_of(given, WHATSAPP).forged == {(HOST, FORGED)}


def test_where_all_certificates_are_replaced_none_shows_a_stranger() -> None:
    link = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TLS_AUTHORITY, port=8443)))
    given = whatsapp(*ASTRAY, certificate(TLS_AUTHORITY), here=FORGED, link=link)
    assert judge(given).state is State.IMPAIRED


def test_a_proxy_that_takes_every_connection_accuses_nobody() -> None:
    assert conclusion(whatsapp(web_server(HERE, PAGE))) == ("payload_answered_by_another", State.IMPAIRED, None)


def test_a_block_page_settles_it() -> None:
    page = HttpFacts(status=200, fingerprint="wall")
    assert conclusion(whatsapp(web_server(HERE, page), rounds=2)) == ("blockpage", State.BLOCKED, "http.blockpage")
