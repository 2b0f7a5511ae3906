"""One module per protocol dialogue; each has `async def handshake(trace, endpoint) -> Grade`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from probe.handshakes import dns, http, msturn, stun, tcp, tls, turn
from probe.model import Endpoint, Grade
from probe.trace import Trace

Handshake = Callable[[Trace, Endpoint], Awaitable[Grade]]

HANDSHAKES: dict[str, Handshake] = {
    "dns": dns.handshake,
    "tcp": tcp.handshake,
    "tls": tls.handshake,
    "http": http.handshake,
    "stun": stun.handshake,
    "stun-4571": stun.handshake_4571,
    "turn": turn.handshake,
    "turn-4571": turn.handshake_4571,
    "msturn": msturn.handshake,
}
