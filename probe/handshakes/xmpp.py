"""XMPP (RFC 6120): a chat server's stream header and features, over TCP, or over TLS from the start (XEP-0368).

Sent: one stream header, from a random name of the server's own domain; then a close, before STARTTLS or SASL.
Answer: the server's header and its features. A server must answer the name that we gave (section 4.7.2): with it
`bound`, without it `transport`; over TLS what the certificate proves, at least `bound`. A refusal (`host-unknown`) is
no answer of the service's. A middlebox knows XMPP by its first bytes, on any port: it can drop or reset it, answer in
the server's place, or take `starttls` out of the features, which is kept as a fact.
Leaks: the domain's name to everybody on the path, over TCP; the name in `from` is chance.
"""

from __future__ import annotations

from probe.codecs.xmpp import LOCALPART_BYTES, Answer, Opening
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.grades import stronger
from probe.handshakes import stream
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step, XmppFacts
from probe.net.dialer import Stream
from probe.net.record import StepRecord
from probe.private_text import clean_text

LIMIT = 10.0  # seconds
ALPN = ("xmpp-client",)


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Opens a stream, up to its features. Raises StepFailed."""
    opening = Opening(endpoint.server_name or endpoint.host, trace.instruments.random_bytes(LOCALPART_BYTES))
    async with stream.opened(trace, endpoint, ALPN) as opened, trace.step(Step.XMPP, LIMIT) as record:
        record.count(opened.stream.counters)
        answer = await _answer(record, opened.stream, opening)
        record.keep(facts(answer))
        record.operation = Operation.VERIFY
        if answer.error is not None or answer.domain != opening.domain:
            raise Failed(UNEXPECTED_REPLY)
    return stronger(Grade.BOUND if opening.echoes(answer) else Grade.TRANSPORT, opened.grade)


async def _answer(record: StepRecord, opened: Stream, opening: Opening) -> Answer:
    record.operation = Operation.WRITE
    await opened.send(opening.request())
    record.operation = Operation.READ
    answer = None
    while answer is None:
        received = await opened.receive()
        if not received:
            raise EOFError
        try:
            answer = opening.receive(received)
        except ValueError as error:
            record.operation = Operation.DECODE
            raise Failed(UNEXPECTED_REPLY) from error
    return answer


def facts(answer: Answer) -> XmppFacts:
    """The facts of an answer that may be kept."""
    return XmppFacts(
        starttls=answer.starttls,
        mechanisms=tuple(map(clean_text, answer.mechanisms)),
        error=answer.error and clean_text(answer.error),
    )
