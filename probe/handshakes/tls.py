"""TLS 1.2 or 1.3 to the service's port, with its name in the ClientHello (RFC 8446, RFC 6066 section 3).

Sent: a ClientHello with SNI, one key share and, where the targets file has one, an application protocol (ALPN); after
the handshake nothing, then a close. Answer: a certificate chain for that name, verified afterwards: `crypto` when it
ends in the service's own pinned authority, `bound` when in a public root. A middlebox can drop or reset after reading
the name, drop the reply, or present its own certificate (then the step fails at `verify`, and the facts keep the
hashes of leaf and issuer).
`tls-other-name` is no handshake of a service but an experiment: the same hello with a neutral name in it, and done with
the first of TLS that answers, an alert too, as from a server that knows its own names only.
Leaks: the service's name and the volunteer's address, as every visit does; our ClientHello is OpenSSL's, not the app's.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from probe.addresses import is_address
from probe.failure import Failed
from probe.handshakes import tcp
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, Operation, Step, TlsFacts
from probe.net.dialer import Stream
from probe.net.record import StepRecord
from probe.secure.tls import TlsStream

LIMIT = 10.0  # seconds
NEUTRAL, LONGEST_LABEL = "example.com", 63  # RFC 2606: nobody's; RFC 1035


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Connects, shakes hands, verifies. Raises StepFailed."""
    async with tcp.connect(trace, endpoint) as stream:
        alpn = endpoint.expect.alpn
        _, grade = await secured(trace, stream, endpoint, (alpn,) if alpn else ())
    return grade


async def other_name(trace: Trace, endpoint: Endpoint) -> Grade:
    """Sends the address a ClientHello that does not name the service, and waits for any answer. Raises StepFailed."""
    async with tcp.connect(trace, endpoint) as stream, trace.step(Step.TLS, LIMIT) as record:
        record.count(stream.counters)
        alpn = endpoint.expect.alpn
        inside = TlsStream(stream, as_long_as(endpoint.server_name or endpoint.host), (alpn,) if alpn else ())
        await inside.first_answer(record)
    return Grade.TRANSPORT


def as_long_as(name: str) -> str:
    """A neutral name of the same length, where one can be: the pair is to differ in the name alone."""
    label = len(name) - len(NEUTRAL) - 1
    return f"{'w' * min(label, LONGEST_LABEL)}.{NEUTRAL}" if label > 0 else NEUTRAL


async def secured(
    trace: Trace, stream: Stream, endpoint: Endpoint, alpn: Sequence[str] = ()
) -> tuple[TlsStream, Grade]:
    """The stream inside TLS, its certificate verified, and what that proves. Raises StepFailed."""
    async with trace.step(Step.TLS, LIMIT) as record:
        record.count(stream.counters)
        return await secured_within(trace, record, stream, endpoint.server_name or endpoint.host, endpoint.ca, alpn)


async def secured_within(
    trace: Trace, record: StepRecord, stream: Stream, name: str, ca: str | None = None, alpn: Sequence[str] = ()
) -> tuple[TlsStream, Grade]:
    """The same as a part of another step. Raises OSError, EOFError, Failed."""
    inside = TlsStream(stream, None if is_address(name) else name, alpn)  # RFC 6066: no address in the SNI
    await inside.shake_hands(record)
    record.operation = Operation.VERIFY
    return inside, verified(trace, record, inside.chain, name, ca)


def verified(trace: Trace, record: StepRecord, chain: Sequence[x509.Certificate], name: str, ca: str | None) -> Grade:
    """The grade that the chain proves; a contradicted authority is kept as a fact. Raises Failed."""
    trust = trace.instruments.trust
    try:
        pinned = trust.verify(chain, name, ca, trace.instruments.now_ms())
    except Failed:
        record.amend(TlsFacts, contradicted=trust.contradicts(chain, ca))
        raise
    return Grade.CRYPTO if pinned else Grade.BOUND
