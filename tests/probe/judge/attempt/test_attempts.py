"""Each rule of an attempt is fired by a case, and each innocent explanation disarms the accusations below it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import (
    EOF,
    HOST_UNREACHABLE,
    PERMISSION_DENIED,
    PROHIBITED,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS_AUTHORITY,
    TLS_CERTIFICATE,
    TLS_FAILED,
    TLS_HOSTNAME,
    UNEXPECTED_REPLY,
)
from probe.judge import Evidence, judge
from probe.judge.evidence import Neighbours
from probe.model import (
    Attempt,
    Expect,
    Grade,
    HttpFacts,
    IcmpFacts,
    Link,
    NotAttempted,
    SipFacts,
    State,
    Step,
    Target,
    TlsFacts,
    Transport,
    Via,
)
from tests.probe.judge.evidence import (
    CALL,
    CHAT,
    HERE,
    LINK,
    STUN,
    TCP,
    TLS,
    TURN,
    V6,
    attempt,
    control,
    evidence,
    measurement,
    neutral,
    other_name,
    says,
    seen,
    tcp_fails,
    tls_fails,
    tls_ok,
    turn_fails,
    turn_ok,
)

OTHER = "cc" * 32


def conclusion(given: Evidence) -> tuple[str, str, str | None]:
    verdict = judge(given)
    return verdict.rule, verdict.state, verdict.mechanism


ACCUSATIONS = [
    pytest.param(tls_fails(RESET), 2, "tls_reset", State.LIKELY_BLOCKED, "tls.sni.reset", id="reset after hello"),
    pytest.param(tls_fails(EOF), 2, "tls_reset", State.LIKELY_BLOCKED, "tls.sni.reset", id="closed after hello"),
    pytest.param(tls_fails(TIMEOUT), 2, "tls_hello_dropped", State.LIKELY_BLOCKED, "tls.sni.drop", id="hello dropped"),
    pytest.param(
        tls_fails(TIMEOUT, received=90), 2, "tls_reply_dropped", State.LIKELY_BLOCKED, "tls.reply.drop", id="reply cut"
    ),
    pytest.param(tls_fails(TLS_HOSTNAME, leaf=OTHER), 2, "tls_mitm", State.BLOCKED, "tls.mitm", id="other name"),
    pytest.param(tls_fails(TLS_AUTHORITY, leaf=OTHER), 2, "tls_mitm", State.BLOCKED, "tls.mitm", id="other authority"),
    pytest.param(tcp_fails(TIMEOUT), 2, "ip_drop", State.LIKELY_BLOCKED, "ip.drop", id="SYN dropped"),
    pytest.param(tcp_fails(REFUSED), 2, "ip_reset", State.LIKELY_BLOCKED, "ip.reset", id="SYN reset"),
    pytest.param(tcp_fails(HOST_UNREACHABLE), 2, "ip_reject", State.LIKELY_BLOCKED, "ip.reject", id="ICMP"),
]


@pytest.mark.parametrize(("failed", "rounds", "rule", "state", "mechanism"), ACCUSATIONS)
def test_accuses(failed: Attempt, rounds: int, rule: str, state: State, mechanism: str) -> None:
    assert conclusion(evidence(CHAT, failed, other_name(), rounds=rounds)) == (rule, state, mechanism)


@pytest.mark.parametrize(
    ("failed", "rule", "mechanism"),
    [
        (tls_fails(RESET), "tls_broken_off", "tcp.payload.reset"),
        (tls_fails(EOF), "tls_broken_off", "tcp.payload.reset"),
        (tls_fails(TIMEOUT), "tls_unanswered", "tcp.payload.drop"),
    ],
)
@pytest.mark.parametrize(
    "beside",
    [
        (),
        (other_name(RESET),),
        (other_name(TIMEOUT),),
        (other_name(address="198.51.100.11"),),
        (replace(other_name(), port=8443),),
        (replace(other_name(), transport=Transport.TLS),),
    ],
    ids=["not tried", "reset as well", "silent as well", "elsewhere", "another port", "another transport"],
)
def test_what_follows_the_name_is_told_by_another_name_there(
    failed: Attempt, rule: str, mechanism: str, beside: tuple[Attempt, ...]
) -> None:
    given = evidence(CHAT, failed, *beside, rounds=2)
    assert conclusion(given) == (rule, State.LIKELY_BLOCKED, mechanism)


def test_a_visit_that_is_punished_is_told_from_an_address_that_is_dropped() -> None:
    """First TCP opens and TLS stays silent; later not even TCP opens."""
    earlier = measurement(CHAT, tls_fails(TIMEOUT))
    given = replace(evidence(CHAT, tcp_fails(TIMEOUT), rounds=2), earlier=earlier)
    assert conclusion(given) == ("residual", State.LIKELY_BLOCKED, "residual")


def test_a_hello_that_was_acknowledged_was_not_dropped() -> None:
    facts = TlsFacts(hello_bytes=300, hello_acknowledged=True)
    silent = attempt(TLS, seen(Step.TCP), seen(Step.TLS, TIMEOUT, tls=facts))
    found = ("tls_reply_dropped", State.LIKELY_BLOCKED, "tls.reply.drop")
    assert conclusion(evidence(CHAT, silent, rounds=2)) == found


INNOCENT = [
    pytest.param({"controls": ()}, id="no control"),
    pytest.param({"controls": (control(measurement(CHAT, tcp_fails(TIMEOUT))),)}, id="one control that failed too"),
    pytest.param({"link": replace(LINK, neutrals=())}, id="no neutral to compare with"),
    pytest.param(
        {"link": replace(LINK, neutrals=(neutral("tls", RESET), neutral("http", RESET), neutral("tcp", RESET)))},
        id="neutral services fail alike",
    ),
    pytest.param({"link": replace(LINK, neutrals=(neutral("tls", TLS_AUTHORITY),))}, id="antivirus on the line"),
]


@pytest.mark.parametrize("changed", INNOCENT)
@pytest.mark.parametrize(("failed", "rounds", "rule", "state", "mechanism"), ACCUSATIONS)
def test_innocent_explanations_disarm(
    failed: Attempt, rounds: int, rule: str, state: State, mechanism: str, changed: dict[str, Any]
) -> None:
    found = judge(evidence(CHAT, failed, other_name(), rounds=rounds, **changed))
    if rule == "tls_mitm" and "link" in changed and not any(each.failure for each in changed["link"].neutrals):
        assert found.state is State.BLOCKED  # another's certificate is an artefact: it needs no comparison of failures
    else:
        assert found.state in (State.INSUFFICIENT, State.IMPAIRED), found


@pytest.mark.parametrize("failed", [tls_fails(TIMEOUT), tcp_fails(TIMEOUT)])
def test_silence_in_one_round_is_insufficient(failed: Attempt) -> None:
    assert conclusion(evidence(CHAT, failed)) == ("silence_once", State.INSUFFICIENT, None)


@pytest.mark.parametrize("failed", [tls_fails(RESET), tls_fails(EOF), tcp_fails(REFUSED), tcp_fails(RESET)])
def test_a_connection_that_is_broken_off_once_is_insufficient(failed: Attempt) -> None:
    """As by a server that is too busy, or is being restarted."""
    assert conclusion(evidence(CHAT, failed)) == ("broken_off_once", State.INSUFFICIENT, None)
    given = evidence(CHAT, failed, rounds=2)
    worked = replace(given, earlier=measurement(CHAT, tls_ok()))
    assert judge(worked).rule == "broken_off_once"
    misread = replace(given, earlier=measurement(CHAT, tls_fails(TLS_FAILED)))
    assert judge(misread).rule == "broken_off_once"


def test_who_broke_off_and_then_drops_everything_did_it_twice() -> None:
    """The Great Firewall's way: a reset, and silence towards the same address for some minutes."""
    given = replace(evidence(CHAT, tcp_fails(TIMEOUT), rounds=2), earlier=measurement(CHAT, tls_fails(RESET)))
    assert conclusion(given) == ("residual", State.LIKELY_BLOCKED, "residual")


def test_silence_counts_only_where_it_was_silent_before() -> None:
    given = evidence(CHAT, tls_fails(TIMEOUT), rounds=2)
    assert given.earlier is not None
    worked = replace(given, earlier=replace(given.earlier, attempts=(tls_ok(),)))
    assert judge(worked).rule == "silence_once"


def test_an_address_that_nobody_else_reached_may_be_a_regional_fault() -> None:
    elsewhere = control(measurement(CHAT, tls_ok(address="198.51.100.11")))
    given = evidence(CHAT, tls_fails(RESET), controls=(elsewhere,), neighbours={})
    assert conclusion(given) == ("regional_fault_not_excluded", State.IMPAIRED, None)


@pytest.mark.parametrize(("lines", "state"), [(0, State.IMPAIRED), (1, State.IMPAIRED), (2, State.LIKELY_BLOCKED)])
def test_an_address_that_others_of_the_country_reached_is_no_regional_fault(lines: int, state: State) -> None:
    """No single line of another operator turns what is unclear into an accusation."""
    elsewhere = control(measurement(CHAT, tls_ok(address="198.51.100.11")))
    neighbours = {HERE: Neighbours(reached=lines)}
    given = evidence(CHAT, tls_fails(RESET), rounds=2, controls=(elsewhere,), neighbours=neighbours)
    assert judge(given).state is state


ALSO = control(measurement(CHAT, tls_ok(address="198.51.100.11"), tls_ok(via=Via.ALSO)))


@pytest.mark.parametrize(
    ("failed", "rounds", "mechanism"),
    [(tcp_fails(TIMEOUT), 2, "ip.drop"), (tls_fails(RESET), 2, "tcp.payload.reset")],
)
def test_an_address_that_a_control_reached_only_because_others_failed_there(
    failed: Attempt, rounds: int, mechanism: str
) -> None:
    without = control(measurement(CHAT, tls_ok(address="198.51.100.11")))
    given = evidence(CHAT, failed, rounds=rounds, controls=(without,), neighbours={})
    assert judge(given).rule == "regional_fault_not_excluded"
    answered = replace(given, controls=(ALSO,))
    assert judge(answered).rule == "routing_or_service_not_excluded"
    reached = replace(answered, neighbours={HERE: Neighbours(reached=2)})
    assert conclusion(reached)[1:] == (State.LIKELY_BLOCKED, mechanism)


def test_an_address_at_which_others_failed_is_no_path_of_this_line() -> None:
    verdict = judge(evidence(CHAT, tls_fails(RESET), tls_ok(address="198.51.100.11", via=Via.ALSO), rounds=2))
    assert (verdict.state, len(verdict.paths)) == (State.LIKELY_BLOCKED, 1)
    assert judge(evidence(CHAT, tls_ok(), tls_fails(RESET, address=V6, via=Via.ALSO))).state is State.OK


def test_what_answers_at_other_addresses_does_not_hide_that_it_was_silent_twice() -> None:
    beside = [tls_ok(address="198.51.100.11", via=via) for via in (Via.INDEPENDENT, Via.ALSO)]
    assert judge(evidence(CHAT, tcp_fails(TIMEOUT), *beside, rounds=2)).rule == "ip_drop"


def test_a_control_that_failed_only_where_others_failed_does_not_make_it_down() -> None:
    beside = [tcp_fails(TIMEOUT, via=Via.ALSO)]
    controls_ = [control(measurement(CHAT, *beside), number) for number in (1, 2)]
    assert judge(evidence(CHAT, tls_fails(RESET), controls=controls_)).rule == "no_control"


def failing_controls(*failures: Attempt) -> list[Any]:
    return [control(measurement(CHAT, failed), number) for number, failed in enumerate(failures, start=1)]


def test_two_controls_in_different_networks_that_failed_make_it_down() -> None:
    given = evidence(CHAT, tls_fails(RESET), controls=failing_controls(tcp_fails(TIMEOUT), tcp_fails(REFUSED)))
    assert conclusion(given) == ("down", State.DOWN, None)


def test_two_controls_in_the_same_network_are_one() -> None:
    same = [control(measurement(CHAT, tcp_fails(TIMEOUT))), control(measurement(CHAT, tcp_fails(TIMEOUT)))]
    assert judge(evidence(CHAT, tls_fails(RESET), controls=same)).rule == "no_control"


def test_one_bad_control_among_good_ones_hides_nothing() -> None:
    good = [control(measurement(CHAT, tls_ok()), number) for number in (2, 3)]
    mixed = [*failing_controls(tcp_fails(TIMEOUT)), *good]
    assert judge(evidence(CHAT, tls_fails(RESET), rounds=2, controls=mixed)).state is State.LIKELY_BLOCKED


@pytest.mark.parametrize("failing", [1, 2])
def test_controls_that_disagree_leave_a_fault_of_the_service_open(failing: int) -> None:
    mixed = [*failing_controls(*[tcp_fails(TIMEOUT)] * failing), control(measurement(CHAT, tls_ok()), 3)]
    given = evidence(CHAT, tls_fails(RESET), controls=mixed)
    assert conclusion(given) == ("controls_disagree", State.IMPAIRED, None)


def test_inspection_of_all_tls_breaks_a_connection_off() -> None:
    link = replace(LINK, neutrals=(neutral("tls", TLS_AUTHORITY),))
    assert conclusion(evidence(CHAT, tls_fails(RESET), link=link)) == ("tls_read_for_all", State.IMPAIRED, "local.tls")


def test_certificates_out_of_date_for_all_are_the_clocks() -> None:
    link = replace(LINK, neutrals=(neutral("tls", TLS_CERTIFICATE),))
    given = evidence(CHAT, tls_fails(TLS_CERTIFICATE, leaf=OTHER), link=link, clock_offset_ms=None)
    assert conclusion(given) == ("clock_out_of_date", State.INSUFFICIENT, None)


def test_a_rejection_counts_once_it_repeats() -> None:
    assert conclusion(evidence(CHAT, tcp_fails(HOST_UNREACHABLE))) == ("silence_once", State.INSUFFICIENT, None)


@pytest.mark.parametrize("link", [Link(up=False), replace(LINK, void="portal")])
def test_a_control_without_a_sound_link_says_nothing(link: Link) -> None:
    broken = [control(replace(measurement(CHAT, tls_ok()), link=link))]
    assert judge(evidence(CHAT, tls_fails(RESET), controls=broken)).rule == "no_control"


def test_the_same_certificate_elsewhere_is_the_services_fault() -> None:
    expired = control(measurement(CHAT, tls_fails(TLS_CERTIFICATE, leaf=OTHER)))
    given = evidence(CHAT, tls_fails(TLS_CERTIFICATE, leaf=OTHER), controls=(expired,))
    assert conclusion(given) == ("same_certificate_elsewhere", State.IMPAIRED, None)


def test_a_certificate_that_only_expired_is_nobody_elses() -> None:
    given = evidence(CHAT, tls_fails(TLS_CERTIFICATE, leaf=OTHER))
    assert conclusion(given) == ("certificate_expired", State.IMPAIRED, None)


def test_another_customers_certificate_at_an_edge_that_nobody_else_reached() -> None:
    elsewhere = control(measurement(CHAT, tls_ok(address="198.51.100.11"), resolutions=(says(HERE),)))
    given = evidence(CHAT, tls_fails(TLS_HOSTNAME, leaf=OTHER), controls=(elsewhere,), neighbours={})
    assert conclusion(given) == ("regional_fault_not_excluded", State.IMPAIRED, None)


def test_icmpv6_prohibited_comes_from_the_way() -> None:
    link = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", family=6)))
    controls = (control(measurement(CHAT, tls_ok(address=V6))),)
    given = evidence(CHAT, tcp_fails(PROHIBITED, address=V6), rounds=2, link=link, controls=controls)
    assert conclusion(given) == ("ip_reject", State.LIKELY_BLOCKED, "ip.reject")


def test_a_device_without_a_checked_clock_cannot_call_a_certificate_invalid() -> None:
    given = evidence(CHAT, tls_fails(TLS_CERTIFICATE, leaf=OTHER), clock_offset_ms=None)
    assert conclusion(given) == ("clock_unmeasured", State.INSUFFICIENT, None)


def test_a_tls_alert_accuses_nobody() -> None:
    assert conclusion(evidence(CHAT, tls_fails(TLS_FAILED, received=7))) == ("tls_refused", State.IMPAIRED, None)


def test_a_local_firewall() -> None:
    assert conclusion(evidence(CHAT, tcp_fails(PERMISSION_DENIED)))[1:] == (State.IMPAIRED, "local.firewall")


def test_a_known_block_page_settles_it_alone() -> None:
    page = attempt(TLS, seen(Step.HTTP, "http_unexpected_status_code", http=HttpFacts(fingerprint="a country's")))
    assert conclusion(evidence(CHAT, page, rounds=2, controls=())) == ("blockpage", State.BLOCKED, "http.blockpage")
    assert conclusion(evidence(CHAT, page, controls=())) == ("blockpage_once", State.INSUFFICIENT, None)


def test_what_no_rule_explains_accuses_nobody() -> None:
    assert conclusion(evidence(CHAT, tcp_fails("message_size"))) == ("unexplained", State.INSUFFICIENT, None)


def test_an_uncalibrated_endpoint_is_judged_only_while_controls_get_its_answer() -> None:
    inferred = replace(CHAT, endpoints=(replace(TLS, uncalibrated=True),))
    failed = evidence(CHAT, tls_fails(RESET), rounds=2)
    assert judge(replace(failed, target=inferred)).rule == "uncalibrated"
    calibrated = replace(failed, target=inferred, calibrating=failed.controls)
    assert judge(calibrated).state is State.LIKELY_BLOCKED


def test_broken_ipv6_is_no_ban_of_ipv6() -> None:
    link = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TIMEOUT, family=6)))
    both = (tls_ok(), tls_fails(TIMEOUT, address=V6))
    assert judge(evidence(CHAT, *both, rounds=2, link=link)).state is State.OK
    alone = judge(evidence(CHAT, tls_fails(TIMEOUT, address=V6), rounds=2, link=link))
    assert (alone.rule, alone.state) == ("family_unusable", State.INSUFFICIENT)


# --- The media plane --------------------------------------------------------------------------------------------


def test_a_relay_that_answers_is_not_a_call_that_gets_through() -> None:
    verdict = judge(evidence(CALL, turn_ok()))
    assert (verdict.state, verdict.depth, verdict.grade) == (State.INSUFFICIENT, "relay_answers", Grade.MARKED)
    assert "relay reached, call not exercised" in verdict.reason


def test_another_realm_is_neither_success_nor_accusation() -> None:
    assert judge(evidence(CALL, turn_ok(grade=Grade.BOUND))).rule == "other_mark"


def test_a_silent_relay_that_answers_elsewhere() -> None:
    verdict = judge(evidence(CALL, turn_fails(), rounds=2))
    assert (verdict.state, verdict.mechanism, verdict.depth) == (State.LIKELY_BLOCKED, "udp.endpoint.drop", None)


def test_a_relay_that_answers_stun_and_not_allocate() -> None:
    target = replace(CALL, endpoints=(TURN,))
    padded, bare = (
        attempt(replace(STUN, handshake=name), seen(Step.STUN), grade=Grade.BOUND) for name in ("stun-padded", "stun")
    )
    given = evidence(target, turn_fails(), padded, rounds=2, controls=[control(measurement(CALL, turn_ok()))])
    assert conclusion(given) == ("allocate_dropped", State.LIKELY_BLOCKED, "turn.allocate.drop")
    two_things = evidence(target, turn_fails(), bare, rounds=2, controls=[control(measurement(CALL, turn_ok()))])
    assert conclusion(two_things)[2] == "udp.endpoint.drop"  # the size differs as well as the method


HELLO = replace(TCP, handshake="hello")


def hello_fails(failure: str) -> Attempt:
    return attempt(HELLO, seen(Step.TCP), seen(Step.HELLO, failure))


def hello_evidence(failure: str, **fields: Any) -> Evidence:
    target = replace(CHAT, endpoints=(HELLO,))
    genuine = attempt(HELLO, seen(Step.TCP), seen(Step.HELLO), grade=Grade.MARKED)
    return evidence(target, hello_fails(failure), controls=[control(measurement(target, genuine))], **fields)


@pytest.mark.parametrize("failure", [RESET, EOF])
def test_an_apps_own_protocol_that_is_broken_off(failure: str) -> None:
    assert judge(hello_evidence(failure)).rule == "broken_off_once"
    given = hello_evidence(failure, rounds=2)
    assert conclusion(given) == ("payload_reset", State.LIKELY_BLOCKED, "tcp.payload.reset")


def test_an_apps_own_protocol_that_stays_unanswered() -> None:
    given = hello_evidence(TIMEOUT, rounds=2)
    assert conclusion(given) == ("payload_dropped", State.LIKELY_BLOCKED, "tcp.payload.drop")
    assert judge(hello_evidence(TIMEOUT)).rule == "silence_once"


def test_who_reads_all_tls_breaks_off_what_is_none() -> None:
    link = replace(LINK, neutrals=(*LINK.neutrals, neutral("tls", TLS_AUTHORITY, port=8443)))
    assert conclusion(hello_evidence(RESET, link=link)) == ("tls_read_for_all", State.IMPAIRED, "local.tls")


def test_a_payload_over_tcp_is_compared_with_neutral_payloads_over_tcp() -> None:
    link = replace(LINK, neutrals=(neutral("tls", TIMEOUT), neutral("http", port=80), neutral("stun", port=3478)))
    assert judge(hello_evidence(RESET, link=link)).rule == "neutral_failed"


SIP = replace(TURN, handshake="sip-echo", port=5060, expect=Expect())
SIP_ROLE = replace(CHAT, endpoints=(SIP,))


def sip_evidence(*more: Attempt, sip: SipFacts | None = None, failure: str | None = TIMEOUT, **where: Any) -> Evidence:
    endpoint = replace(SIP, **where)
    target = replace(SIP_ROLE, endpoints=(endpoint,))
    steps = [seen(Step.TCP)] if endpoint.transport is Transport.TCP else []
    grade = None if failure else Grade.BOUND
    ours = attempt(endpoint, *steps, seen(Step.SIP, failure, sip=sip), grade=grade)
    elsewhere = attempt(endpoint, *steps, seen(Step.SIP, sip=SipFacts(altered=())), grade=Grade.BOUND)
    controls = [control(measurement(target, elsewhere))]
    return evidence(target, ours, *more, rounds=2, controls=controls, resolutions=())


@pytest.mark.parametrize(
    ("where", "step", "grade", "rule"),
    [
        (
            {"handshake": "sip-register", "expect": Expect(realm="sip.example"), "transport": Transport.UDP},
            Step.SIP,
            Grade.BOUND,
            "other_mark",
        ),
        (
            {"handshake": "sip-register", "expect": Expect(realm="sip.example"), "transport": Transport.UDP},
            Step.SIP,
            Grade.MARKED,
            "complete",
        ),
        ({"handshake": "xmpp"}, Step.XMPP, Grade.TRANSPORT, "other_mark"),  # it does not answer our name
        ({"handshake": "xmpp"}, Step.XMPP, Grade.BOUND, "complete"),
        ({"handshake": "xmpp", "transport": Transport.TLS, "ca": "own"}, Step.XMPP, Grade.BOUND, "other_mark"),
        ({"handshake": "discord", "transport": Transport.WSS}, Step.HELLO, Grade.MARKED, "complete"),
    ],
)
def test_an_impostor_is_neither_a_success_nor_an_accusation(
    where: dict[str, Any], step: Step, grade: Grade, rule: str
) -> None:
    endpoint = replace(TCP, host=HERE, **where)
    target = replace(CHAT, endpoints=(endpoint,))
    seen_here = attempt(endpoint, seen(step), grade=grade)
    assert judge(evidence(target, seen_here, controls=[], resolutions=())).rule == rule


def test_sip_that_is_rewritten_is_told_and_accuses_nobody() -> None:
    rewritten = sip_evidence(failure=None, sip=SipFacts(altered=("via",)))
    assert conclusion(rewritten) == ("sip_rewritten", State.IMPAIRED, "sip.rewrite")
    assert judge(sip_evidence(failure=None, sip=SipFacts(altered=()))).rule == "complete"


def test_sip_that_is_dropped_where_its_twin_passes() -> None:
    twin = attempt(replace(SIP, handshake="sip-twin"), seen(Step.HELLO), grade=Grade.BOUND)
    assert conclusion(sip_evidence(twin)) == ("sip_dropped", State.IMPAIRED, "sip.drop")
    silent = replace(twin, grade=None, observations=(seen(Step.HELLO, TIMEOUT),))
    assert judge(sip_evidence(silent)).rule == "sip_unanswered"
    assert judge(sip_evidence(replace(twin, port=5061))).rule == "sip_unanswered"


@pytest.mark.parametrize(
    ("where", "failure", "rule"),
    [
        ({}, TIMEOUT, "sip_unanswered"),
        ({"transport": Transport.TCP}, TIMEOUT, "sip_unanswered"),
        ({"transport": Transport.TCP}, RESET, "sip_unanswered"),
        ({"transport": Transport.TLS}, RESET, "session_broken_off"),  # nobody on the way could read that it is SIP
    ],
)
def test_sip_that_stays_unanswered_where_a_router_could_read_it(where: dict[str, Any], failure: str, rule: str) -> None:
    assert judge(sip_evidence(handshake="sip", failure=failure, **where)).rule == rule


def test_dead_neutral_udp_voids_udp_comparisons_only() -> None:
    link = replace(LINK, neutrals=(neutral("tls"), neutral("stun", TIMEOUT, port=3478)))
    assert judge(evidence(CALL, turn_fails(), rounds=2, link=link)).rule == "neutral_failed"
    assert judge(evidence(CHAT, tls_fails(RESET), rounds=2, link=link)).state is State.LIKELY_BLOCKED


def test_a_port_that_is_dead_for_neutrals_too() -> None:
    link = replace(LINK, neutrals=(neutral("stun", TIMEOUT, port=3478), neutral("stun", port=19302)))
    given = evidence(CALL, turn_fails(), rounds=2, link=link)
    assert conclusion(given) == ("port_dead_for_neutrals", State.IMPAIRED, "udp.port.drop")


def test_dns_over_udp_is_no_neutral_for_calls() -> None:
    """Many a hotel lets UDP 53 pass and nothing else."""
    resolver = replace(neutral("stun"), handshake="dns", port=53)
    link = replace(LINK, neutrals=(resolver, neutral("stun", TIMEOUT, port=3478)))
    assert judge(evidence(CALL, turn_fails(), rounds=2, link=link)).state is State.INSUFFICIENT


def test_an_icmp_refusal_on_the_way_and_one_by_the_target() -> None:
    on_the_way = turn_fails(REFUSED, icmp=IcmpFacts(type=3, code=3, from_target=False))
    assert conclusion(evidence(CALL, on_the_way, rounds=2)) == ("ip_reject", State.LIKELY_BLOCKED, "ip.reject")
    by_target = turn_fails(REFUSED, icmp=IcmpFacts(type=3, code=3, from_target=True))
    assert conclusion(evidence(CALL, by_target)) == ("refused_under_its_address", State.IMPAIRED, None)


def test_a_relay_that_refuses_in_another_way() -> None:
    assert conclusion(evidence(CALL, turn_fails(UNEXPECTED_REPLY)))[1:] == (State.IMPAIRED, "service.refusal")


# --- What was not tried -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [NotAttempted.COOLDOWN, NotAttempted.NO_FAMILY])
def test_what_was_not_tried_has_not_failed(reason: NotAttempted) -> None:
    skipped = attempt(TURN, not_attempted=reason)
    assert judge(evidence(CALL, skipped)).state is State.INSUFFICIENT
    assert judge(evidence(CHAT, tls_ok(), attempt(TLS, not_attempted=reason, address=V6))).state is State.OK


def test_the_grade_of_an_open_port_is_transport() -> None:
    target: Target = replace(CHAT, endpoints=(TCP,))
    verdict = judge(evidence(target, attempt(TCP, seen(Step.TCP), grade=Grade.TRANSPORT), resolutions=(says(HERE),)))
    assert (verdict.state, verdict.grade) == (State.OK, Grade.TRANSPORT)


def test_a_service_that_answers_as_itself() -> None:
    verdict = judge(evidence(CHAT, tls_ok(), controls=()))
    assert (verdict.rule, verdict.state, verdict.grade, verdict.step) == ("complete", State.OK, Grade.BOUND, None)


def test_an_antivirus_replaces_every_certificate() -> None:
    link = replace(LINK, neutrals=(neutral("tls", TLS_AUTHORITY),))
    given = evidence(CHAT, tls_fails(TLS_AUTHORITY, leaf=OTHER), link=link)
    assert conclusion(given) == ("tls_altered_for_all", State.IMPAIRED, "local.tls")
