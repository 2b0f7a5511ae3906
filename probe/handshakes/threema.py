"""Threema's chat servers over TCP 5222 and 443: asked to prove themselves, then left alone.

Sent: 48 bytes, a fresh public key and a random cookie; never the login. Answer: 80 bytes whose box opens with a key
that the targets file pins (it is in Threema's own clients) and holds our cookie: `crypto`. 80 bytes that do not open
prove that something answered: `transport`, the length alone being everybody's to imitate. A middlebox can drop or
reset it by its sizes (48, 80: nDPI's rule for Threema), as bytes that it cannot name, by port or by address.
Leaks: the volunteer's address to Threema, and to the path that Threema is being asked; no account, no device.
"""

from __future__ import annotations

from probe.codecs.threema import COOKIE_BYTES, KEY_BYTES, Session
from probe.handshakes import dialogue, stream
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step

LIMIT = 10.0  # seconds


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Greets, and verifies the server's key. Raises StepFailed."""
    random_bytes = trace.instruments.random_bytes
    session = Session(random_bytes(KEY_BYTES), random_bytes(COOKIE_BYTES))
    async with stream.opened(trace, endpoint) as opened, trace.step(Step.HELLO, LIMIT) as record:
        record.count(opened.stream.counters)
        record.operation = Operation.WRITE
        await opened.stream.send(session.hello())
        answer = await dialogue.answer(trace, record, opened.stream, session.receive)
    proved = session.is_proved(answer, map(bytes.fromhex, endpoint.expect.keys))
    return Grade.CRYPTO if proved else Grade.TRANSPORT
