"""The probe's keys: Ed25519 key pairs, all made of one seed that is drawn on first use and kept in the data directory.

A volunteer signs with another key on each network and in each quarter of a year, so that nobody learns from keys who is
at home, at work and on the way. A control, whose key is on a collector's list, signs with one fixed key everywhere.

    fixed key             the seed is its private half
    key of a network      BLAKE2b-256(ASN + quarter, 4 bytes each; key: the seed; person: "ringback-key-1")
    mark of a gateway     BLAKE2b-128(what the system tells of it; key: the seed; person: "ringback-gate-1")

with quarters as in codecs/succession.py, and numbers with their highest byte first. The key of ASN 0 is the provisional
one, for what belongs to no network yet: it never counts. Whoever deletes the seed becomes somebody new; whoever copies
it to another device makes two lines look like one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe import durable
from probe.codecs.succession import quarter_of
from probe.codecs.text import utf8
from probe.codecs.ticket import MINUTE_MS
from probe.failure import UserError
from probe.model import Ticket

FILE = "identity.key"
SEED_BYTES = 32
KEY_PERSON, MARK_PERSON = b"ringback-key-1", b"ringback-gate-1"
MARK_BYTES = 16
NO_NETWORK = 0  # the ASN of the provisional key
_TEXT = re.compile(rb"([0-9a-f]{64})\n?")


class Identity:
    """`key` is the public key, 64 hex digits. The private one has no way out of here."""

    __slots__ = ("_private", "key")

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = self._private.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(data)


class Keys:
    """All that follows from the seed, which has no way out of here. `fixed` is the key of a control."""

    __slots__ = ("_seed", "fixed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self.fixed = Identity(seed)

    def of(self, asn: int, quarter: int) -> Identity:
        """The key of a network in a quarter."""
        return Identity(self._derived(asn.to_bytes(4) + quarter.to_bytes(4), KEY_PERSON, SEED_BYTES))

    def provisional(self, now_ms: int) -> Identity:
        """The key of what belongs to no network."""
        return self.of(NO_NETWORK, quarter_of(now_ms))

    def of_ticket(self, ticket: Ticket) -> Identity:
        """The key of a ticket's network and quarter, which a volunteer's own ticket names."""
        return self.of(ticket.network.asn, quarter_of(ticket.minute * MINUTE_MS))

    def mark(self, gateway: str) -> str:
        """A word for a gateway that tells nobody else which it is."""
        return self._derived(gateway.encode(errors="replace"), MARK_PERSON, MARK_BYTES).hex()

    def _derived(self, data: bytes, person: bytes, size: int) -> bytes:
        return hashlib.blake2b(data, key=self._seed, person=person, digest_size=size).digest()


def load_or_create(directory: Path, random_bytes: Callable[[int], bytes]) -> Keys:
    """The keys of the seed kept in `directory`, which is made if need be. Raises UserError."""
    path = directory / FILE
    try:
        durable.make_directory(directory)
        if not path.exists():
            durable.create(path, random_bytes(SEED_BYTES).hex().encode() + b"\n")
        found = _TEXT.fullmatch(utf8(path.read_bytes()))
    except OSError as error:
        raise UserError(f"Cannot keep the probe's key in {path}: {error.strerror}.") from error
    if found is None:
        raise UserError(f"{path} is damaged: restore it, or delete it to get a new key and a new name.")
    return Keys(bytes.fromhex(found[1].decode()))
