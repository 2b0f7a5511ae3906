"""WhatsApp's chat server up to its hello, with a root key of our own, on the primitives of the package noiseprotocol.

    python -m tests.servers.noise --root SEED --listen ADDRESS:PORT …     SEED: 32 bytes in hex
        --wss ADDRESS:PORT --certificate PEM --key PEM                    the same inside a WebSocket

`Signer(bytes.fromhex(SEED)).public.hex()` is the root key for the targets file.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from noise.backends.default import DefaultNoiseBackend
from noise.noise_protocol import NoiseProtocol
from noise.state import SymmetricState

from tests.servers import streams
from tests.servers.certificates import Leaf
from tests.servers.streams import IMPOSTORS, Makes

SEED = bytes(range(32))  # of a root for tests that need no other
DAY = 86400
PATH = "/ws/chat"  # of the WebSocket
PREFIX, HELLO = b"ED\0\1", b"\x12\x22\x0a\x20"  # a routing prefix begins so, a client hello so


class Signer:
    """A Curve25519 key that signs as XEdDSA verifies: the Ed25519 key of the seed, seen from the other curve."""

    def __init__(self, seed: bytes) -> None:
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(seed)
        self.private = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        sign_of_key = self._ed25519.public_key().public_bytes_raw()[-1] & 0x80
        signature = self._ed25519.sign(message)
        return signature[:-1] + bytes([signature[-1] | sign_of_key])


@dataclass(frozen=True)
class Identity:
    """A server's static key, and the chain of certificates that it shows for it."""

    static: X25519PrivateKey
    chain: bytes


def identity(root: Signer, since: float | None = None, lasts: float = 30 * DAY, **wrong: int | bytes) -> Identity:
    """Valid from a day ago, or from `since`. `wrong` replaces a field: `issuer`, `leaf_issuer` or `leaf_key`."""
    begins = int(time.time() - DAY if since is None else since)
    static, signer = X25519PrivateKey.generate(), Signer(os.urandom(32))
    valid = ((4, begins), (5, begins + int(lasts)))
    middle = signed(root, (1, 7), (2, wrong.get("issuer", 0)), (3, signer.public), *valid)
    key = wrong.get("leaf_key", static.public_key().public_bytes_raw())
    leaf = signed(signer, (1, 9), (2, wrong.get("leaf_issuer", 7)), (3, key), *valid)
    return Identity(static, message((1, leaf), (2, middle)))


def signed(by: Signer, *details: tuple[int, int | bytes]) -> bytes:
    content = message(*details)
    return message((1, content), (2, by.sign(content)))


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """Protocol Buffers, by hand once more."""
    return b"".join(
        varint(number << 3) + varint(value)
        if isinstance(value, int)
        else varint(number << 3 | 2) + varint(len(value)) + value
        for number, value in fields
    )


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


class Chat:
    """One connection of a client to the server. Raises ValueError for a client that speaks otherwise."""

    def __init__(self, who: Identity) -> None:
        self._who, self._buffer, self.prefixed = who, b"", False

    def receive(self, data: bytes) -> bytes:
        self._buffer += data
        if self._buffer.startswith(PREFIX):
            self._buffer, self.prefixed = self._buffer[7 + int.from_bytes(self._buffer[4:7]) :], True
        if len(self._buffer) < 4 + 3 + 36:
            return b""
        header, frame = self._buffer[:4], self._buffer[4:]
        if header[:2] != b"WA" or frame[:3] != b"\0\0\x24" or frame[3:7] != HELLO or len(frame) != 3 + 36:
            raise ValueError("no client hello of WhatsApp's")
        self._buffer = b""
        return hello(self._who, header, frame[7:])


def hello(who: Identity, header: bytes, theirs: bytes) -> bytes:
    """The server hello to a client's ephemeral key, framed."""
    symmetric = SymmetricState.initialize_symmetric(
        NoiseProtocol(b"Noise_XX_25519_AESGCM_SHA256", DefaultNoiseBackend())
    )
    client, ephemeral = X25519PublicKey.from_public_bytes(theirs), X25519PrivateKey.generate()
    ours = ephemeral.public_key().public_bytes_raw()
    symmetric.mix_hash(header)
    symmetric.mix_hash(theirs)  # and not the empty payload behind it
    symmetric.mix_hash(ours)
    symmetric.mix_key(ephemeral.exchange(client))
    static = bytes(symmetric.encrypt_and_hash(who.static.public_key().public_bytes_raw()))
    symmetric.mix_key(who.static.exchange(client))
    said = message((3, message((1, ours), (2, static), (3, bytes(symmetric.encrypt_and_hash(who.chain))))))
    return len(said).to_bytes(3) + said


def replayed(who: Identity) -> bytes:
    """A genuine server hello to somebody else."""
    return hello(who, b"WA\x05\x03", X25519PrivateKey.generate().public_key().public_bytes_raw())


def guises(root: Signer) -> Mapping[str, Makes]:
    """The genuine server and its impostors, by name."""
    genuine, stranger = identity(root), identity(Signer(os.urandom(32)))
    old = identity(root, since=time.time() - 90 * DAY)
    return {
        "genuine": lambda: Chat(genuine),
        "other-root": lambda: Chat(stranger),
        "expired": lambda: Chat(old),
        "replay": lambda: streams.Says(replayed(genuine)),
        **IMPOSTORS,
    }


@contextmanager
def noise_server(
    directory: Path,
    places: Sequence[tuple[str, int]],
    root: bytes = SEED,
    guise: str = "genuine",
    inside: str | None = None,
    websockets: tuple[Leaf, Sequence[tuple[str, int]]] | None = None,
) -> Iterator[str]:
    """As a process of its own; gives the root key, in hex, for the targets file.

    `websockets` is a certificate, and where the same server is inside a WebSocket over TLS, at PATH.
    """
    more, listen = ["--root", root.hex(), "--as", guise], {"--listen": places}
    if websockets is not None:
        certificate, key = websockets[0].write(directory, "websockets")
        more += ["--certificate", str(certificate), "--key", str(key)]
        listen["--wss"] = websockets[1]
    with streams.program("tests.servers.noise", directory, listen, more, inside):
        yield Signer(root).public.hex()


def main() -> None:
    parser = streams.arguments("WhatsApp's chat server up to its hello, with a root key of our own.")
    parser.add_argument("--root", default=SEED.hex(), help="seed of the root key, 32 bytes in hex")
    parser.add_argument("--wss", action="append", default=[], type=streams.place, metavar="ADDRESS:PORT")
    parser.add_argument("--certificate", help="of the WebSockets, PEM")
    parser.add_argument("--key", help="of that certificate, PEM")
    given = parser.parse_args()
    makes: Callable[[], streams.Responder] = guises(Signer(bytes.fromhex(given.root)))[given.guise]
    websockets = streams.Inside(given.wss, given.certificate, given.key, PATH) if given.wss else None
    asyncio.run(streams.serve(makes, given.listen, websockets))


if __name__ == "__main__":
    main()
