"""Telegram's MTProto up to the server's first answer: req_pq_multi → resPQ, in three ways to put it on a stream.

The request is a message without a key (core.telegram.org/mtproto/description#unencrypted-message): eight zeros, a
message id made of the time, a length, and a nonce of ours, which the answer repeats. The answer lists fingerprints of
the RSA keys that the server says it has. Going on to the Diffie-Hellman exchange would prove that it has them.

On the stream (core.telegram.org/mtproto/mtproto-transports) the same message looks different to whoever watches:
    abridged       EF once, then a length in words, one byte
    intermediate   EE EE EE EE once, then a length in bytes, four bytes
    obfuscated     64 random bytes, then everything under AES-256-CTR with keys that stand in them; abridged inside
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from msgspec import Struct

NONCE_BYTES = 16
UNENCRYPTED = struct.Struct("<QQI")  # auth_key_id, message_id, length of what follows
REQ_PQ_MULTI, RES_PQ, VECTOR = 0xBE7E8EF1, 0x05162463, 0x1CB5C415  # TL constructors
MAX_FINGERPRINTS = 16
MAX_PACKET = 4096  # bytes; a genuine resPQ has some 100

ABRIDGED, INTERMEDIATE = b"\xef", b"\xee" * 4
LONG = 0x7F  # of a length of one byte: three more follow
SEED_BYTES = 64
KEY, COUNTER, TAG = slice(8, 40), slice(40, 56), slice(56, 60)  # places in the 64 bytes
# What the 64 bytes must not begin with, or a server takes them for another way of speaking, or for HTTP or TLS.
OTHER_BEGINNINGS = (b"HEAD", b"POST", b"GET ", b"OPTI", b"\x16\x03\x01\x02", INTERMEDIATE, b"\xdd" * 4)


class ResPq(Struct, frozen=True):
    """The answer: that it repeats our nonce is checked; fingerprints are eight bytes, as they stand on the wire."""

    server_nonce: bytes
    pq: bytes
    fingerprints: tuple[bytes, ...]


class Refused(ValueError):
    """The server answered with an error of its transport, such as -404 or -429, instead of a message."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the server's transport refused with {code}")
        self.code = code


def request(nonce: bytes, unix_ms: int) -> bytes:
    """req_pq_multi, with the time in the upper half of the message id."""
    body = struct.pack("<I", REQ_PQ_MULTI) + nonce
    message_id = (unix_ms << 32) // 1000 & (1 << 64) - 4  # divisible by four, as a client's has to be
    return UNENCRYPTED.pack(0, message_id, len(body)) + body


def parse(packet: bytes, nonce: bytes) -> ResPq:
    """The answer in a packet to the request with this nonce. Raises ValueError."""
    if len(packet) == 4:
        raise Refused(int.from_bytes(packet, "little", signed=True))
    if len(packet) < UNENCRYPTED.size:
        raise ValueError("a message has at least 20 bytes")
    key, _, length = UNENCRYPTED.unpack_from(packet)
    body = packet[UNENCRYPTED.size :]
    if key or length != len(body):
        raise ValueError("it is no message without a key, or its length is wrong")
    if len(body) < 36 or int.from_bytes(body[:4], "little") != RES_PQ:
        raise ValueError("it is no resPQ")
    if body[4:20] != nonce:
        raise ValueError("it answers another request")
    pq, rest = _bytes(body[36:])
    return ResPq(body[20:36], pq, _fingerprints(rest))


def _bytes(data: bytes) -> tuple[bytes, bytes]:
    """A short TL string, padded to a multiple of four bytes, and what follows it."""
    if not data or data[0] > 253:
        raise ValueError("pq is missing or too long")
    end = 1 + data[0]
    if len(data) < end + -end % 4:
        raise ValueError("pq is cut off")
    return data[1:end], data[end + -end % 4 :]


def _fingerprints(data: bytes) -> tuple[bytes, ...]:
    if len(data) < 8:
        raise ValueError("the fingerprints are missing")
    constructor, count = struct.unpack_from("<II", data)
    if constructor != VECTOR or count > MAX_FINGERPRINTS or len(data) != 8 + 8 * count:
        raise ValueError("the fingerprints are no vector of as many as it says")
    return tuple(data[at : at + 8] for at in range(8, len(data), 8))


# --- Ways to put packets on a stream --------------------------------------------------------------------------------


class Framing(NamedTuple):
    """A framing of packets. `opening` is said once; `unpack` gives a packet and what follows, None while it is cut."""

    opening: bytes
    pack: Callable[[bytes], bytes]
    unpack: Callable[[bytes], tuple[bytes, bytes] | None]


def pack_abridged(packet: bytes) -> bytes:
    words = len(packet) // 4
    return (bytes([words]) if words < LONG else bytes([LONG]) + words.to_bytes(3, "little")) + packet


def unpack_abridged(data: bytes) -> tuple[bytes, bytes] | None:
    """The first packet and what follows it. Raises ValueError for a length that no answer to us has."""
    if not data:
        return None
    if data[0] > LONG:
        raise ValueError("it is no answer in the abridged framing")
    head = 4 if data[0] == LONG else 1
    if len(data) < head:
        return None
    return _cut(data, head, 4 * (int.from_bytes(data[1:4], "little") if head == 4 else data[0]))


def pack_intermediate(packet: bytes) -> bytes:
    return len(packet).to_bytes(4, "little") + packet


def unpack_intermediate(data: bytes) -> tuple[bytes, bytes] | None:
    """The first packet and what follows it. Raises ValueError, as above."""
    return _cut(data, 4, int.from_bytes(data[:4], "little")) if len(data) >= 4 else None


def _cut(data: bytes, head: int, size: int) -> tuple[bytes, bytes] | None:
    if not 0 < size <= MAX_PACKET:
        raise ValueError(f"a packet of {size} bytes answers nothing of ours")
    end = head + size
    return (data[head:end], data[end:]) if len(data) >= end else None


FRAMINGS = {
    "abridged": Framing(ABRIDGED, pack_abridged, unpack_abridged),
    "intermediate": Framing(INTERMEDIATE, pack_intermediate, unpack_intermediate),
}


class Obfuscation:
    """A cipher that hides a stream from whoever does not look for 64 bytes of noise. `seed` is of `usable_seed`."""

    def __init__(self, seed: bytes, tag: bytes) -> None:
        plain = seed[: TAG.start] + tag + seed[TAG.stop :]
        backwards = plain[COUNTER.stop - 1 : KEY.start - 1 : -1]
        self._out = _keystream(plain[KEY], plain[COUNTER])
        self._in = _keystream(backwards[:32], backwards[32:])
        self.opening = plain[: TAG.start] + self._out.update(plain)[TAG.start :]

    def hide(self, data: bytes) -> bytes:
        return self._out.update(data)

    def show(self, data: bytes) -> bytes:
        return self._in.update(data)


def usable_seed(random_bytes: Callable[[int], bytes]) -> bytes:
    """64 bytes that do not begin like anything else that a server understands."""
    while True:
        seed = random_bytes(SEED_BYTES)
        if not seed.startswith((ABRIDGED, *OTHER_BEGINNINGS)) and any(seed[4:8]):
            return seed


def _keystream(key: bytes, counter: bytes) -> CipherContext:
    return Cipher(AES(key), CTR(counter)).encryptor()  # which also decrypts: CTR is its own inverse


class Session:
    """One connection, in one framing, hidden or not. Bytes go in as they come."""

    def __init__(self, nonce: bytes, framing: Framing, obfuscation: Obfuscation | None = None) -> None:
        self._nonce, self._framing, self._obfuscation = nonce, framing, obfuscation
        self._buffer = b""

    def request(self, unix_ms: int) -> bytes:
        """The request, which is all that we ever send."""
        packet = self._framing.pack(request(self._nonce, unix_ms))
        if self._obfuscation is None:
            return self._framing.opening + packet
        return self._obfuscation.opening + self._obfuscation.hide(packet)

    def receive(self, data: bytes) -> ResPq | None:
        """The answer; None while more is to come. Raises ValueError (Refused among them) for any other."""
        self._buffer += self._obfuscation.show(data) if self._obfuscation else data
        unpacked = self._framing.unpack(self._buffer)
        return None if unpacked is None else parse(unpacked[0], self._nonce)
