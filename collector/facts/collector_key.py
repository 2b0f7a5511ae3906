"""The collector's key: it signs receipts, so that a probe forgets a batch for nobody else.

    DATA/collector.key   {"seed":"<64 hex digits>","hand_overs":[…]}, for its owner alone

The file belongs in every backup: probes have pinned this key, and a collector that comes back without it gets nothing
that they could let go. `rotate` makes another key, for which the old one vouches; probes that pinned that one follow.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from probe import durable
from probe.codecs.receipt import HandOver, PublicKey, hand_over, is_key
from probe.failure import UserError

KEY_FILE = "collector.key"
SEED_BYTES = 32


class _Kept(Struct, frozen=True, kw_only=True):
    seed: str
    hand_overs: tuple[HandOver, ...] = ()


class CollectorKey:
    """`public` is what anybody may know. The private half has no way out of here."""

    __slots__ = ("_private", "key", "public")

    def __init__(self, seed: bytes, hand_overs: tuple[HandOver, ...] = ()) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = self._private.public_key().public_bytes_raw().hex()
        self.public = PublicKey(key=self.key, hand_overs=hand_overs)

    def sign(self, data: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(data)


def load_or_create(directory: Path) -> CollectorKey:
    """The key of a data directory, made when it lacks. Raises UserError when the file is damaged or cannot be had."""
    kept = _read(directory / KEY_FILE)
    if kept is None:
        kept = _Kept(seed=secrets.token_hex(SEED_BYTES))
        _write(directory / KEY_FILE, kept)
    return _key(kept)


def rotate(directory: Path) -> CollectorKey:
    """Another key, for which the one before it vouches. Raises UserError when there is none to come before it."""
    kept = _read(directory / KEY_FILE)
    if kept is None:
        raise UserError(f"{directory} holds no {KEY_FILE}: there is no key to replace. Give the collector's --data.")
    old, seed = _key(kept), secrets.token_hex(SEED_BYTES)
    new = CollectorKey(bytes.fromhex(seed))
    vouched = (*kept.hand_overs, hand_over(old.key, new.key, old.sign))
    _write(directory / KEY_FILE, _Kept(seed=seed, hand_overs=vouched))
    return CollectorKey(bytes.fromhex(seed), vouched)


def _key(kept: _Kept) -> CollectorKey:
    return CollectorKey(bytes.fromhex(kept.seed), kept.hand_overs)


def _read(path: Path) -> _Kept | None:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"The collector's key {path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise UserError(_damaged(path)) from error
    if not is_key(kept.seed):
        raise UserError(_damaged(path))
    return kept


def _damaged(path: Path) -> str:
    return f"{path} is damaged: restore it from a backup, or delete it, and every probe must be told to trust another."


def _write(path: Path, kept: _Kept) -> None:
    try:
        durable.write(path, msgspec.json.encode(kept) + b"\n")
    except OSError as error:
        raise UserError(f"The collector's key {path} cannot be written: {error.strerror}.") from error
