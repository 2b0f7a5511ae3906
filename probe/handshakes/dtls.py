"""DTLS 1.2 (RFC 6347): the encryption under which calls agree on the keys of their media (RFC 5764).

Sent: a ClientHello, again on STUN's schedule while nothing came, with the cookie that a HelloVerifyRequest gives, and
so every flight after it. `dtls` says hello as the Go library pion does, `dtls-browser` as Chrome: Russia drops the one
and not the other. Answer: a completed handshake is `bound`, since the server's keys are made of our random bytes; with
`server_name` its certificate must be valid for that name, and with `ca` it is `crypto`. Without either it may be one
that nobody signed, as media servers show. `dtls-hello` is done with the first answer, a HelloVerifyRequest or a
ServerHello: `transport`, since neither need repeat anything of ours. A middlebox can drop hellos by their shape, all of
DTLS by its first byte, the address or the port, cut the server's long flight off, or forge an alert.
Leaks: the volunteer's address; a key and a certificate are made for each handshake and name nobody.
"""

from __future__ import annotations

from functools import partial

from probe.addresses import is_address
from probe.handshakes.tls import verified
from probe.handshakes.trace import Trace
from probe.handshakes.transaction import SEND_OFFSETS
from probe.model import Endpoint, Grade, Operation, Step
from probe.net.record import StepRecord
from probe.secure.dtls import BROWSER, PION, DtlsSession, Hello

LIMIT = 10.0  # seconds


async def handshake(trace: Trace, endpoint: Endpoint, hello: Hello = PION) -> Grade:
    """Shakes hands, and verifies where there is something to verify by. Raises StepFailed."""
    grade = Grade.BOUND
    async with trace.step(Step.DTLS, LIMIT + 1) as record:
        session = await _session(trace, record, endpoint, hello)
        await session.shake_hands(record, trace.scaled(LIMIT), _offsets(trace))
        record.operation = Operation.VERIFY
        if endpoint.server_name is not None or endpoint.ca is not None:
            name = endpoint.server_name or endpoint.host
            grade = verified(trace, record, session.chain, name, endpoint.ca)
    await session.close()
    return grade


async def first_answer(trace: Trace, endpoint: Endpoint) -> Grade:
    """Sends the hello and waits for any answer to it. Raises StepFailed."""
    async with trace.step(Step.DTLS, LIMIT + 1) as record:
        session = await _session(trace, record, endpoint, PION)
        await session.first_answer(record, trace.scaled(LIMIT), _offsets(trace))
    return Grade.TRANSPORT


browser = partial(handshake, hello=BROWSER)


async def _session(trace: Trace, record: StepRecord, endpoint: Endpoint, hello: Hello) -> DtlsSession:
    datagrams = await trace.udp(record, endpoint.address or endpoint.host, endpoint.port)
    name = endpoint.server_name
    return DtlsSession(datagrams, None if name is None or is_address(name) else name, hello, trace.instruments.now_ms())


def _offsets(trace: Trace) -> list[float]:
    return [trace.scaled(offset) for offset in SEND_OFFSETS]
