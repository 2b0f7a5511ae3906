"""QUIC version 1 by its long header, and by the server name inside its Initial packets (RFC 9001 section 5.2).

The keys of an Initial follow from the connection id that it carries in clear, so that a box on the way can read it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from random import Random

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.lab.filters.aim import aim, is_of, passes
from tests.lab.filters.hello import server_name
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import parse

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
VERSION_1 = 1
VERSIONS = frozenset({bytes.fromhex("00000001"), bytes.fromhex("6b3343cf")})  # RFC 9000, RFC 9369
DRAFTS = bytes.fromhex("ff0000")
PADDING, PING, CRYPTO = 0x00, 0x01, 0x06


def make_drop(parameters: Parameters, random: Random) -> Filter:
    """Long headers disappear; with `names`, whole flows from an Initial on that names one of them."""
    meant, names = aim(parameters, "udp"), parameters.get("names")
    condemned: set[tuple[int, bytes, int, bytes, int]] = set()

    def drop(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not meant(view, up):
            return passes(packet, up)
        if names is None:
            return [] if is_long_header(view.payload) else passes(packet, up)
        if up and is_of(initial_name(view.payload) or "", names):
            condemned.add(view.flow(up))
        return [] if view.flow(up) in condemned else passes(packet, up)

    return drop


def is_long_header(payload: bytes) -> bool:
    """With the fixed bit and a version that is in use: bytes at random are not taken for QUIC."""
    known = payload[1:5] in VERSIONS or payload[1:4] == DRAFTS
    return len(payload) >= 7 and payload[0] & 0xC0 == 0xC0 and known


def initial_name(datagram: bytes) -> str | None:
    """The server name in a client's Initial; None when there is none to be read. Never raises."""
    if not is_long_header(datagram) or datagram[0] & 0x30 or int.from_bytes(datagram[1:5]) != VERSION_1:
        return None
    try:
        plain = _opened(datagram)
        return server_name(b"".join(data for _, data in sorted(_crypto(plain))))
    except (InvalidTag, IndexError, ValueError):
        return None


def keys(connection_id: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, IV and header protection key of the client's Initial packets."""
    initial = hmac.digest(SALT, connection_id, hashlib.sha256)
    client = expand(initial, b"client in", 32)
    return expand(client, b"quic key", 16), expand(client, b"quic iv", 12), expand(client, b"quic hp", 16)


def expand(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446 section 7.1, with an empty context and at most one block."""
    full = b"tls13 " + label
    info = length.to_bytes(2) + bytes((len(full),)) + full + b"\0\x01"
    return hmac.digest(secret, info, hashlib.sha256)[:length]


def header_mask(hp_key: bytes, drawn: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(hp_key), modes.ECB()).encryptor()
    return encryptor.update(drawn)[:5]


def _opened(datagram: bytes) -> bytes:
    connection_id = datagram[6 : 6 + datagram[5]]
    at = 6 + len(connection_id)
    at += 1 + datagram[at]  # the client's own connection id
    token, at = number(datagram, at)
    length, at = number(datagram, at + token)
    key, iv, hp_key = keys(connection_id)
    mask = header_mask(hp_key, datagram[at + 4 : at + 20])
    first = datagram[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    packet_number = bytes(one ^ other for one, other in zip(datagram[at : at + size], mask[1:], strict=False))
    nonce = (int.from_bytes(iv) ^ int.from_bytes(packet_number)).to_bytes(12)
    header = bytes((first,)) + datagram[1:at] + packet_number
    return AESGCM(key).decrypt(nonce, datagram[at + size : at + length], header)


def _crypto(plain: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and data of CRYPTO frames, up to the first frame of another kind."""
    at = 0
    while at < len(plain):
        kind, at = plain[at], at + 1
        if kind == CRYPTO:
            offset, at = number(plain, at)
            length, at = number(plain, at)
            yield offset, plain[at : at + length]
            at += length
        elif kind not in (PADDING, PING):
            return


def number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 section 16), and where it ends."""
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at : at + size]) & (1 << 8 * size - 2) - 1, at + size
