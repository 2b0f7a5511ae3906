"""OpenSSL's server half of TLS without a socket: a script's reply (tests/scripted.py) to what a client sends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from tests.servers.certificates import Leaf


class TlsPeer:
    """`answer` gives what is said inside TLS to what came inside TLS; with `alpn` only that is agreed on."""

    def __init__(self, leaf: Leaf, answer: Callable[[bytes], bytes], alpn: bytes | None = None) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate(x509.load_pem_x509_certificate(leaf.certificate))
        key = load_pem_private_key(leaf.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        context.use_privatekey(key)
        if alpn is not None:
            context.set_alpn_select_callback(
                lambda _, offered: alpn if alpn in offered else SSL.NO_OVERLAPPING_PROTOCOLS
            )
        self.heard: list[bytes] = []
        self._answer = answer
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()

    def __call__(self, data: bytes) -> bytes:
        self._connection.bio_write(data)
        with suppress(SSL.Error):
            self._connection.do_handshake()
            while True:
                self.heard.append(self._connection.recv(65536))
                answer = self._answer(self.heard[-1])
                if answer:
                    self._connection.sendall(answer)
        try:
            return self._connection.bio_read(65536)
        except SSL.WantReadError:
            return b""
