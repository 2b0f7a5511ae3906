"""One module per protocol dialogue; each has `async def handshake(trace, endpoint) -> Grade`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from probe.handshakes import (
    discord,
    dns,
    dtls,
    http,
    msturn,
    mtproto,
    noise,
    quic,
    reflector,
    sip,
    sip_echo,
    sip_register,
    stun,
    tcp,
    threema,
    tls,
    turn,
    viber,
    webex,
    xmpp,
    zoom,
)
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade

Handshake = Callable[[Trace, Endpoint], Awaitable[Grade]]

HANDSHAKES: dict[str, Handshake] = {
    "dns": dns.handshake,
    "tcp": tcp.handshake,
    "tls": tls.handshake,
    "tls-other-name": tls.other_name,
    "http": http.handshake,
    "quic": quic.handshake,
    "quic-other-name": quic.other_name,
    "dtls": dtls.handshake,
    "dtls-browser": dtls.browser,
    "dtls-hello": dtls.first_answer,
    "stun": stun.handshake,
    "stun-4571": stun.handshake_4571,
    "stun-padded": stun.padded,
    "stun-padded-4571": stun.padded_4571,
    "stun-padded-google": stun.padded_google,
    "turn": turn.handshake,
    "turn-4571": turn.handshake_4571,
    "turn-google": turn.handshake_google,
    "msturn": msturn.handshake,
    "xmpp": xmpp.handshake,
    "discord": discord.handshake,
    "sip": sip.handshake,
    "sip-register": sip_register.handshake,
    "sip-echo": sip_echo.handshake,
    "sip-twin": sip_echo.twin,
    "zoom": zoom.handshake,
    "webex": webex.handshake,
    "viber": viber.handshake,
    "threema": threema.handshake,
    "reflector": reflector.handshake,
    "noise": noise.handshake,
    "noise-routed": noise.routed,
    "mtproto-abridged": mtproto.abridged,
    "mtproto-intermediate": mtproto.intermediate,
    "mtproto-obfuscated": mtproto.obfuscated,
}
