"""Viber's servers over TCP 5242: greeted as its client greets them, before any login.

Sent: 24 bytes, always the same, of a capture (2018 to 2022) whose replay is a hypothesis: `uncalibrated`. Answer: one
message, framed by its own length and of the kind that was seen (03 80): `transport`, and no more, for nothing of ours
is in it and whoever kept an old one can send it again; what it shows is that Viber's own bytes pass. A middlebox can
drop or reset it by its first bytes (fc ff .. 80: nDPI's rule for Viber), the port or the address. Port 4244 takes
a login at once, so there only the connection is tried.
Leaks: the volunteer's address to Viber, and to the path that Viber is being asked; no account, no device.
"""

from __future__ import annotations

from probe.codecs import viber
from probe.handshakes import dialogue, stream
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step

LIMIT = 10.0  # seconds


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Greets once. Raises StepFailed."""
    async with stream.opened(trace, endpoint) as opened, trace.step(Step.HELLO, LIMIT) as record:
        record.count(opened.stream.counters)
        record.operation = Operation.WRITE
        await opened.stream.send(viber.GREETING)
        await dialogue.answer(trace, record, opened.stream, viber.Session().receive)
    return Grade.TRANSPORT
