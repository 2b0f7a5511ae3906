"""WhatsApp's chat, up to its server's certificate: Noise_XX_25519_AESGCM_SHA256 over TCP or inside a WebSocket.

Sent: over TCP the four bytes of a phone, in a WebSocket those of a browser, and one frame with a fresh ephemeral key;
`noise-routed` puts the routing prefix before them that returning phones send and that filters look for. Never the
second message: it would log in. Answer: a server hello encrypted for our ephemeral key, so that no recording answers:
`bound`; with a certificate chain that begins at the root key of the targets file, ends at the key which the server
proved to hold, and is valid now: `crypto`, which nobody without WhatsApp's keys can give. A chain of another root is
somebody else's (`ssl_unknown_authority`), one out of date `ssl_invalid_certificate`, anything else no answer.
A middlebox can drop or reset what does not look like TLS on port 443, the prefix, the address, the WebSocket's name.
Leaks: the volunteer's address to WhatsApp, and to the path that WhatsApp is being asked; no account, no device.

Sources: whatsmeow handshake.go (root key, chain), its socket/ (WebSocket), Cobalt (bare TCP), nDPI whatsapp.c (prefix).
"""

from __future__ import annotations

from probe.codecs import whatsapp
from probe.codecs.whatsapp import ServerHello, Session
from probe.failure import TLS_AUTHORITY, TLS_CERTIFICATE, Failed
from probe.handshakes import dialogue, stream
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Expect, Grade, NoiseFacts, Operation, Step, Transport
from probe.secure.websocket import Upgrade

LIMIT = 10.0  # seconds


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Greets as a client that connects for the first time. Raises StepFailed."""
    return await _shake_hands(trace, endpoint, b"")


async def routed(trace: Trace, endpoint: Endpoint) -> Grade:
    """Greets as a client that was told before where to be routed. Raises StepFailed."""
    return await _shake_hands(trace, endpoint, whatsapp.ROUTING)


async def _shake_hands(trace: Trace, endpoint: Endpoint, prefix: bytes) -> Grade:
    header = whatsapp.BROWSER if endpoint.transport is Transport.WSS else whatsapp.PHONE
    upgrade = Upgrade(origin=f"https://{endpoint.server_name or endpoint.host}")
    async with (
        stream.opened(trace, endpoint, upgrade=upgrade) as opened,
        trace.step(Step.NOISE, LIMIT) as record,
    ):
        record.count(opened.stream.counters)
        session = Session(trace.instruments.random_bytes(32), header, prefix)
        record.operation = Operation.WRITE
        await opened.stream.send(session.hello())
        hello = await dialogue.answer(trace, record, opened.stream, session.receive)
        record.keep(NoiseFacts(leaf_sha256=hello.leaf.sha256, issuer_sha256=hello.intermediate.sha256))
        record.operation = Operation.VERIFY
        return _verified(hello, endpoint.expect, trace.instruments.now_ms() / 1000)


def _verified(hello: ServerHello, expect: Expect, now: float) -> Grade:
    """The grade that the chain proves. Raises Failed."""
    if not expect.keys:
        return Grade.BOUND
    if not any(whatsapp.is_genuine(hello, bytes.fromhex(key)) for key in expect.keys):
        raise Failed(TLS_AUTHORITY)
    if not all(certificate.covers(now) for certificate in (hello.intermediate, hello.leaf)):
        raise Failed(TLS_CERTIFICATE)
    return Grade.CRYPTO
