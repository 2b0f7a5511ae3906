"""Messages in a stream of bytes: where one ends and the next begins.

LENGTH_PREFIXED: two bytes of length before each message (RFC 1035 section 4.2.2, for DNS). STUN_4571: the same before
STUN (RFC 4571). STUN_BARE: nothing before it, for STUN's own header tells the length (RFC 8489 section 6.2.2). What
begins like no STUN message is refused at its first bytes, so that a portal's page is not waited for to end.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from probe.codecs.stun import COOKIE, HEADER_BYTES


class Framing(Struct, frozen=True):
    """A way to tell messages apart. `length` gives the bytes of a buffer's first frame; None while that cannot be told.

    It raises ValueError when no message of the protocol begins so.
    """

    header: Callable[[bytes], bytes]  # what goes before a message
    length: Callable[[bytes], int | None]
    skip: int  # bytes of the frame before the message


def wrap(framing: Framing, message: bytes) -> bytes:
    return framing.header(message) + message


def split(framing: Framing, data: bytes) -> tuple[bytes, bytes] | None:
    """The first message in `data` and what follows it; None while it is not whole. Raises ValueError."""
    length = framing.length(data)
    if length is None or len(data) < length:
        return None
    return data[framing.skip : length], data[length:]


def _prefix(message: bytes) -> bytes:
    return len(message).to_bytes(2)


def _prefixed_length(data: bytes) -> int | None:
    return 2 + int.from_bytes(data[:2]) if len(data) >= 2 else None


def _no_header(message: bytes) -> bytes:
    return b""


def _stun_length(data: bytes) -> int | None:
    cookie = COOKIE.to_bytes(4)
    if (data and data[0] >> 6) or data[4:8] != cookie[: len(data[4:8])]:
        raise ValueError("What came is no STUN message.")
    return HEADER_BYTES + int.from_bytes(data[2:4]) if len(data) >= 8 else None


def _prefixed_stun_length(data: bytes) -> int | None:
    _stun_length(data[2:])
    return _prefixed_length(data)


LENGTH_PREFIXED = Framing(_prefix, _prefixed_length, 2)
STUN_4571 = Framing(_prefix, _prefixed_stun_length, 2)
STUN_BARE = Framing(_no_header, _stun_length, 0)
