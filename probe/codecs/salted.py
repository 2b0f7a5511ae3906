"""Salted fields: the leaf of a line of format 2, made so that chosen fields can be shown and the others not guessed.

A line is one JSON object without spaces between its names and values, each name once. The leaf of the field that stands
as `"name":value` in line `number` of a batch (the header is 0) is

    leaf(salt + `"name":value`)    salt = BLAKE2s(number in 2 bytes + name in UTF-8, key: the header's salt, 16 bytes)

and the leaf of the line is the Merkle root (RFC 9162) over its fields in their order. Without its salt a field of few
possible values could be guessed from its digest; each has a salt of its own, so to show one tells nothing of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from probe.codecs import merkle

SALT_BYTES = 16
MOST_FIELDS = 200
REMEMBERED = 256  # names
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_NAME = msgspec.json.Encoder()


class Opened(Struct, frozen=True, kw_only=True):
    """One field of a line, as it is shown: `text` is `"name":value`; salt and path are hex."""

    text: str
    salt: str
    index: int
    size: int
    path: tuple[str, ...]


def line_leaf(line: bytes, number: int, salt: bytes, most: int = MOST_FIELDS) -> bytes:
    """The leaf of a line, 32 bytes. Raises ValueError when the line is no such object, or has more fields."""
    return merkle.root([leaf for _, _, leaf in _fields(line, number, salt, most)])


def open_fields(line: bytes, number: int, salt: bytes, names: Iterable[str]) -> tuple[Opened, ...]:
    """The named fields that the line has, to be shown without the others. Raises ValueError as `line_leaf` does."""
    fields, wanted = _fields(line, number, salt), {_NAME.encode(name) for name in names}
    leaves = [leaf for _, _, leaf in fields]
    return tuple(
        Opened(
            text=text.decode(),
            salt=own.hex(),
            index=index,
            size=len(leaves),
            path=tuple(each.hex() for each in merkle.path(leaves, index)),
        )
        for index, (text, own, _) in enumerate(fields)
        if text.partition(b'":')[0] + b'"' in wanted
    )


def opened_leaf(opened: Opened) -> bytes:
    """The leaf of the line that has this field. Raises ValueError when no line can."""
    own = merkle.leaf(bytes.fromhex(opened.salt) + opened.text.encode())
    return merkle.root_by_path(own, opened.index, opened.size, [bytes.fromhex(each) for each in opened.path])


def _fields(line: bytes, number: int, salt: bytes, most: int = MOST_FIELDS) -> list[tuple[bytes, bytes, bytes]]:
    """Text, salt and leaf of each field."""
    try:
        found = _OBJECT.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise ValueError("the line is no JSON object") from error
    if len(found) > most:
        raise ValueError(f"the line has more than {most} fields")
    named, sha256 = hashlib.blake2s(number.to_bytes(2), key=salt, digest_size=SALT_BYTES), hashlib.sha256
    fields = []
    for name, value in found.items():
        written, spelled = _name(name)
        salted, text = named.copy(), written + bytes(value)
        salted.update(spelled)
        own = salted.digest()
        fields.append((text, own, sha256(b"\0" + own + text).digest()))
    if b"{" + b",".join([text for text, _, _ in fields]) + b"}" != line:
        raise ValueError("the line has spaces around its fields, or a name twice")
    return fields


@lru_cache(REMEMBERED)
def _name(name: str) -> tuple[bytes, bytes]:
    """A name as it stands before its value, and in UTF-8. Most lines have the same few."""
    return _NAME.encode(name) + b":", name.encode()
