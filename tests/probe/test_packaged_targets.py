"""The targets.yaml that ships holds what it promises: every role, neutrals enough, evidence for each endpoint."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from probe import targets as reader
from probe.addresses import is_address
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
}
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
    assert {point.handshake for target in calls for point in target.endpoints} <= {"stun", "turn", "msturn"}
    assert {target.service for target in calls if target.not_measurable} == {"whatsapp", "imo", "tango"}
    realms = {point.expect.realm for target in calls for point in target.endpoints if point.handshake != "stun"}
    assert realms == {"viber.com", "turner.facebook", "telegram.org", "signal.org", '"rtcmedia"'}


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
    assert len(points) <= 60, "a volunteer's data plan pays for each of them"


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
