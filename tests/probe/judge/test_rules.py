"""The tables themselves, the rules of a measurement, and the controls' summary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from probe.judge import Evidence, judge
from probe.judge.mechanisms import MECHANISMS
from probe.judge.verdict import ATTEMPT_RULES, MEASUREMENT_RULES, NAME_RULES, REASONS, RULES
from probe.model import Link, NotAttempted, State, Void
from tests.probe.judge.evidence import CHAT, LINK, evidence, tls_fails, tls_ok

ACCUSING = (State.BLOCKED, State.LIKELY_BLOCKED)


def test_ids_are_unique_and_comments_present() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.comment.endswith(".") and rule.reason for rule in RULES)


ORDER = """
    not_attempted fact_only sip_rewritten blockpage blockpage_once complete uncalibrated other_mark family_unusable
    local_firewall not_listened retired down clock_unmeasured tls_altered_for_all same_certificate_elsewhere
    family_without_control no_control tls_read_at_home stopped_at_home stopped_between certificate_expired
    leaf_differs trust_store_old anothers_certificate_once tls_mitm outage_reported controls_disagree
    control_awaited service_refusal session_refusal session_broken_off refused_by_target refused_under_its_address
    regional_fault_not_excluded port_dead_behind_the_home port_dead_for_neutrals ports_closed_for_all
    tls_read_for_all unmatched_replies udp_dead_beyond_home udp_dead stun_dead neutral_failed silence_once
    broken_off_once begun_without_equal begun_on_a_lossy_link refused_at_the_service refused_beyond left_unanswered
    unreachable_in_country routing_or_service_not_excluded ip_reject ip_reset residual ip_drop tls_reset
    tls_broken_off tls_hello_dropped tls_unanswered tls_reply_dropped tls_refused page_refused http_reset
    sip_dropped sip_unanswered payload_recognised_reset payload_recognised_dropped payload_reset allocate_dropped
    payload_dropped dtls_hello_dropped dtls_dropped dtls_endpoint_dropped quic_name_dropped quic_dropped
    quic_endpoint_dropped udp_endpoint_dropped payload_answered_by_another unexplained
"""


def test_the_order_of_an_attempts_rules() -> None:
    """The first that matches decides, so a rule that moves changes what is said: RULES_VERSION goes with it."""
    assert [rule.id for rule in ATTEMPT_RULES] == ORDER.split()


def test_mechanisms_are_of_the_closed_list() -> None:
    assert {rule.mechanism for rule in RULES} - {None} <= set(MECHANISMS)


def test_the_mechanisms_are_the_designs_and_two_of_an_apps_own_protocol_over_tcp() -> None:
    assert len(MECHANISMS) == len(set(MECHANISMS)) == 44 + 2


def test_every_accusation_names_its_mechanism_and_nothing_innocent_but_local_ones_do() -> None:
    for rule in RULES:
        if rule.state in ACCUSING:
            assert rule.mechanism
        elif rule.state is State.OK:
            assert rule.mechanism is None


@pytest.mark.parametrize("table", [NAME_RULES, ATTEMPT_RULES])
def test_the_last_rule_catches_all_and_accuses_nobody(table: tuple) -> None:  # type: ignore[type-arg]
    assert table[-1].when(None)
    assert table[-1].state is State.INSUFFICIENT


def test_no_rule_of_a_measurement_accuses() -> None:
    assert {rule.state for rule in MEASUREMENT_RULES} == {State.INSUFFICIENT}


def test_every_rule_is_fired_by_some_test() -> None:
    """By name, or by the mechanism that it alone leads to."""
    here = Path(__file__).parent
    text = "".join(path.read_text() for path in here.rglob("test_*.py"))
    unfired = [
        rule.id
        for rule in RULES
        if not re.search(rf'"{rule.id}"', text) and not (rule.mechanism and f'"{rule.mechanism}"' in text)
    ]
    assert unfired == []


def test_every_rule_has_its_reason() -> None:
    assert {rule.id for rule in RULES} <= set(REASONS)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"target": None}, "targets_unknown"),
        ({"clock_known": False}, "clock_unknown"),
    ],
)
def test_what_makes_a_measurement_inconclusive(changed: dict[str, object], rule: str) -> None:
    given = replace(evidence(CHAT, tls_ok()), **changed)
    assert (judge(given).rule, judge(given).state) == (rule, State.INSUFFICIENT)


@pytest.mark.parametrize(
    ("link", "reason", "rule"),
    [
        (Link(up=False), NotAttempted.NO_LINK, "no_link"),
        (LINK, NotAttempted.NOT_MEASURABLE, "not_measurable"),
        (replace(LINK, void=Void.PORTAL), None, "portal"),
        (replace(LINK, up=False, void=Void.PORTAL), NotAttempted.NO_LINK, "portal"),
        (replace(LINK, void=Void.VPN), None, "vpn"),
        (replace(LINK, void=Void.PROXY), None, "proxy"),
        (replace(LINK, void=Void.STARVED), None, "starved"),
        (replace(LINK, void=Void.CLOCK), None, "clock_changed"),
        (replace(LINK, void=Void.CHANGED), None, "network_changed"),
        (replace(LINK, void=Void.UNKNOWN), None, "network_changed"),
    ],
)
def test_a_void_cycle(link: Link, reason: NotAttempted | None, rule: str) -> None:
    given: Evidence = evidence(CHAT, tls_fails("connection_reset"), link=link, not_attempted=reason)
    assert (judge(given).rule, judge(given).state) == (rule, State.INSUFFICIENT)
