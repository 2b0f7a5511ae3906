"""SIP to our own server, which says byte for byte what reached it: whether somebody on the way rewrites SIP.

Sent: the OPTIONS of the handshake `sip`. Answer: 200 whose body is our request as it arrived, in base64, so that
nobody who rewrites addresses can put them back: `bound`. What differs is the fact `sip.altered`: which headers, never
with what. The twin (`sip-twin`, in the second round) is the same conversation with every bit inverted, at the same
address and port: if it passes where SIP stays silent, it is the bytes that somebody drops, not the port or address.
A home router's ALG rewrites and drops SIP as an operator's box does; where on the path, this cannot say, so it is no
accusation. That nothing was altered proves little: Linux's own helper, which many home routers run, rewrites the
line's address alone, and that is never sent (tests/probe/handshakes/test_sip_alg.py has it do so to a telephone).
Leaks: as `sip`, to our own server, which keeps nothing.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress

from probe.codecs import sip
from probe.codecs.sip_altered import altered
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.handshakes.sip import ask, domain
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, SipFacts, Step
from probe.net.record import StepRecord


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks, and compares what arrived with what was sent. Raises StepFailed."""
    return await _echoed(trace, endpoint, Step.SIP, twin=False)


async def twin(trace: Trace, endpoint: Endpoint) -> Grade:
    """The same with every bit inverted. Raises StepFailed."""
    return await _echoed(trace, endpoint, Step.HELLO, twin=True)


async def _echoed(trace: Trace, endpoint: Endpoint, step: Step, *, twin: bool) -> Grade:
    random_bytes = trace.instruments.random_bytes(sip.IDENTIFIER_BYTES)
    request = sip.options_request(domain(endpoint), endpoint.transport, random_bytes)

    def proves(message: sip.Message, record: StepRecord) -> Grade:
        record.operation = Operation.DECODE
        parts = altered(request, _arrived(message))
        record.amend(SipFacts, altered=parts)
        return Grade.BOUND

    _, grade = await ask(trace, endpoint, request, proves, step, twin)
    return grade


def _arrived(message: sip.Message) -> bytes:
    """The request as it arrived. Raises Failed: an answer without the echo is not our server's."""
    with suppress(binascii.Error):
        arrived = base64.b64decode(message.body, validate=True)
        if arrived:
            return arrived
    raise Failed(UNEXPECTED_REPLY)
