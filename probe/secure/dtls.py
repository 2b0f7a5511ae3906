"""DTLS 1.2 (RFC 6347) over Datagrams, by pyOpenSSL on memory BIOs: the encryption under which calls agree on keys.

Two hellos, as censors tell them apart (Russia has dropped pion's since 2021): the cipher suites, SRTP profiles, session
ticket and the version of the first record are those of Chrome 124 to 126 and of pion v3. The rest is OpenSSL's own: the
order of extensions, five groups where they have three, its signature algorithms. What was not answered is sent again
on our schedule, for OpenSSL's clock cannot be handed to it; of itself it does so too, if a whole second has passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct
from msgspec.structs import replace
from OpenSSL import SSL

from probe.failure import TLS_FAILED, Failed
from probe.model import DtlsFacts, Operation, TlsFacts
from probe.net.dialer import Datagrams
from probe.net.record import StepRecord
from probe.net.waiting import Unanswered
from probe.secure.certificates import peer_certificate_facts, peer_chain
from probe.secure.tls import alert_of

DTLS_1_2, VERSION_1_2 = 0xFEFD, b"\xfe\xfd"
NO_ENCRYPT_THEN_MAC = 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC (openssl/ssl.h): neither Chrome nor pion offers it
MTU, BIO_BYTES = 1200, 65536
DAY = timedelta(days=1)

# RFC 6347 section 4.1: type, version, epoch, number, length. An epoch 0 is in clear.
HEADER_BYTES = 13
EPOCH, NUMBER, LENGTH = slice(3, 5), slice(5, 11), slice(11, 13)
EPOCH_0, MAJOR_VERSION = bytes(2), 0xFE
NUMBER_STEP = 8  # more than the records of one flight
RECORD_TYPES = range(20, 26)
HANDSHAKE, SERVER_HELLO, HELLO_VERIFY_REQUEST = 22, 2, 3


class Hello(Struct, frozen=True, kw_only=True):
    """The parts of a ClientHello that can be chosen, in OpenSSL's words."""

    ciphers: str
    srtp: str
    ticket: bool
    as_1_2: bool  # what records say of their version before it is agreed on; else they say 1.0


BROWSER = Hello(
    ciphers=(
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
        "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:"
        "ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES128-SHA:AES256-SHA"
    ),
    srtp="SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM",
    ticket=True,
    as_1_2=False,
)
PION = Hello(
    ciphers=(
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
        "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
    ),
    srtp="SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80",
    ticket=False,
    as_1_2=True,
)


class DtlsSession:
    """One handshake, as a client; `now_ms` dates the certificate that we show if asked for one."""

    def __init__(self, datagrams: Datagrams, server_name: str | None, hello: Hello, now_ms: int) -> None:
        self._datagrams = datagrams
        self._hello = hello
        self._connection = _connection(server_name, hello, now_ms)
        self._facts = DtlsFacts(sends=0)
        self._tls = TlsFacts()
        self._unanswered = Unanswered()
        self._completed = False
        self._answered = False  # by anything that is DTLS

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificates that the peer sent, its own first. Raises Failed(`ssl_unknown_authority`)."""
        return peer_chain(self._connection)

    async def shake_hands(self, record: StepRecord, limit: float, offsets: Sequence[float]) -> None:
        """Runs the handshake, at most `limit` seconds; `offsets` are those at which what is not answered is sent.

        Its facts are kept in `record`, also when it fails. Raises Failed: a timeout, the ICMP error that came, or
        `ssl_failed_handshake`.
        """
        await self._run(record, limit, offsets, lambda: self._completed)

    async def first_answer(self, record: StepRecord, limit: float, offsets: Sequence[float]) -> None:
        """Runs the handshake only until a HelloVerifyRequest or a ServerHello comes. Raises like `shake_hands`."""
        await self._run(record, limit, offsets, lambda: self._facts.hello_verify or self._facts.server_hello)

    async def close(self) -> None:
        """Tells the peer that nothing more will come."""
        with suppress(SSL.Error):
            self._connection.shutdown()
        await self._send(self._written())

    async def _run(self, record: StepRecord, limit: float, offsets: Sequence[float], done: Callable[[], bool]) -> None:
        record.operation = Operation.READ
        try:
            async with asyncio.timeout(limit):
                flight: Sequence[bytes] = self._advance()
                self._tls = replace(self._tls, hello_bytes=sum(map(len, flight)))
                while not done():
                    flight = await self._exchange(flight, offsets, done)
        except TimeoutError as error:
            began = self._facts.hello_verify or self._facts.server_hello
            self._unanswered.unreadable |= self._answered and not began
            record.operation = self._unanswered.operation
            raise self._unanswered.error() from error
        finally:
            for facts in (self._facts, self._certified(), self._datagrams.icmp):
                record.keep(facts)

    async def _exchange(
        self, flight: Sequence[bytes], offsets: Sequence[float], done: Callable[[], bool]
    ) -> Sequence[bytes]:
        """Sends a flight until the peer's calls for the next one, which it gives."""
        start = asyncio.get_running_loop().time()
        for nth, end in enumerate((*offsets[1:], None)):
            await self._send(again(datagram, nth) for datagram in flight)
            try:
                async with asyncio.timeout_at(None if end is None else start + end):
                    return await self._next_flight(done)
            except TimeoutError:
                continue
        raise AssertionError("the last wait has no end of its own")

    async def _next_flight(self, done: Callable[[], bool]) -> Sequence[bytes]:
        while True:
            data = await self._receive()
            self._connection.bio_write(data)
            flight = self._advance()
            if flight or done():
                return flight

    async def _send(self, datagrams: Iterable[bytes]) -> None:
        for datagram in datagrams:
            self._facts = replace(self._facts, sends=self._facts.sends + 1)
            try:
                await self._datagrams.send(datagram)
            except OSError as error:
                self._unanswered.note(error)

    async def _receive(self) -> bytes:
        """The next datagram that is DTLS; an ICMP error is kept and ends nothing."""
        while True:
            try:
                data = await self._datagrams.receive()
            except OSError as error:
                self._unanswered.note(error)
                continue
            if self._note(data):
                return data
            self._unanswered.unreadable |= is_of_dtls(data)
            self._facts = replace(self._facts, unmatched=self._facts.unmatched + 1)

    def _note(self, data: bytes) -> bool:
        """The datagram is DTLS; keeps which of the server's first messages it has."""
        found = records(data)
        said = {each[HEADER_BYTES] for each in found if each[0] == HANDSHAKE and each[EPOCH] == EPOCH_0}
        self._facts = replace(
            self._facts,
            hello_verify=self._facts.hello_verify or HELLO_VERIFY_REQUEST in said,
            server_hello=self._facts.server_hello or SERVER_HELLO in said,
        )
        self._answered |= bool(found)
        return bool(found)

    def _advance(self) -> list[bytes]:
        """The datagrams that OpenSSL now wants to send. Raises Failed."""
        try:
            self._connection.do_handshake()
            self._completed = True
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._tls = replace(self._tls, alert=alert_of(error))
            raise Failed(TLS_FAILED) from error
        return self._written()

    def _written(self) -> list[bytes]:
        try:
            written = records(self._connection.bio_read(BIO_BYTES))
        except SSL.WantReadError:
            return []
        if self._hello.as_1_2:
            written = [record[:1] + VERSION_1_2 + record[3:] for record in written]
        return datagrams_of(written)

    def _certified(self) -> TlsFacts:
        if self._connection.get_peer_certificate() is None:
            return self._tls
        agreed = replace(
            self._tls,
            version=self._connection.get_protocol_version_name(),
            cipher=self._connection.get_cipher_name(),
        )
        return peer_certificate_facts(agreed, self._connection)


def records(data: bytes) -> list[bytes]:
    """The DTLS records of a datagram, each with its header; none when it is not made of them."""
    found, position = [], 0
    while position < len(data):
        header = data[position : position + HEADER_BYTES]
        end = position + HEADER_BYTES + int.from_bytes(header[LENGTH])
        known = len(header) == HEADER_BYTES and header[0] in RECORD_TYPES and header[1] == MAJOR_VERSION
        if not known or end > len(data) or end == position + HEADER_BYTES:
            return []
        found.append(data[position:end])
        position = end
    return found


def is_of_dtls(data: bytes) -> bool:
    """The datagram begins as a record does, whatever is wrong behind that."""
    return len(data) > 1 and data[0] in RECORD_TYPES and data[1] == MAJOR_VERSION


def datagrams_of(written: Iterable[bytes]) -> list[bytes]:
    """OpenSSL's records, which a memory BIO runs together, in datagrams no longer than a path carries."""
    packed: list[bytes] = []
    for record in written:
        if packed and len(packed[-1]) + len(record) <= MTU:
            packed[-1] += record
        else:
            packed.append(record)
    return packed


def again(datagram: bytes, nth: int) -> bytes:
    """The datagram as it is sent for the nth time: what is in clear gets numbers that the peer has not seen yet.

    RFC 6347 section 4.1.2.6: a record that comes twice with one number is dropped.
    """
    return b"".join(
        record[:5] + (int.from_bytes(record[NUMBER]) + nth * NUMBER_STEP).to_bytes(6) + record[11:]
        if record[EPOCH] == EPOCH_0
        else record
        for record in records(datagram)
    )


def _connection(server_name: str | None, hello: Hello, now_ms: int) -> SSL.Connection:
    context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_min_proto_version(DTLS_1_2)
    context.set_max_proto_version(DTLS_1_2)
    context.set_options(SSL.OP_NO_QUERY_MTU | NO_ENCRYPT_THEN_MAC | (0 if hello.ticket else SSL.OP_NO_TICKET))
    context.set_cipher_list(hello.ciphers.encode("ascii"))
    context.set_tlsext_use_srtp(hello.srtp.encode("ascii"))
    _show_nobody(context, now_ms)
    connection = SSL.Connection(context, None)
    connection.set_ciphertext_mtu(MTU)
    connection.set_connect_state()
    if server_name is not None:
        connection.set_tlsext_host_name(server_name.encode("idna"))
    return connection


def _show_nobody(context: SSL.Context, now_ms: int) -> None:
    """A key made for this handshake and a certificate of nobody's, as browsers show to whoever asks for one."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WebRTC")])
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
    context.use_certificate(builder.sign(key, hashes.SHA256()))
    context.use_privatekey(key)
