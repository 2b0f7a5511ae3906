"""A line's pseudonym: who holds two exports can tell that two verdicts are of one line, and not whose.

    DATA/pseudonyms.key   {"secret":"<64 hex digits>"}, for its owner alone

A probe's key stays the same at home, at work and on the way; published, it would draw the volunteer's day. So a line is
a key on one network and access: another network, another line. And who knows a key, from a probe or a seized log, must
not find it in what was handed on: the pseudonym is made with a secret of the data directory. It is for good, since what
was written to InfluxDB is written over under the same pseudonym only; so it belongs in every backup.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from probe import durable
from probe.failure import UserError

FILE = "pseudonyms.key"
SECRET_BYTES = 32
CONTEXT = b"ringback-line-2\n"
DIGITS = 16


class _Kept(Struct, frozen=True):
    secret: str


class Pseudonyms:
    """Makes pseudonyms with the secret of one data directory. The secret has no way out of here."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def line(self, key: str, country: str, asn: int, access: str) -> str:
        """The pseudonym of a key on one network and access, 16 hex digits: the same whenever it is asked for."""
        named = CONTEXT + f"{key}|{country}|{asn}|{access}".encode()
        return hmac.digest(self._secret, named, "sha256").hex()[:DIGITS]


def load_or_create(directory: Path) -> Pseudonyms:
    """The pseudonyms of a data directory; their secret is made when it lacks.

    Raises UserError when the file is damaged or cannot be had.
    """
    path = directory / FILE
    kept = _read(path)
    if kept is None:
        kept = _Kept(secrets.token_hex(SECRET_BYTES))
        _write(path, kept)
    return Pseudonyms(_secret(kept, path))


def _secret(kept: _Kept, path: Path) -> bytes:
    try:
        secret = bytes.fromhex(kept.secret)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise UserError(_damaged(path))
    return secret


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"The secret of pseudonyms {path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise UserError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return (
        f"{path} is damaged: restore it from a backup. Or delete it: lines get other pseudonyms, and an InfluxDB that"
        " is fed from here must be emptied and filled again (`ringback-collector influx refill`)."
    )


def _write(path: Path, kept: _Kept) -> None:
    try:
        durable.write(path, msgspec.json.encode(kept) + b"\n")
    except OSError as error:
        raise UserError(f"The secret of pseudonyms {path} cannot be written: {error.strerror}.") from error
