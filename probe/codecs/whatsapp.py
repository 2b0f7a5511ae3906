"""WhatsApp's opening of its chat connection, as far as it goes without an account.

    → [ED 00 01, three bytes of length, routing]  WA, two version bytes   once, before the first frame
    → frame: client hello with our ephemeral key
    ← frame: server hello with its ephemeral key, its static key and its certificate chain, the last two encrypted

A frame is three bytes of length, highest first, and a HandshakeMessage of Protocol Buffers. The two version bytes
belong to the transcript, the routing prefix does not. The session ends there: the next message would log us in.

Sources: whatsmeow (handshake.go, socket/), Cobalt (the phones' header on a bare connection to g.whatsapp.net:443),
nDPI's captures wa_voice, whatsapp and whatsapp_login_call (the routing prefix).
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

from probe.codecs import noise, protobuf, xeddsa

PHONE = b"WA\x05\x03"  # what phones say on a bare TCP connection
BROWSER = b"WA\x06\x03"  # what WhatsApp Web and linked devices say inside a WebSocket
ROUTING = bytes.fromhex("4544000100000408080802")  # as seen; the server had told the client so earlier

LENGTH_BYTES = 3
MAX_FRAME = 8192  # bytes; a genuine server hello has some 400
CLIENT_HELLO, SERVER_HELLO = 2, 3  # fields of HandshakeMessage
EPHEMERAL, STATIC, PAYLOAD = 1, 2, 3  # fields of either hello
LEAF, INTERMEDIATE = 1, 2  # fields of CertChain
DETAILS, SIGNATURE = 1, 2  # fields of a certificate
SERIAL, ISSUER, KEY, NOT_BEFORE, NOT_AFTER = 1, 2, 3, 4, 5  # fields of its details
ROOT_SERIAL = 0


class Certificate(Struct, frozen=True):
    """One certificate: `details` are the bytes that are signed; times in seconds of Unix UTC."""

    details: bytes
    signature: bytes
    serial: int
    issuer: int  # the serial of the one that signed it
    key: bytes  # X25519
    not_before: int
    not_after: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.details + self.signature).hexdigest()

    def covers(self, seconds: float) -> bool:
        return self.not_before <= seconds <= self.not_after


class ServerHello(Struct, frozen=True):
    """The server's hello. It holds the key `static`, that is proved; whose key it is, the certificates have to say."""

    static: bytes
    leaf: Certificate
    intermediate: Certificate


class Session:
    """One connection. Bytes go in as they come; `ephemeral` is 32 random bytes."""

    def __init__(self, ephemeral: bytes, header: bytes, prefix: bytes = b"") -> None:
        self._noise = noise.Initiator(header, ephemeral)
        self._opening = prefix + header
        self._buffer = b""

    def hello(self) -> bytes:
        """The client hello, which is all that we ever send."""
        hello = protobuf.pack((EPHEMERAL, self._noise.first()))
        return self._opening + frame(protobuf.pack((CLIENT_HELLO, hello)))

    def receive(self, data: bytes) -> ServerHello | None:
        """The server's hello; None while more is to come. Raises ValueError for what answers no hello of ours."""
        self._buffer += data
        if len(self._buffer) < LENGTH_BYTES:
            return None
        size = int.from_bytes(self._buffer[:LENGTH_BYTES])
        if size > MAX_FRAME:
            raise ValueError(f"a first frame of {size} bytes is no server hello")
        if len(self._buffer) < LENGTH_BYTES + size:
            return None
        return self._read(self._buffer[LENGTH_BYTES : LENGTH_BYTES + size])

    def _read(self, message: bytes) -> ServerHello:
        hello = protobuf.fields(protobuf.bytes_of(protobuf.fields(message), SERVER_HELLO))
        ephemeral = protobuf.bytes_of(hello, EPHEMERAL, noise.KEY_BYTES)
        static = protobuf.bytes_of(hello, STATIC, noise.KEY_BYTES + noise.TAG_BYTES)
        second = self._noise.second(ephemeral + static + protobuf.bytes_of(hello, PAYLOAD))
        chain = protobuf.fields(second.payload)
        return ServerHello(second.static, _certificate(chain, LEAF), _certificate(chain, INTERMEDIATE))


def frame(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_BYTES) + message


def is_genuine(hello: ServerHello, root: bytes) -> bool:
    """The chain is genuine: `root` (X25519) signed the intermediate, and that the leaf with the proved key."""
    leaf, intermediate = hello.leaf, hello.intermediate
    return (
        xeddsa.is_signed_by(root, intermediate.details, intermediate.signature)
        and intermediate.issuer == ROOT_SERIAL
        and xeddsa.is_signed_by(intermediate.key, leaf.details, leaf.signature)
        and leaf.issuer == intermediate.serial
        and leaf.key == hello.static
    )


def _certificate(chain: dict[int, protobuf.Value], number: int) -> Certificate:
    """The certificate in this field. Raises ValueError."""
    signed = protobuf.fields(protobuf.bytes_of(chain, number))
    details = protobuf.bytes_of(signed, DETAILS)
    signature = protobuf.bytes_of(signed, SIGNATURE, xeddsa.SIGNATURE_BYTES)
    inside = protobuf.fields(details)
    return Certificate(
        details,
        signature,
        serial=protobuf.integer_of(inside, SERIAL),
        issuer=protobuf.integer_of(inside, ISSUER),
        key=protobuf.bytes_of(inside, KEY, noise.KEY_BYTES),
        not_before=protobuf.integer_of(inside, NOT_BEFORE),
        not_after=protobuf.integer_of(inside, NOT_AFTER),
    )
