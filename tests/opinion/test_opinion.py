"""Every handshake as nDPI 4.2 and Wireshark 4.0 see it, and what each of them takes. Needs root.

The labels are a record, not a wish: what a censor's box could tell our handshake by, and what it could not.
"""

from __future__ import annotations

import pytest

from probe.handshakes import HANDSHAKES
from probe.measuring.byte_budget import CYCLE_BYTES
from probe.model import Transport
from probe.protocols import NAMEABLE
from probe.targets import chosen, packaged
from tests.opinion import classifiers
from tests.opinion.cases import ADDRESSES, CASES
from tests.opinion.classifiers import UNKNOWN
from tests.opinion.conftest import Run

pytestmark = pytest.mark.needs("root", "iproute2", "util-linux", "libndpi-bin", "tshark")

# nDPI by the bytes alone, nDPI when it may guess by the port, and Wireshark.
LABELS = {
    "dns-udp": ("DNS", "DNS", "dns"),
    "dns-tcp": ("DNS", "DNS", "dns"),
    "dns-tls": ("TLS", "TLS", "tls"),
    "dns-https": ("TLS", "TLS", "tls"),
    "tcp": (UNKNOWN, UNKNOWN, UNKNOWN),
    "tls-neutral": ("TLS", "TLS", "tls"),
    "tls-whatsapp": ("TLS.WhatsApp", "TLS.WhatsApp", "tls"),
    "tls-viber": ("TLS.Viber", "TLS.Viber", "tls"),
    "tls-messenger": ("TLS.Messenger", "TLS.Messenger", "tls"),
    "tls-telegram": ("TLS.Telegram", "TLS.Telegram", "tls"),
    "tls-signal": ("TLS.Signal", "TLS.Signal", "tls"),
    "tls-teams": ("TLS.Teams", "TLS.Teams", "tls"),
    "tls-skype": ("TLS.Skype_Teams", "TLS.Skype_Teams", "tls"),
    "tls-imo": ("TLS", "TLS", "tls"),  # it has no names of imo or Tango
    "tls-tango": ("TLS", "TLS", "tls"),
    "http": ("HTTP", "HTTP", "http"),
    "http-tls": ("TLS", "TLS", "tls"),
    "quic-whatsapp": ("QUIC.WhatsApp", "QUIC.WhatsApp", "quic"),  # the name is read in the Initial
    "tls-other-name": ("TLS", "TLS", "tls"),
    "quic-other-name": ("QUIC", "QUIC", "quic"),
    "stun-udp": ("STUN", "STUN", "stun"),
    "stun-tcp": (UNKNOWN, UNKNOWN, "stun"),
    "stun-tls": ("TLS", "TLS", "tls"),
    "stun-4571": (UNKNOWN, "TLS", UNKNOWN),
    "stun-padded": ("STUN", "STUN", "stun"),
    "stun-padded-4571": (UNKNOWN, "TLS", UNKNOWN),
    "stun-padded-google": ("STUN", "STUN", "stun"),
    "turn-neutral": ("STUN", "STUN", "stun"),
    "turn-telegram": ("STUN", "STUN", "stun"),  # later versions know the realms of Telegram and Viber
    "turn-signal": ("STUN.SignalVoip", "STUN.SignalVoip", "stun"),
    "turn-viber": ("STUN", "STUN", "stun"),
    "turn-facebook": ("STUN.FacebookVoip", "STUN.FacebookVoip", "stun"),
    "turn-google": ("STUN.GoogleHangoutDuo", "STUN.GoogleHangoutDuo", "stun"),
    "turn-tcp": (UNKNOWN, UNKNOWN, "stun"),
    "turn-4571": (UNKNOWN, "TLS", UNKNOWN),
    "msturn": ("STUN.Teams", "STUN.Teams", "stun"),  # it remembers who has lately asked for Teams by name
    "dtls-pion": ("DTLS", "DTLS", "dtls"),
    "dtls-browser": ("DTLS", "DTLS", "dtls"),
    "dtls-hello": ("DTLS", "DTLS", "dtls"),
    "xmpp-tcp": ("Jabber", "Jabber", "xmpp"),
    "xmpp-tls": ("TLS", "TLS", "tls"),
    "discord": ("TLS.Discord", "TLS.Discord", "tls"),
    "sip-udp": ("SIP", "SIP", "sip"),
    "sip-tcp": ("SIP", "SIP", "sip"),
    "sip-tls": ("TLS", "TLS", "tls"),
    "sip-register": ("SIP", "SIP", "sip"),
    "sip-echo": ("SIP", "SIP", "sip"),
    "sip-twin": (UNKNOWN, "SIP", UNKNOWN),  # as meant: only the port is SIP's
    "zoom": ("STUN.Zoom", "STUN.Zoom", "classicstun"),
    "webex": (UNKNOWN, UNKNOWN, UNKNOWN),
    "reflector": ("Telegram", "Telegram", UNKNOWN),
    "viber": (UNKNOWN, "Viber", UNKNOWN),
    "threema": (UNKNOWN, UNKNOWN, UNKNOWN),
    "noise-443": (UNKNOWN, "TLS", UNKNOWN),
    "noise-5222": (UNKNOWN, UNKNOWN, UNKNOWN),
    "noise-routed": (UNKNOWN, UNKNOWN, UNKNOWN),  # nDPI 4.11 says WhatsApp
    "noise-wss": ("TLS.WhatsApp", "TLS.WhatsApp", "tls"),
    "mtproto-abridged": (UNKNOWN, "TLS", UNKNOWN),
    "mtproto-intermediate": (UNKNOWN, "TLS", UNKNOWN),
    "mtproto-obfuscated": (UNKNOWN, "TLS", UNKNOWN),
}
# Bytes of payload, out and in, that a handshake with a server of ours takes at most; ours show one short certificate.
BUDGETS = {
    "dns": 800,  # inside TLS questions are padded, and servers send tickets
    "tcp": 0,
    "tls": 1500,
    "http": 300,
    "quic": 5000,  # two datagrams of 1200 bytes at least, and room for one that is sent again
    "stun": 150,
    "turn": 250,
    "msturn": 300,
    "dtls": 2500,
    "xmpp": 700,
    "discord": 700,
    "sip": 1100,
    "zoom": 100,
    "webex": 20,
    "reflector": 150,
    "viber": 600,
    "threema": 200,
    "noise": 900,
    "mtproto": 300,
}
INSIDE = {Transport.TLS: 1900, Transport.WSS: 2100, Transport.HTTPS: 2100}  # what the session around it takes
# A public chain of two certificates is some 3 to 4 kB long; ours is about 0.5 kB.
PUBLIC_CHAIN = 3500
LOOKUP = 300  # a name, one family, one resolver: out and in, with several addresses and a CNAME or two
RESOLVERS = 3  # the line's own, and two independent ones


# --- What others take it for --------------------------------------------------------------------------------------


def test_every_handshake_has_a_case_over_every_transport() -> None:
    forms = {(name, transport) for name, form in NAMEABLE.items() for transport in form.transports}
    assert forms - {(case.handshake, case.transport) for case in CASES.values()} - SAME_AS_ANOTHER == set()
    assert {case.handshake for case in CASES.values()} == set(HANDSHAKES)
    assert list(LABELS) == list(CASES)


# Over TLS nobody sees more than TLS, and the same bytes are seen over another transport.
SAME_AS_ANOTHER = {
    *((name, Transport.TLS) for name in ("turn", "stun-4571", "turn-4571", "sip-register", "sip-echo")),
    *((name, Transport.TCP) for name in ("sip-register", "sip-echo")),
}


@pytest.mark.parametrize("name", CASES)
def test_the_genuine_server_is_graded_as_it_should_be(name: str, shaken: Run) -> None:
    assert (shaken.taken[name].grade, shaken.taken[name].failure) == (CASES[name].grade, None)


VERSIONS = {"libndpi-bin": "4.2", "tshark": "4.0"}  # of Debian 12, of which LABELS is a record


def of_debian_12(package: str) -> None:
    if classifiers.version(package) != VERSIONS[package]:
        pytest.skip(f"{package} {classifiers.version(package)} has labels of its own; {VERSIONS[package]} was asked")


def test_what_ndpi_takes_it_for(shaken: Run) -> None:
    of_debian_12("libndpi-bin")
    for column, options in ((0, ["-d"]), (1, [])):
        said = classifiers.ndpi(shaken.wire, *options)
        seen = {name: said.get(ADDRESSES[name], UNKNOWN) for name in CASES}
        assert seen == {name: labels[column] for name, labels in LABELS.items()}


def test_what_wireshark_takes_it_for(shaken: Run) -> None:
    of_debian_12("tshark")
    said = classifiers.tshark(shaken.wire)
    seen = {name: said.get(ADDRESSES[name], UNKNOWN) for name in CASES}
    assert seen == {name: labels[2] for name, labels in LABELS.items()}


# --- The shape of our ClientHello (probe/secure/tls.py tells how it differs from the apps') -------------------------


def test_ja4_is_added_up_as_its_authors_do() -> None:
    """Their example, of Chrome."""
    hello = {
        "version": ["0x0304", "0x0303"],
        "ciphers": numbers("0a0a 1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"),
        "extensions": numbers("001b 0000 0033 0010 4469 0017 002d 000d 0005 0023 0012 002b ff01 000b 000a 0015"),
        "signatures": numbers("0403 0804 0401 0503 0805 0501 0806 0601"),
        "alpn": ["h2", "http/1.1"],
    }
    assert classifiers.ja4(hello) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def numbers(text: str) -> list[str]:
    return [f"0x{word}" for word in text.split()]


def test_our_client_hello_is_openssls_and_the_same_for_every_service(shaken: Run) -> None:
    hellos = classifiers.hellos(shaken.wire)
    ours = {name: hellos[ADDRESSES[name]] for name in CASES if ADDRESSES[name] in hellos}
    inside = {name for name, case in CASES.items() if case.handshake.startswith("tls") or case.transport in INSIDE}
    assert set(ours) == inside
    whatsapp = ours["tls-whatsapp"]
    assert whatsapp["groups"] == ["0x0017"]  # secp256r1 alone
    assert whatsapp["shares"] == ["23"]
    assert int(whatsapp["length"][0]) < 500
    assert classifiers.ja4(whatsapp).startswith("t13d301100_1d37bd780c83_")
    plain = [hello for hello in ours.values() if not hello["alpn"]]
    assert {hello["ja3"][0] for hello in plain} == {"e90e6fe1499eeda63fc820a50a1c9adb"}
    assert len({classifiers.ja4(hello) for hello in plain}) == 1
    assert {name: hello["alpn"] for name, hello in ours.items() if hello["alpn"]} == {
        "dns-tls": ["dot"],
        "dns-https": ["h2"],
        "http-tls": ["http/1.1"],
        "xmpp-tls": ["xmpp-client"],
        "discord": ["http/1.1"],
        "noise-wss": ["http/1.1"],
    }


# --- What it takes ------------------------------------------------------------------------------------------------


def budget(handshake: str, transport: Transport) -> int:
    """Of a handshake by its kind: `turn-4571` has that of `turn`."""
    return BUDGETS[handshake.partition("-")[0]] + INSIDE.get(transport, 0)


@pytest.mark.parametrize("name", CASES)
def test_no_handshake_takes_more_than_its_budget(name: str, shaken: Run) -> None:
    case, took = CASES[name], shaken.taken[name]
    assert took.bytes_sent + took.bytes_received <= budget(case.handshake, case.transport)


def cycle(families: int) -> int:
    """Bytes of a cycle over what is measured unasked, where each name has one address in each family."""
    total, names = 0, set()
    for target in chosen(packaged()).targets:
        for point in target.endpoints:
            is_name = any(letter.isalpha() for letter in point.host) and ":" not in point.host
            names |= {point.host} if is_name else set()
            certified = point.handshake in ("tls", "quic") or point.transport in INSIDE
            each = budget(point.handshake, point.transport) + (PUBLIC_CHAIN if certified else 0)
            total += each * (families if is_name else 1)
    return total + len(names) * families * RESOLVERS * LOOKUP


def test_a_cycle_over_the_missions_services_stays_in_its_limit_with_one_address_a_name() -> None:
    """Over IPv4 and IPv6 it would not: then probe.measuring.byte_budget leaves addresses out."""
    assert cycle(families=1) <= CYCLE_BYTES < cycle(families=2)
