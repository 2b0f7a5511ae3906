"""TURN Allocate without credentials (RFC 8656 section 7) over UDP, TCP and TLS: a call's relay, asked up to the door.

Sent: a 28-byte Allocate request with REQUESTED-TRANSPORT (as `turn-google` 40 bytes, with the attribute FF05 that
Google's clients add and its relays were seen to answer), framed and repeated as STUN's own (probe.handshakes.stun);
never credentials, never a second request. Answer: 401 with our transaction id is `bound`; with the REALM that the
service's relays are known to send it is `marked`, over TLS with the service's own authority `crypto`. A middlebox can
drop Allocates alone, anything with STUN's cookie, the port, or the relay's address; a spoofer that reads the request
could forge even the realm, which is why it is not `crypto`.
Leaks: the volunteer's address to the relay. Relays are asked at most four times an hour
(probe.measuring.allocate_budget).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from probe.codecs import stun
from probe.codecs.framing import STUN_4571, STUN_BARE, Framing
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.grades import stronger
from probe.handshakes.stun import answered
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step

UNAUTHORIZED = 401


async def handshake(
    trace: Trace,
    endpoint: Endpoint,
    framing: Framing = STUN_BARE,
    ask: Callable[[bytes], bytes] = stun.allocate_request,
) -> Grade:
    """Asks for an allocation and expects to be refused. Raises StepFailed."""
    request = ask(trace.instruments.random_bytes(12))
    async with answered(trace, endpoint, Step.TURN, request, framing) as answer:
        answer.record.operation = Operation.DECODE
        if answer.message.error_code != UNAUTHORIZED:
            raise Failed(UNEXPECTED_REPLY)
    marked = endpoint.expect.realm is not None and answer.message.realm == endpoint.expect.realm
    return stronger(Grade.MARKED if marked else Grade.BOUND, answer.grade)


handshake_4571 = partial(handshake, framing=STUN_4571)
handshake_google = partial(handshake, ask=stun.google_allocate_request)
