"""Discord's gateway (developers/events/gateway): a WebSocket over TLS on which the server speaks first.

Sent: the WebSocket's upgrade for version 10 in JSON, and nothing on it; in particular never an Identify. Answer: Hello
(opcode 10) with the interval at which it wants to hear from us, inside a session whose certificate was verified:
`marked`; with the service's pinned authority `crypto`. A middlebox can do what it can do to TLS by the name, and
nothing inside.
Leaks: the service's name and the volunteer's address, as every visit does.
"""

from __future__ import annotations

from probe.codecs import discord
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.grades import stronger
from probe.handshakes import stream
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step
from probe.secure.websocket import Upgrade

LIMIT = 10.0  # seconds
GATEWAY = Upgrade(path="/?v=10&encoding=json")


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Waits to be greeted. Raises StepFailed."""
    async with (
        stream.opened(trace, endpoint, upgrade=GATEWAY) as opened,
        trace.step(Step.HELLO, LIMIT) as record,
    ):
        record.count(opened.stream.counters)
        record.operation = Operation.READ
        message = await opened.stream.receive()
        if not message:
            raise EOFError
        record.operation = Operation.DECODE
        try:
            discord.heartbeat_interval(message)
        except ValueError as error:
            raise Failed(UNEXPECTED_REPLY) from error
    return stronger(Grade.MARKED, opened.grade)
