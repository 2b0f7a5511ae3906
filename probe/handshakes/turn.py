"""TURN Allocate without credentials over UDP (RFC 8656 section 7): a call's relay, asked up to the door.

Sent: a 28-byte Allocate request with REQUESTED-TRANSPORT, again on STUN's schedule while nothing came; never
credentials, never a second request. Answer: 401 with our transaction id is `bound`; with the REALM that the service's
relays are known to send it is `marked`. A middlebox can drop Allocates alone, anything with STUN's cookie, the port,
or the relay's address; a spoofer that reads the request could forge even the realm, which is why it is not `crypto`.
Leaks: the volunteer's address to the relay. Relays are asked at most four times an hour (probe.budget).
"""

from __future__ import annotations

from probe.codecs import stun
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.handshakes.stun import LIMIT, transact
from probe.model import Endpoint, Grade, Operation, Step
from probe.trace import Trace

UNAUTHORIZED = 401


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks for an allocation and expects to be refused. Raises StepFailed."""
    async with trace.step(Step.TURN, LIMIT + 1) as record:
        request = stun.allocate_request(trace.instruments.random_bytes(12))
        message = await transact(trace, record, endpoint, request)
        record.operation = Operation.DECODE
        if message.error_code != UNAUTHORIZED:
            raise Failed(UNEXPECTED_REPLY)
    marked = endpoint.expect.realm is not None and message.realm == endpoint.expect.realm
    return Grade.MARKED if marked else Grade.BOUND
