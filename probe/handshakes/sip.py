"""SIP OPTIONS over UDP, TCP or TLS (RFC 3261, section 11): what every telephone over the internet may ask a server.

Sent: one OPTIONS request of some 320 bytes; over UDP again, byte for byte, on STUN's schedule while nothing came.
Answer: any well-formed response that carries our branch, Call-ID, CSeq and tag, be it 200 or 403: `bound`, since
whoever reads the request can answer it; over TLS with the service's pinned authority `crypto`.
A middlebox knows SIP by its first line, on any port: it can drop it, answer in the server's place, or, as many home
routers do (an "ALG"), rewrite the addresses in it. So silence over UDP alone accuses nobody (probe.judge): what can
tell is our own server, by the handshakes `sip-echo` and `sip-twin`.
Leaks: nothing of the volunteer's. Via, From and Contact name `anonymous.invalid`; what the answer reports of our
address (`received`, `rport`, Contact) is not kept. A server without RFC 3581 answers at port 5060 and stays unheard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probe.codecs import sip
from probe.failure import UNEXPECTED_REPLY, Failed
from probe.grades import stronger
from probe.handshakes import stream
from probe.handshakes.trace import Trace
from probe.handshakes.transaction import Transaction
from probe.model import Endpoint, Grade, Operation, SipFacts, Step, Transport
from probe.net.dialer import Stream
from probe.net.record import StepRecord
from probe.private_text import clean_text

LIMIT = 8.0  # seconds
FINAL = 200  # and above: a status that ends the transaction


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks for the server's capabilities. Raises StepFailed."""
    random_bytes = trace.instruments.random_bytes(sip.IDENTIFIER_BYTES)
    request = sip.options_request(domain(endpoint), endpoint.transport, random_bytes)
    _, grade = await ask(trace, endpoint, request, lambda _, record: Grade.BOUND)
    return grade


def domain(endpoint: Endpoint) -> str:
    return endpoint.server_name or endpoint.host


GradeAnswer = Callable[[sip.Message, StepRecord], Grade]


async def ask(
    trace: Trace, endpoint: Endpoint, request: bytes, proves: GradeAnswer, step: Step = Step.SIP, twin: bool = False
) -> tuple[sip.Message, Grade]:
    """One transaction: the answer, and the most that it (`proves`, within the step) or a certificate proves.

    As a `twin` every bit of the conversation is inverted. Raises StepFailed.
    """
    if endpoint.transport is Transport.UDP:
        async with trace.step(step, LIMIT + 1) as record:
            message = await _over_udp(trace, record, endpoint, SipExchange(request, twin))
            return message, proves(message, record)
    async with stream.opened(trace, endpoint) as opened, trace.step(step, LIMIT) as record:
        record.count(opened.stream.counters)
        message = await _over_stream(record, opened.stream, SipExchange(request, twin))
        grade = proves(message, record)
    return message, stronger(grade, opened.grade)


@dataclass(slots=True)
class SipExchange:
    """A request, and what came of it. A response below FINAL is an answer if no other comes."""

    request: bytes
    twin: bool = False
    provisional: sip.Message | None = None
    provisionals: int = 0

    def translated(self, data: bytes) -> bytes:
        """The bytes on the wire for these of SIP, and the reverse."""
        return sip.inverted(data) if self.twin else data

    def match(self, datagram: bytes) -> sip.Message | None:
        """The final response in a datagram. Raises ValueError for one to us that cannot be read."""
        return self._final(sip.response_to(self.request, self.translated(datagram)))

    def read(self, data: bytes) -> sip.Message | None:
        """The final response in a message of a stream. Raises ValueError for what is no SIP."""
        message = sip.parse(data)
        return self._final(message if sip.answers(sip.parse(self.request), message) else None)

    def _final(self, message: sip.Message | None) -> sip.Message | None:
        if message is None:
            return None
        if message.status < FINAL:
            self.provisional, self.provisionals = message, self.provisionals + 1
            return None
        return message


async def _over_udp(trace: Trace, record: StepRecord, endpoint: Endpoint, asked: SipExchange) -> sip.Message:
    datagrams = await trace.udp(record, endpoint.address or endpoint.host, endpoint.port)
    record.operation = Operation.READ
    transaction = Transaction(datagrams, asked.translated(asked.request), asked.match)
    message = None
    try:
        message = await transaction.run(record, LIMIT, trace.instruments.scale)
    except Failed:
        message = asked.provisional
        if message is None:
            raise
    finally:
        unmatched = transaction.unmatched - asked.provisionals
        record.keep(facts(message, transaction.sends, unmatched))
    return message


async def _over_stream(record: StepRecord, opened: Stream, asked: SipExchange) -> sip.Message:
    """The first final response; what the server says before, and what answers something else, is passed over."""
    record.operation = Operation.WRITE
    await opened.send(asked.translated(asked.request))
    record.operation = Operation.READ
    unmatched, messages = 0, sip.MessageStream()
    message = None
    try:
        while message is None:
            message = asked.read(await _next(opened, messages, asked))
            unmatched += message is None
    except ValueError as error:
        record.operation = Operation.DECODE
        raise Failed(UNEXPECTED_REPLY) from error
    finally:
        record.keep(facts(message or asked.provisional, 1, unmatched - asked.provisionals))
    return message


async def _next(opened: Stream, messages: sip.MessageStream, asked: SipExchange) -> bytes:
    """The next message of a stream. Raises EOFError, OSError, ValueError."""
    while (message := messages.next()) is None:
        received = await opened.receive()
        if not received:
            raise EOFError
        messages.feed(asked.translated(received))
    return message


def facts(message: sip.Message | None, sends: int, unmatched: int) -> SipFacts:
    """The facts of an answer that may be kept."""
    if message is None:
        return SipFacts(sends=sends, unmatched=unmatched)
    software = message.value("server") or message.value("user-agent")
    return SipFacts(
        sends=sends,
        unmatched=unmatched,
        status=message.status,
        realm=message.realm and clean_text(message.realm),
        software=software and clean_text(software),
    )
