"""The targets.yaml that ships holds what it promises: every role, neutrals enough, evidence for each endpoint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace
from telethon.crypto import rsa

from probe import targets as reader
from probe.addresses import is_address
from probe.codecs import xeddsa
from probe.measuring.allocate_budget import ALLOCATES_PER_HOUR
from probe.model import Endpoint, Grade, Plane, Transport
from probe.protocols import ALLOCATING
from tests.probe.builders import scripted_shake
from tests.probe.codecs.test_mtproto import CURRENT_KEY
from tests.scripted import ScriptedDialer, Tcp

PACKAGED = reader.packaged()
SHIPPED = {
    "whatsapp": {"chat", "call", "web"},
    "whatsapp-registration": {"web"},
    "apple-push": {"push"},
    "google-push": {"push"},
    "viber": {"chat", "call", "web"},
    "messenger": {"chat", "call", "web"},
    "teams": {"chat", "call", "web", "push"},
    "skype": {"web"},
    "telegram": {"chat", "call", "web"},
    "signal": {"chat", "call", "web"},
    "imo": {"chat", "call", "web"},
    "tango": {"chat", "call", "web"},
    "google-meet": {"call", "web"},
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
APPS = ("whatsapp", "viber", "messenger", "teams", "skype", "telegram", "signal", "imo", "tango")
MISSION = (*APPS, "whatsapp-registration", "apple-push", "google-push", "baseline")
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
    "imap.gmail.com": "google",
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
        "google-meet": {"turn.l.google.com"},
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
    elsewhere = [point for point in points if point.handshake == "tls" and point.port not in (80, 443)]
    assert len({OPERATORS[point.host] for point in elsewhere}) >= 2, "a messenger's port is compared with its like"
    assert len({point.port for point in elsewhere}) >= 2
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


@pytest.mark.parametrize(
    ("name", "subject", "until", "sha256", "pinned"),
    [
        (
            "signal",
            "CN=Signal Messenger,O=Signal Messenger",
            2032,
            "ddb0f92bb95c8d6fd202ea6e8cc5ccd182b544f8cd696f47d580659ddc9df65a",
            {"signal/chat"},
        ),
        (
            "apple",
            "CN=Apple Root CA,OU=Apple Certification Authority",
            2035,
            "b0b1730ecbc7ff4505142c49f1295e6eda6bcaed7e2c68c5be91b5a11001f024",
            {"apple-push/push"},
        ),
    ],
)
def test_services_own_authorities_ship(name: str, subject: str, until: int, sha256: str, pinned: set[str]) -> None:
    assert set(PACKAGED.authorities) == {"signal", "apple"}
    (root,) = x509.load_pem_x509_certificates(PACKAGED.authorities[name].encode())
    assert root.subject.rfc4514_string().startswith(subject)
    assert root.not_valid_after_utc.year == until
    assert root.fingerprint(hashes.SHA256()).hex() == sha256
    assert {target.id for target in PACKAGED.targets for point in target.endpoints if point.ca == name} == pinned


def keys_of(service: str) -> set[str]:
    points = [point for target in PACKAGED.targets if target.service == service for point in target.endpoints]
    return {key for point in points for key in point.expect.keys}


def test_whatsapps_root_key_is_a_point_that_can_sign() -> None:
    (root,) = keys_of("whatsapp")
    Ed25519PublicKey.from_public_bytes(xeddsa.edwards(bytes.fromhex(root), negative=False))


def test_telegrams_fingerprints_are_of_keys_that_clients_ship() -> None:
    rsa.add_key(CURRENT_KEY, old=False)
    shipped = {fingerprint.to_bytes(8, "little", signed=True).hex() for fingerprint in rsa._server_keys}
    assert len(keys_of("telegram")) == 3
    assert keys_of("telegram") < shipped


def test_telegrams_two_forms_are_compared_at_one_address() -> None:
    (chat,) = [target for target in PACKAGED.targets if target.id == "telegram/chat"]
    ways: dict[tuple[str, int], set[str]] = {}
    for point in chat.endpoints:
        ways.setdefault((point.host, point.port), set()).add(point.handshake)
    assert {"mtproto-obfuscated", "mtproto-abridged"} in ways.values()
    assert {"mtproto-obfuscated", "mtproto-intermediate"} in ways.values()


def test_independent_resolvers_are_two_and_of_different_owners() -> None:
    independent = [one for one in PACKAGED.resolvers if one.independent]
    assert [one.name for one in independent] == ["google", "quad9-unfiltered"]
    assert all(one.tls or one.https for one in independent)  # two ways that are blocked by different means
    assert any(one.tls for one in independent)
    assert any(one.https for one in independent)


def test_no_fingerprint_is_part_of_another() -> None:
    patterns = [fingerprint.pattern for fingerprint in PACKAGED.fingerprints]
    assert not [(one, two) for one in patterns for two in patterns if one != two and one in two]


POINTS = [point for target in PACKAGED.targets for point in target.endpoints]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.handshake}-{point.host}:{point.port}")
def test_every_endpoint_that_ships_can_be_dialled(point: Endpoint) -> None:
    """On a network that accepts connections and says nothing: what fails is the network's, and known by name."""
    address = "203.0.113.4"
    dialer = ScriptedDialer({("tcp", address, point.port): Tcp()})
    seen = scripted_shake(dialer, replace(point, address=address))
    connects_only = point.handshake == "tcp"
    assert (seen.grade, seen.failure) == ((Grade.TRANSPORT, None) if connects_only else (None, "generic_timeout_error"))
    assert bool(dialer.sent) != connects_only
