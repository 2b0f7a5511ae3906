"""A data centre of Telegram's up to resPQ, in every framing, with fingerprints of our own.

python -m tests.servers.mtproto --key FINGERPRINT --listen ADDRESS:PORT …     FINGERPRINT: 8 bytes in hex
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tests.servers import streams
from tests.servers.streams import IMPOSTORS, Makes

KEY = bytes.fromhex("0102030405060708")  # a fingerprint for tests that need no other
PQ = bytes.fromhex("17ed48941a08f981")
ABRIDGED, INTERMEDIATE, HIDDEN = 0xEF, b"\xee" * 4, 64


def res_pq(nonce: bytes, fingerprints: Sequence[bytes]) -> bytes:
    body = struct.pack("<I", 0x05162463) + nonce + os.urandom(16) + bytes([8]) + PQ + bytes(3)
    body += struct.pack("<II", 0x1CB5C415, len(fingerprints)) + b"".join(fingerprints)
    return struct.pack("<qqI", 0, 0x51E57AC91E83C801, len(body)) + body


def answer(packet: bytes, fingerprints: Sequence[bytes]) -> bytes:
    """To req_pq_multi; a transport error to anything else."""
    key, message_id, length, constructor = struct.unpack_from("<qqII", packet)
    if key or message_id % 4 or length != 20 or len(packet) != 40 or constructor != 0xBE7E8EF1:
        return struct.pack("<i", -404)
    return res_pq(packet[24:], fingerprints)


class DataCentre:
    """One connection of a client. Raises ValueError for a client that speaks otherwise."""

    def __init__(self, *fingerprints: bytes, refuses: int = 0) -> None:
        self._fingerprints, self._refuses = fingerprints, refuses
        self._buffer = b""
        self.framing = ""  # once known
        self._out = self._in = None

    def receive(self, data: bytes) -> bytes:
        self._buffer += self._in.update(data) if self._in else data
        if not self.framing:
            self._open()
        reply = b""
        while (packet := self._packet()) is not None:
            said = struct.pack("<i", self._refuses) if self._refuses else answer(packet, self._fingerprints)
            reply += self._framed(said)
        return self._out.update(reply) if self._out else reply

    def _open(self) -> None:
        if self._buffer[:1] == bytes([ABRIDGED]):
            self.framing, self._buffer = "abridged", self._buffer[1:]
        elif self._buffer.startswith(INTERMEDIATE):
            self.framing, self._buffer = "intermediate", self._buffer[4:]
        elif len(self._buffer) >= HIDDEN:
            self._uncover(self._buffer[:HIDDEN], self._buffer[HIDDEN:])

    def _uncover(self, header: bytes, rest: bytes) -> None:
        keys, backwards = header[8:56], header[8:56][::-1]
        self._in = Cipher(AES(keys[:32]), CTR(keys[32:])).decryptor()
        self._out = Cipher(AES(backwards[:32]), CTR(backwards[32:])).encryptor()
        tag = self._in.update(header)[56:60]
        if tag not in (bytes([ABRIDGED]) * 4, INTERMEDIATE):
            raise ValueError("no tag that we know")
        self.framing = "abridged" if tag[0] == ABRIDGED else "intermediate"
        self._buffer = self._in.update(rest)

    def _packet(self) -> bytes | None:
        head, size = (1, 4 * self._buffer[0]) if self.framing == "abridged" and self._buffer else (4, 0)
        if self.framing == "intermediate" and len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "little")
        if not size or len(self._buffer) < head + size:
            return None
        packet, self._buffer = self._buffer[head : head + size], self._buffer[head + size :]
        return packet

    def _framed(self, packet: bytes) -> bytes:
        if self.framing == "abridged":
            return bytes([len(packet) // 4]) + packet
        return len(packet).to_bytes(4, "little") + packet


def guises(key: bytes) -> Mapping[str, Makes]:
    """The genuine server and its impostors, by name."""
    recorded = res_pq(bytes(16), [key])
    return {
        "genuine": lambda: DataCentre(os.urandom(8), key),
        "other-key": lambda: DataCentre(os.urandom(8)),
        "refusing": lambda: DataCentre(key, refuses=-429),
        "replay": lambda: streams.Says(bytes([len(recorded) // 4]) + recorded),
        **IMPOSTORS,
    }


@contextmanager
def mtproto_server(
    directory: Path,
    places: Sequence[tuple[str, int]],
    key: bytes = KEY,
    guise: str = "genuine",
    inside: str | None = None,
) -> Iterator[str]:
    """As a process of its own; gives the fingerprint, in hex, for the targets file."""
    more = ["--key", key.hex(), "--as", guise]
    with streams.program("tests.servers.mtproto", directory, {"--listen": places}, more, inside):
        yield key.hex()


def main() -> None:
    parser = streams.arguments("A data centre of Telegram's up to resPQ, with a fingerprint of our own.")
    parser.add_argument("--key", default=KEY.hex(), help="fingerprint of its key, 8 bytes in hex")
    given = parser.parse_args()
    asyncio.run(streams.serve(guises(bytes.fromhex(given.key))[given.guise], given.listen))


if __name__ == "__main__":
    main()
