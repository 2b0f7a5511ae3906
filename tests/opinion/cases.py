"""Every handshake over every transport that it knows, each with a server at an address of its own."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from probe.model import Expect, Grade, Transport

UDP, TCP, TLS, WSS, HTTPS = Transport.UDP, Transport.TCP, Transport.TLS, Transport.WSS, Transport.HTTPS


class Case(Struct, frozen=True, kw_only=True):
    """What is asked at which port, and how much the genuine server's answer proves."""

    handshake: str
    transport: Transport
    port: int
    server_name: str | None = None
    expect: Expect = Expect()
    grade: Grade = Grade.BOUND


def case(handshake: str, transport: Transport, port: int, name: str | None = None, **more: Any) -> Case:
    return Case(handshake=handshake, transport=transport, port=port, server_name=name, **more)


def relay(realm: str, handshake: str = "turn", transport: Transport = UDP, port: int = 3478) -> Case:
    return case(handshake, transport, port, expect=Expect(realm=realm), grade=Grade.MARKED)


def certificate(name: str) -> Case:
    return case("tls", TCP, 443, name)


def keyed(handshake: str, grade: Grade, transport: Transport = TCP, port: int = 443, name: str | None = None) -> Case:
    """The servers' keys are the tests' own: `world` fills them in."""
    return case(handshake, transport, port, name, grade=grade)


MARKED, CRYPTO, TRANSPORT = Grade.MARKED, Grade.CRYPTO, Grade.TRANSPORT

CASES = {
    "dns-udp": case("dns", UDP, 53, expect=Expect(name="www.neutral.example")),
    "dns-tcp": case("dns", TCP, 53, expect=Expect(name="www.neutral.example")),
    "dns-tls": case("dns", TLS, 853, "dns.neutral.example", expect=Expect(name="www.neutral.example")),
    "dns-https": case("dns", HTTPS, 443, "dns.neutral.example", expect=Expect(name="www.neutral.example")),
    "tcp": case("tcp", TCP, 5222, grade=TRANSPORT),
    "tls-neutral": certificate("www.neutral.example"),
    "tls-whatsapp": certificate("web.whatsapp.com"),
    "tls-viber": certificate("www.viber.com"),
    "tls-messenger": certificate("edge-mqtt.facebook.com"),
    "tls-telegram": certificate("web.telegram.org"),
    "tls-signal": certificate("chat.signal.org"),
    "tls-teams": certificate("teams.microsoft.com"),
    "tls-skype": certificate("web.skype.com"),
    "tls-imo": certificate("imo.im"),
    "tls-tango": certificate("www.tango.me"),
    "http": case("http", TCP, 80, "www.neutral.example", expect=Expect(status=204), grade=TRANSPORT),
    "http-tls": case("http", TLS, 443, "www.neutral.example", expect=Expect(status=204)),
    "quic-whatsapp": case("quic", UDP, 443, "web.whatsapp.com"),
    "tls-other-name": case("tls-other-name", TCP, 443, "web.whatsapp.com", grade=TRANSPORT),
    "quic-other-name": case("quic-other-name", UDP, 443, "web.whatsapp.com"),
    "stun-udp": case("stun", UDP, 3478),
    "stun-tcp": case("stun", TCP, 3478),
    "stun-tls": case("stun", TLS, 5349, "www.neutral.example"),
    "stun-4571": case("stun-4571", TCP, 443),
    "stun-padded": case("stun-padded", UDP, 3478),
    "stun-padded-4571": case("stun-padded-4571", TCP, 443),
    "stun-padded-google": case("stun-padded-google", UDP, 3478),
    "turn-neutral": relay("relay.example"),
    "turn-telegram": relay("telegram.org", port=1400),
    "turn-signal": relay("signal.org"),
    "turn-viber": relay("viber.com", port=443),
    "turn-facebook": relay("turner.facebook", port=40003),
    "turn-google": relay("turn.l.google.com", "turn-google"),
    "turn-tcp": relay("relay.example", transport=TCP),
    "turn-4571": relay("turner.facebook", "turn-4571", TCP, 443),
    "msturn": relay('"rtcmedia"', "msturn"),
    "dtls-pion": case("dtls", UDP, 45000),
    "dtls-browser": case("dtls-browser", UDP, 45000),
    "dtls-hello": case("dtls-hello", UDP, 45000, grade=TRANSPORT),
    "xmpp-tcp": case("xmpp", TCP, 5222, "chat.example"),
    "xmpp-tls": case("xmpp", TLS, 5223, "chat.example"),
    "discord": case("discord", WSS, 443, "gateway.discord.gg", grade=MARKED),
    "sip-udp": case("sip", UDP, 5060, "sip.example"),
    "sip-tcp": case("sip", TCP, 5060, "sip.example"),
    "sip-tls": case("sip", TLS, 5061, "sip.example"),
    "sip-register": case("sip-register", UDP, 5060, "sip.example", expect=Expect(realm="sip.example"), grade=MARKED),
    "sip-echo": case("sip-echo", UDP, 5060, "sip.example"),
    "sip-twin": case("sip-twin", UDP, 5060, "sip.example"),
    "zoom": case("zoom", UDP, 3478, grade=MARKED),
    "webex": case("webex", UDP, 9000, grade=TRANSPORT),
    "reflector": case("reflector", UDP, 529),
    "viber": case("viber", TCP, 5242, grade=TRANSPORT),
    "threema": keyed("threema", CRYPTO, port=5222),
    "noise-443": keyed("noise", CRYPTO),
    "noise-5222": keyed("noise", CRYPTO, port=5222),
    "noise-routed": keyed("noise-routed", CRYPTO, port=5222),
    "noise-wss": case("noise", WSS, 443, "web.whatsapp.com", expect=Expect(path="/ws/chat"), grade=CRYPTO),
    "mtproto-abridged": keyed("mtproto-abridged", MARKED),
    "mtproto-intermediate": keyed("mtproto-intermediate", MARKED),
    "mtproto-obfuscated": keyed("mtproto-obfuscated", MARKED),
}
CLIENT = "198.51.100.7"  # who asks all of them
ADDRESSES = {name: f"203.0.113.{number}" for number, name in enumerate(CASES, start=10)}
