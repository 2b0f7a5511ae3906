"""QUIC (RFC 9000) over Datagrams, by aioquic's connection without its sockets: every datagram out and in is a fact.

As with TLS nothing is verified while shaking hands (probe.secure.trust does that afterwards). aioquic decides when to
send again (RFC 9002), never we. The ClientHello fits the first datagram, with room for the longest name, though aioquic
puts four key shares into it and lets nobody choose. An ICMP error or a list of versions that we do not speak is kept as
the failure to report if nothing better comes, but does not end the wait: whoever forges one would otherwise win.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence

from aioquic.buffer import Buffer  # type: ignore[attr-defined]  # its own documentation imports it from there
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent
from aioquic.quic.packet import QuicHeader, QuicPacketType, QuicProtocolVersion, pull_quic_header
from aioquic.tls import AlertDescription
from cryptography import x509
from msgspec.structs import replace

from probe.failure import INTERRUPTED, TLS_FAILED, UNEXPECTED_REPLY, Failed
from probe.model import Operation, QuicFacts, TlsFacts
from probe.net.dialer import Datagrams
from probe.net.record import StepRecord
from probe.net.waiting import LATE, Unanswered
from probe.secure.certificates import certificate_facts

VERSION = QuicProtocolVersion.VERSION_1
INCOMPATIBLE_VERSION = "quic_incompatible_version"
CRYPTO_ERRORS = range(0x100, 0x200)  # RFC 9001 section 4.8: 0x100 and the alert
CONNECTION_ID_BYTES = 8
CID_LENGTH_AT, LONG_HEADER = 5, b"\x80"
VERSIONS_KEPT = 8
MOST_CODE = 2**53 - 1  # the largest number of a record; a forged close may say more
PEER = ("peer", 0)  # aioquic's name for the other end: the socket is connected, there is only one


class QuicSession:
    """One connection, as a client. `shake_hands` first."""

    def __init__(self, datagrams: Datagrams, server_name: str | None, alpn: Sequence[str]) -> None:
        configuration = QuicConfiguration(
            alpn_protocols=list(alpn),
            connection_id_length=CONNECTION_ID_BYTES,
            server_name=server_name,
            supported_versions=[VERSION],
            verify_mode=ssl.CERT_NONE,
        )
        self.connection = QuicConnection(configuration=configuration)
        self._datagrams = datagrams
        self._facts = QuicFacts(sends=0)
        self._tls = TlsFacts()
        self._unanswered = Unanswered()

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificates that the peer sent, its own first; none before they came."""
        tls = getattr(self.connection, "tls", None)  # aioquic tells them nowhere else, in any version since the floor
        leaf: x509.Certificate | None = getattr(tls, "_peer_certificate", None)
        return [leaf, *getattr(tls, "_peer_certificate_chain", ())] if leaf else []

    async def shake_hands(self, record: StepRecord, limit: float) -> None:
        """Runs the handshake, at most `limit` seconds, and keeps its facts in `record`, also when it fails.

        Raises Failed: a timeout or the ICMP error that came, `ssl_failed_handshake`, `quic_incompatible_version`, or
        `unexpected_reply` when the peer closes for a reason of QUIC's own.
        """
        await self._connect(record, limit, self._completed)

    async def first_answer(self, record: StepRecord, limit: float) -> None:
        """Runs the handshake until something repeats the connection id which we chose. Raises like `shake_hands`."""
        await self._connect(record, limit, self._answered)

    async def next_event(self) -> QuicEvent:
        """The next event. Raises Failed as above when the connection has ended."""
        while True:
            event = self.connection.next_event()
            if isinstance(event, ConnectionTerminated):
                raise self._ended(event)
            if event is not None:
                return event
            await self._transmit()
            await self._receive()

    async def close(self) -> None:
        """Tells the peer that nothing more will come."""
        self.connection.close()
        await self._transmit()

    async def _connect(self, record: StepRecord, limit: float, until: Callable[[], Awaitable[None]]) -> None:
        record.operation = Operation.READ
        self.connection.connect(PEER, _now())
        try:
            async with asyncio.timeout(limit):
                await until()
        except TimeoutError as error:
            self._unanswered.unreadable |= self._is_answered_and_nothing_read()
            record.operation = self._unanswered.operation
            raise self._unanswered.error() from error
        finally:
            for facts in (self._facts, self._certified(), self._datagrams.icmp):
                record.keep(facts)

    async def _completed(self) -> None:
        event = await self.next_event()
        while not isinstance(event, HandshakeCompleted):
            event = await self.next_event()
        self._tls = replace(self._tls, version="TLSv1.3", alpn=event.alpn_protocol)
        await self._transmit()  # our Finished

    async def _answered(self) -> None:
        while not (self._facts.initial or self._facts.retry or self._facts.versions):
            await self._transmit()
            await self._receive()

    async def _transmit(self) -> None:
        for data, _ in self.connection.datagrams_to_send(_now()):
            self._facts = replace(self._facts, sends=self._facts.sends + 1)
            try:
                await self._datagrams.send(data)
            except OSError as error:
                self._unanswered.note(error)

    async def _receive(self) -> None:
        """The next datagram, or the next time that aioquic wants to do something.

        Raises Failed(`interrupted`) much later than that: we stood still, and aioquic would find the connection idle.
        """
        due = self.connection.get_timer()
        try:
            async with asyncio.timeout_at(due):
                data = await self._datagrams.receive()
        except TimeoutError as error:
            if due is not None and _now() - due > LATE:
                raise Failed(INTERRUPTED) from error
            self.connection.handle_timer(_now())
        except OSError as error:
            self._unanswered.note(error)
        else:
            if not self._is_version_negotiation(data):
                self.connection.receive_datagram(data, PEER, _now())

    def _is_version_negotiation(self, data: bytes) -> bool:
        """Notes the kind of a datagram. aioquic would give up at a list without our only version."""
        header = _header(data)
        if header is None or (header.version is not None and header.destination_cid != self.connection.host_cid):
            self._unanswered.unreadable |= self._carries_our_id(data)
            self._facts = replace(self._facts, unmatched=self._facts.unmatched + 1)
        elif header.packet_type == QuicPacketType.VERSION_NEGOTIATION:
            versions = tuple(f"{version:#010x}" for version in header.supported_versions[:VERSIONS_KEPT])
            self._facts, self._unanswered.failure = replace(self._facts, versions=versions), INCOMPATIBLE_VERSION
        elif header.packet_type == QuicPacketType.RETRY:
            self._facts = replace(self._facts, retry=True)
        elif header.packet_type == QuicPacketType.INITIAL:
            self._facts = replace(self._facts, initial=True)
        return header is not None and header.packet_type == QuicPacketType.VERSION_NEGOTIATION

    def _carries_our_id(self, data: bytes) -> bool:
        """A long header, however broken, is for the connection id that we chose (RFC 9000, section 17.2)."""
        length, place = data[CID_LENGTH_AT : CID_LENGTH_AT + 1], slice(CID_LENGTH_AT + 1, None)
        own = self.connection.host_cid
        return bool(data[:1] >= LONG_HEADER and length == bytes([len(own)]) and data[place].startswith(own))

    def _is_answered_and_nothing_read(self) -> bool:
        """Packets came that repeat our connection id, and not one of them could be decrypted."""
        if not (self._facts.initial or self._facts.retry):
            return False
        spaces = getattr(
            self.connection, "_spaces", {}
        )  # aioquic tells it nowhere else, in any version since the floor
        return not any(space.largest_received_packet >= 0 for space in spaces.values())

    def _ended(self, event: ConnectionTerminated) -> Failed:
        self._facts = replace(self._facts, close_code=min(event.error_code, MOST_CODE))
        if event.error_code not in CRYPTO_ERRORS or event.frame_type is None:  # None: HTTP's own, in numbers of its own
            return Failed(UNEXPECTED_REPLY)
        self._tls = replace(self._tls, alert=_alert(event.error_code - CRYPTO_ERRORS.start))
        return Failed(TLS_FAILED)

    def _certified(self) -> TlsFacts:
        return certificate_facts(self._tls, self.chain)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _header(data: bytes) -> QuicHeader | None:
    try:
        return pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
    except ValueError:
        return None


def _alert(code: int) -> str:
    try:
        return AlertDescription(code).name
    except ValueError:
        return str(code)
