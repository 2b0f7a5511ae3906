"""Zoom's zone controllers over UDP 3478 and 3479: what the client asks to learn about its NAT, before any login.

Sent: 44 bytes like classic STUN without its cookie, again on STUN's schedule while nothing came. Answer: another type
of message with our 16 random bytes is `bound`, since whoever reads the question can repeat them; of the type and with
the attribute that only zone controllers send (0002, 0103) it is `marked`. A middlebox can drop it by its attribute
(0101: nDPI's rule for Zoom), by port or by address. Some controllers refuse strangers themselves: ICMP 3/10 from their
own address (nDPI zoom_p2p.pcapng, 2022), which is no interference.
Leaks: the volunteer's address to Zoom, which tells it back; the answer's address is dropped unread.
"""

from __future__ import annotations

from probe.codecs import zoom
from probe.handshakes import hello
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Step


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks once. Raises StepFailed."""
    async with trace.step(Step.HELLO, hello.LIMIT + 1) as record:
        request = zoom.request(trace.instruments.random_bytes(16))
        message = await hello.ask(trace, record, endpoint, request, lambda data: zoom.answer_to(request, data))
    return Grade.MARKED if message.is_zone_controllers else Grade.BOUND
