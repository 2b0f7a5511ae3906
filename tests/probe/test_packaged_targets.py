"""The targets.yaml that ships holds what it promises: every role, neutrals enough, evidence for each endpoint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cryptography import x509

from probe import targets as reader
from probe.addresses import is_address
from probe.budget import ALLOCATES_PER_HOUR, ALLOCATING
from probe.model import Plane, Transport

PACKAGED = reader.packaged()
SHIPPED = {
    "whatsapp": {"chat", "call", "web"},
    "viber": {"chat", "call", "web"},
    "messenger": {"chat", "call", "web"},
    "teams": {"chat", "call", "web", "push"},
    "skype": {"web"},
    "telegram": {"chat", "call", "web"},
    "signal": {"chat", "call", "web"},
    "imo": {"chat", "call", "web"},
    "tango": {"chat", "call", "web"},
    "meet": {"call", "web"},
    "zoom": {"chat", "call", "web"},
    "webex": {"call", "web"},
    "threema": {"chat", "call", "web"},
    "facetime": {"call", "web"},
    "discord": {"chat", "call", "web"},
    "snapchat": {"chat", "call", "web"},
    "line": {"chat", "call", "web"},
    "wechat": {"chat", "call", "web"},
    "kakaotalk": {"chat", "call", "web"},
    "botim": {"call", "web"},
    "totok": {"chat"},
    "jitsi": {"call", "web"},
    "wire": {"chat", "call", "web"},
    "matrix": {"chat", "call", "web"},
    "linphone": {"chat", "call"},
    "conversations": {"chat"},
}
MISSION = ("whatsapp", "viber", "messenger", "teams", "skype", "telegram", "signal", "imo", "tango", "baseline")
OPERATORS = {  # of the baselines' hosts, so that no one network's fault silences all of them
    "connectivitycheck.gstatic.com": "google",
    "detectportal.firefox.com": "mozilla",
    "8.8.8.8": "google",
    "9.9.9.10": "quad9",
    "2001:4860:4860::8888": "google",
    "1.1.1.1": "cloudflare",
    "www.example.com": "iana",
    "9.9.9.9": "quad9",
    "2620:fe::fe": "quad9",
    "stun.l.google.com": "google",
    "74.125.128.127": "google",
    "stun.cloudflare.com": "cloudflare",
}


def test_packaged_reads_the_repositorys_file_and_parses_back_to_itself() -> None:
    path = Path(__file__).parents[2] / "targets.yaml"
    assert PACKAGED.body == path.read_bytes()
    assert reader.parse(PACKAGED.body, "again") == PACKAGED


def test_every_service_ships_every_role() -> None:
    shipped: dict[str, set[str]] = {}
    for target in PACKAGED.targets:
        shipped.setdefault(target.service, set()).add(target.role)
    assert len(shipped.pop("baseline")) >= 4
    assert shipped == SHIPPED


def test_call_roles_hold_media_evidence_or_say_why_not() -> None:
    calls = [target for target in PACKAGED.targets if target.role == "call"]
    assert {target.plane for target in calls} == {Plane.MEDIA}
    assert {target.service for target in calls if target.not_measurable} == {
        "whatsapp",
        "imo",
        "tango",
        "threema",
        "facetime",
        "discord",
        "snapchat",
        "line",
        "wechat",
        "kakaotalk",
        "botim",
    }
    realms = {target.service: {point.expect.realm for point in target.endpoints} - {None} for target in calls}
    assert {service: realm for service, realm in realms.items() if realm} == {
        "viber": {"viber.com"},
        "messenger": {"turner.facebook"},
        "teams": {'"rtcmedia"'},
        "telegram": {"telegram.org"},
        "signal": {"signal.org"},
        "meet": {"turn.l.google.com"},
    }


def test_no_relay_is_asked_oftener_than_two_cycles_an_hour_allow() -> None:
    """Twice where it answers, four times where it is silent: what one hour may spend on one address."""
    for target in PACKAGED.targets:
        asked = Counter((point.host, point.transport) for point in target.endpoints if point.handshake in ALLOCATING)
        assert all(times <= ALLOCATES_PER_HOUR // 2 for times in asked.values()), target.id


def test_baselines_hang_on_several_networks_for_each_transport() -> None:
    points = [point for target in PACKAGED.targets if target.service == "baseline" for point in target.endpoints]
    for transport in (Transport.UDP, Transport.TCP):
        neutral = [point for point in points if point.transport == transport]
        assert len({OPERATORS[point.host] for point in neutral}) >= 2
        assert any(is_address(point.host) for point in neutral), "a link without a resolver is a link"
        assert any(not is_address(point.host) for point in neutral)
    assert {443, 3478} <= {point.port for point in points}
    assert not any(point.uncalibrated for point in points if not is_address(point.host))


def test_every_endpoint_that_ships_has_a_source_and_a_date() -> None:
    points = [point for target in PACKAGED.targets for point in target.endpoints]
    assert all(point.source and point.date for point in points)
    unasked = [point for target in reader.chosen(PACKAGED).targets for point in target.endpoints]
    assert len(unasked) <= 90, "a volunteer's data plan pays for each of them"
    assert len(points) <= 150


def test_what_is_measured_unasked_is_the_missions() -> None:
    assert {target.service for target in reader.chosen(PACKAGED).targets} == set(MISSION)


def test_relays_known_by_old_addresses_are_uncalibrated() -> None:
    relays = [point for target in PACKAGED.targets if target.role == "call" for point in target.endpoints]
    assert all(point.uncalibrated for point in relays)


def test_the_marker_of_a_retired_service_is_web_only() -> None:
    assert [(target.id, target.legacy) for target in PACKAGED.targets if target.legacy] == [("skype/web", True)]


def test_signals_own_authority_ships_and_pins_its_chat() -> None:
    (pem,) = PACKAGED.authorities.values()
    (root,) = x509.load_pem_x509_certificates(pem.encode())
    root.verify_directly_issued_by(root)
    assert root.subject.rfc4514_string().startswith("CN=Signal Messenger,O=Signal Messenger\\, LLC")
    assert root.not_valid_after_utc.year == 2032
    pinned = {target.id for target in PACKAGED.targets for point in target.endpoints if point.ca == "signal"}
    assert pinned == {"signal/chat"}


def test_independent_resolvers_are_two_and_of_different_owners() -> None:
    assert [one.name for one in PACKAGED.resolvers if one.independent] == ["google", "quad9-unfiltered"]


def test_no_fingerprint_is_part_of_another() -> None:
    patterns = [fingerprint.pattern for fingerprint in PACKAGED.fingerprints]
    assert not [(one, two) for one in patterns for two in patterns if one != two and one in two]
