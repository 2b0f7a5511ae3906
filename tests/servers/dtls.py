"""DTLS servers: `openssl s_server` with its cookie exchange, and OpenSSL in this process without a socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from probe.model import IcmpFacts
from probe.net.dialer import Counters
from probe.secure.dtls import datagrams_of, records
from tests.components import program
from tests.servers.certificates import Leaf
from tests.servers.process import free_port, running

Change = Callable[[bytes], list[bytes]]


@contextmanager
def openssl_server(directory: Path, leaf: Leaf) -> Iterator[int]:
    """On a port of 127.0.0.1, which it yields; it speaks DTLS 1.2 to one client, and ends with it."""
    certificate, key = leaf.write(directory, "dtls")
    port = free_port()
    command = [program("openssl"), "s_server", "-dtls1_2", "-listen", "-quiet", "-accept", f"127.0.0.1:{port}"]
    # It ends when its standard input does, so that is a pipe which stays open because it is open for writing, too.
    os.mkfifo(directory / "input")
    held = ["sh", "-c", 'exec "$@" <> input', "sh", *command, "-cert", str(certificate), "-key", str(key)]
    with running(held, directory, [f"dtls:127.0.0.1:{port}"]):
        yield port


class DtlsPeer:
    """A client's Datagrams, with a server at the other end. `change` says what becomes of each of its datagrams.

    The first `deaf` datagrams of the client do not arrive. With `asks` it wants a certificate, and takes any.
    """

    def __init__(
        self, leaf: Leaf, *, cookie: bool = True, asks: bool = False, deaf: int = 0,
        change: Change = lambda data: [data],
    ) -> None:  # fmt: skip
        self.counters = Counters()
        self.icmp: IcmpFacts | None = None
        self.local = ("198.51.100.7", 40001)
        self.received: list[bytes] = []
        self.shown: x509.Certificate | None = None
        self.closed = False
        self._deaf = deaf
        self._change = change
        self._connection = _server(leaf, cookie, asks)
        self._listening = cookie
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def udp(self, address: str, port: int) -> DtlsPeer:
        return self

    async def send(self, data: bytes) -> None:
        self.received.append(data)
        self.counters.sent(data)
        if len(self.received) <= self._deaf:
            return
        self._connection.bio_write(data)
        self._advance()
        with suppress(SSL.WantReadError):
            for answer in datagrams_of(records(self._connection.bio_read(65536))):
                for changed in self._change(answer):
                    self._queue.put_nowait(changed)

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        data = await self._queue.get()
        self.counters.received(data)
        return data

    def close(self) -> None:
        self.closed = True

    def _advance(self) -> None:
        with suppress(SSL.WantReadError, SSL.Error):
            if self._listening:
                self._connection.DTLSv1_listen()
                self._listening = False
            self._connection.do_handshake()
            self.shown = self._connection.get_peer_certificate(as_cryptography=True)
            self._connection.recv(1)


def _server(leaf: Leaf, cookie: bool, asks: bool) -> SSL.Connection:
    context = SSL.Context(SSL.DTLS_SERVER_METHOD)
    context.use_certificate(x509.load_pem_x509_certificate(leaf.certificate))
    key = load_pem_private_key(leaf.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    context.use_privatekey(key)
    context.set_options(SSL.OP_NO_QUERY_MTU | (SSL.OP_COOKIE_EXCHANGE if cookie else 0))
    context.set_cookie_generate_callback(lambda _: b"a cookie")
    context.set_cookie_verify_callback(lambda _, given: given == b"a cookie")
    if asks:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    connection = SSL.Connection(context, None)
    connection.set_ciphertext_mtu(1200)
    connection.set_accept_state()
    return connection
