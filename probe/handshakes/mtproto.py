"""Telegram's data centres, asked for the first step of a key exchange: req_pq_multi → resPQ, in three framings.

Sent: one message without a key (40 bytes) with 16 random bytes and the time, in the framing that the handshake is
named for: plain `mtproto-abridged` and `mtproto-intermediate`, which a filter knows by their first bytes, and
`mtproto-obfuscated`, which looks like nothing. One thing changed at one address: where the plain one dies and the
hidden one passes, somebody reads the bytes. Answer: a resPQ with our random bytes is `bound`; with the fingerprint of
one of Telegram's published keys `marked`. Fingerprints are public, so whoever speaks MTProto could send them; the
Diffie-Hellman exchange that would prove the key (`crypto`, still without an account) is not made.
A middlebox can drop or reset the plain framings, anything that it cannot name, or the address.
Leaks: the volunteer's address to Telegram, and to the path that Telegram is being asked; no account, no device.

Sources: core.telegram.org/mtproto/mtproto-transports and /mtproto/auth_key; Telethon, tdesktop (keys).
"""

from __future__ import annotations

from collections.abc import Collection

from probe.codecs import mtproto
from probe.codecs.mtproto import FRAMINGS, NONCE_BYTES, Obfuscation, Refused, ResPq, Session
from probe.handshakes import dialogue, stream
from probe.handshakes.trace import Trace
from probe.model import Endpoint, Grade, MtprotoFacts, Operation, Step
from probe.net.dialer import Stream
from probe.net.record import StepRecord

LIMIT = 10.0  # seconds
INSIDE = "abridged"  # the framing under the obfuscation


async def abridged(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks in the abridged framing. Raises StepFailed."""
    return await _shake_hands(trace, endpoint, Session(_nonce(trace), FRAMINGS["abridged"]))


async def intermediate(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks in the intermediate framing. Raises StepFailed."""
    return await _shake_hands(trace, endpoint, Session(_nonce(trace), FRAMINGS["intermediate"]))


async def obfuscated(trace: Trace, endpoint: Endpoint) -> Grade:
    """Asks under a cipher that looks like noise. Raises StepFailed."""
    seed = mtproto.usable_seed(trace.instruments.random_bytes)
    hidden = Obfuscation(seed, FRAMINGS[INSIDE].opening * 4)
    return await _shake_hands(trace, endpoint, Session(_nonce(trace), FRAMINGS[INSIDE], hidden))


def _nonce(trace: Trace) -> bytes:
    return trace.instruments.random_bytes(NONCE_BYTES)


async def _shake_hands(trace: Trace, endpoint: Endpoint, session: Session) -> Grade:
    async with stream.opened(trace, endpoint) as opened, trace.step(Step.MTPROTO, LIMIT) as record:
        record.count(opened.stream.counters)
        record.operation = Operation.WRITE
        await opened.stream.send(session.request(trace.instruments.now_ms()))
        answer = await _answer(trace, record, session, opened.stream)
        known = _is_known(answer.fingerprints, endpoint.expect.keys)
        record.keep(MtprotoFacts(known_key=known))
    return Grade.MARKED if known else Grade.BOUND


async def _answer(trace: Trace, record: StepRecord, session: Session, opened: Stream) -> ResPq:
    def receive(data: bytes) -> ResPq | None:
        try:
            return session.receive(data)
        except Refused as error:
            record.keep(MtprotoFacts(refused=error.code))
            raise

    return await dialogue.answer(trace, record, opened, receive)


def _is_known(fingerprints: Collection[bytes], keys: Collection[str]) -> bool:
    return any(fingerprint.hex() in keys for fingerprint in fingerprints)
