"""The server name in a ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), in clear in the first TCP segment."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.packets import TCP, View

HANDSHAKE, CLIENT_HELLO, SERVER_NAME = 22, 1, 0


def named_in(view: View, up: bool) -> str | None:
    """The name that this packet's ClientHello asks for; None when it is none, or asks for nobody."""
    if not up or view.protocol != TCP:
        return None
    payload = view.payload
    if len(payload) < 6 or payload[0] != HANDSHAKE or payload[1] != 3 or payload[5] != CLIENT_HELLO:
        return None
    return server_name(payload[5:])


def server_name(hello: bytes) -> str | None:
    """Of a handshake message; also of one that is cut off behind the name. Never raises."""
    for kind, body in _extensions(hello):
        if kind == SERVER_NAME and len(body) > 5:
            length = int.from_bytes(body[3:5])
            return body[5 : 5 + length].decode("latin-1").lower()
    return None


def _extensions(hello: bytes) -> Iterator[tuple[int, bytes]]:
    at = 4 + 2 + 32  # type and length, version, random
    for size in (1, 2, 1):  # session id, cipher suites, compression methods: each behind its length
        at += size + int.from_bytes(hello[at : at + size])
    at += 2
    while at + 4 <= len(hello):
        length = int.from_bytes(hello[at + 2 : at + 4])
        yield int.from_bytes(hello[at : at + 2]), hello[at + 4 : at + 4 + length]
        at += 4 + length
