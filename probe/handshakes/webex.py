"""Webex's media servers over UDP 9000: a greeting of 8 bytes and its answer, as in 2015.

Sent: the same 8 bytes always, again on STUN's schedule while nothing came. Answer: 8 bytes that begin as the servers'
do: `transport`, and no more, for nothing of ours is in it and whoever kept an old one can send it again. A middlebox
can drop it by its bytes (libprotoident's rule), by port or by address.
Leaks: the volunteer's address to Webex.
"""

from __future__ import annotations

from probe.codecs import webex
from probe.handshakes import hello
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Step


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Greets once. Raises StepFailed."""
    async with trace.step(Step.HELLO, hello.LIMIT + 1) as record:
        await hello.ask(trace, record, endpoint, webex.GREETING, lambda data: webex.is_answer(data) or None)
    return Grade.TRANSPORT
