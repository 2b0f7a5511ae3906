"""TLS over any Stream, by pyOpenSSL on memory BIOs, so that every byte out and in is a fact.

Nothing is verified while shaking hands (probe.secure.trust does that afterwards): a stack that refuses a
certificate hides it, and the certificate is the evidence.

Our ClientHello is OpenSSL's, and the same for every service but for its name and, in some handshakes, ALPN. Its
shape, as tests/opinion has tshark say it: JA3 e90e6fe1499eeda63fc820a50a1c9adb, JA4 t13d301100_1d37bd780c83, some 340
bytes, 30 ciphers, 11 extensions, secp256r1 alone, no GREASE. An app's is its system's. In nDPI's captures, WhatsApp
on macOS in 2019 had t13d2614h2_2802a3db6c62 in 517 bytes, Viber on Android in 2018 t12d1409h2_c866b44c5a26, both with
ALPN h2; today's are known to add GREASE, X25519 and a post-quantum share that no longer fits one segment. So a censor
who goes by the name treats ours as the app's. One who goes by the shape does not, and that ours passes says nothing
of him.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from probe.failure import TLS_FAILED, UNEXPECTED_REPLY, Failed
from probe.model import Operation, TlsFacts
from probe.net.dialer import Stream
from probe.net.record import StepRecord
from probe.secure.certificates import peer_certificate_facts, peer_chain

RECORD_SIZE = 16384
OFFERS = 16  # lists of application protocols, each with a context of its own
FIRST_RECORDS = (21, 22)  # RFC 8446 section 5.1: an alert, a handshake message


class TlsStream:
    """A Stream inside TLS. `shake_hands` first."""

    def __init__(self, stream: Stream, server_name: str | None, alpn: Sequence[str] = ()) -> None:
        self.counters = stream.counters
        self._stream = stream
        self._connection = _connection(server_name, alpn)
        self._hello_sent = False

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificates that the peer sent, its own first. Raises Failed(`ssl_unknown_authority`)."""
        return peer_chain(self._connection)

    async def shake_hands(self, record: StepRecord) -> None:
        """Runs the handshake and keeps its facts in `record`, also when it fails.

        Raises OSError, EOFError, Failed(`ssl_failed_handshake`).
        """
        record.keep(TlsFacts())
        while not self._advance(record):
            await self._flush(record)
            record.operation = Operation.READ
            self._connection.bio_write(await self._receive(record))
        await self._flush(record)
        self._agreed(record)

    async def first_answer(self, record: StepRecord) -> None:
        """Runs the handshake until anything of TLS comes, be it an alert.

        Raises OSError, EOFError, Failed(`unexpected_reply`).
        """
        record.keep(TlsFacts())
        self._advance(record)
        await self._flush(record)
        record.operation = Operation.READ
        if (await self._receive(record))[0] not in FIRST_RECORDS:
            record.operation = Operation.DECODE
            raise Failed(UNEXPECTED_REPLY)

    async def send(self, data: bytes) -> None:
        self._connection.send(data)
        await self._stream.send(self._connection.bio_read(len(data) + RECORD_SIZE))

    async def receive(self) -> bytes:
        while True:
            try:
                return self._connection.recv(RECORD_SIZE)
            except SSL.WantReadError:
                data = await self._stream.receive()
                if not data:
                    return b""
                self._connection.bio_write(data)
            except (SSL.ZeroReturnError, SSL.SysCallError):
                return b""
            except SSL.Error as error:  # an alert, or bytes that are no TLS
                raise Failed(TLS_FAILED) from error

    def acknowledged(self) -> bool | None:
        return self._stream.acknowledged()

    def close(self) -> None:
        self._stream.close()

    async def _receive(self, record: StepRecord) -> bytes:
        try:
            data = await self._stream.receive()
        except asyncio.CancelledError:  # the step's limit: nothing more will come
            record.amend(TlsFacts, hello_acknowledged=self._stream.acknowledged())
            raise
        if not data:
            raise EOFError
        return data

    def _advance(self, record: StepRecord) -> bool:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            record.amend(TlsFacts, alert=alert_of(error))
            record.operation = Operation.READ
            raise Failed(TLS_FAILED) from error
        return True

    async def _flush(self, record: StepRecord) -> None:
        try:
            data = self._connection.bio_read(4 * RECORD_SIZE)
        except SSL.WantReadError:
            return
        if not self._hello_sent:
            self._hello_sent = True
            record.amend(TlsFacts, hello_bytes=len(data))
        record.operation = Operation.WRITE
        await self._stream.send(data)

    def _agreed(self, record: StepRecord) -> None:
        """Keeps the version and the cipher that were agreed on, and the certificate."""
        record.amend(
            TlsFacts,
            version=self._connection.get_protocol_version_name(),
            cipher=self._connection.get_cipher_name(),
            alpn=self._connection.get_alpn_proto_negotiated().decode("ascii", "replace") or None,
        )
        record.keep(peer_certificate_facts(record.kept(TlsFacts) or TlsFacts(), self._connection))


def _connection(server_name: str | None, alpn: Sequence[str]) -> SSL.Connection:
    connection = SSL.Connection(_context(tuple(alpn)), None)
    connection.set_connect_state()
    if server_name is not None:
        connection.set_tlsext_host_name(server_name.encode("idna"))
    return connection


@lru_cache(OFFERS)
def _context(alpn: tuple[str, ...]) -> SSL.Context:
    """The context that all connections with one offer share. It keeps no session, so none is ever resumed."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_NONE)
    # One key-share group: the ClientHello fits one segment, so that a censor or a small MTU sees it whole.
    context.set_tmp_ecdh(ec.SECP256R1())
    if alpn:
        context.set_alpn_protos([name.encode("ascii") for name in alpn])
    return context


def alert_of(error: SSL.Error) -> str | None:
    """OpenSSL's words for the alert that the peer sent, such as `tlsv1 alert internal error`.

    A SysCallError, which damaged bytes can cause too, has a number in place of OpenSSL's queue of errors.
    """
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [reason for _, _, reason in queue]
    return next((reason[:60] for reason in reasons if "alert" in reason or reason.startswith("tlsv1")), None)
