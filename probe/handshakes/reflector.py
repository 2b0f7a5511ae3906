"""Telegram's reflectors, which relay calls over UDP 500 to 600, asked with a tag of nobody's: a fact, never a success.

Sent: 40 bytes with a random tag and a random query, again on STUN's schedule while nothing came. Answer: any datagram
is `transport`; one that repeats tag and query in a reflector's own form would be `bound`. Whether a genuine reflector
answers a tag that was given to nobody is not known, so nothing here is ever taken for the service's answer: neither
does an answer make a call measurable, nor does silence accuse anybody (probe.protocols: facts_only).
A middlebox can drop it by its 12 bytes of FF (nDPI's rule), by port or by address.
Leaks: the volunteer's address to Telegram, and to the path that Telegram is being asked.
"""

from __future__ import annotations

from probe.codecs import reflector
from probe.handshakes import hello
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Step


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks once. Raises StepFailed."""
    async with trace.step(Step.HELLO, hello.LIMIT + 1) as record:
        random_bytes = trace.instruments.random_bytes
        request = reflector.request(random_bytes(reflector.TAG_BYTES), random_bytes(reflector.QUERY_BYTES))
        answer = await hello.ask(trace, record, endpoint, request, lambda data: data or None)
    return Grade.BOUND if reflector.echoes(answer, request) else Grade.TRANSPORT
