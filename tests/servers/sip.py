"""A SIP server of our own (RFC 3261): answers OPTIONS and REGISTER over UDP, TCP and TLS, or echoes what reached it.

    python -m tests.servers.sip --listen udp:127.0.0.1:5060 --listen tls:127.0.0.1:5061 --certificate FILE --key FILE
                                [--realm REALM] [--echo]

With --echo every request is answered 200 with the request in the body, in base64, and a conversation whose every bit
is inverted is answered inverted. Written without the product's codec, so that the two do not share a mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import re
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COPIED = (b"via", b"from", b"call-id", b"cseq")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Server:
    realm: str | None = None
    echo: bool = False

    def answer(self, request: bytes) -> bytes | None:
        """The response to a request; None to what is none."""
        if request[:1] > b"\x7f":
            response = self.answer(inverted(request)) if self.echo else None
            return response and inverted(response)
        if not re.match(rb"[A-Z]+ \S+ SIP/2\.0\r\n", request):
            return None
        head = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
        lines = [self._status(request), *filter(is_copied, head[1:]), to_line(head), b"Server: ringback-tests"]
        if self._challenges(request):
            lines.append(f'WWW-Authenticate: Digest realm="{self.realm}", nonce="00", algorithm=MD5'.encode())
        body = base64.b64encode(request) if self.echo else b""
        lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join([*lines, b"", body])

    def _challenges(self, request: bytes) -> bool:
        return self.realm is not None and request.startswith(b"REGISTER ")

    def _status(self, request: bytes) -> bytes:
        return b"SIP/2.0 401 Unauthorized" if self._challenges(request) else b"SIP/2.0 200 OK"


def inverted(data: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in data)


def is_copied(line: bytes) -> bool:
    return line.partition(b":")[0].strip().lower() in COPIED


def to_line(head: Sequence[bytes]) -> bytes:
    return next(line for line in head if line.lower().startswith(b"to:")) + b";tag=server"


def whole(data: bytes) -> int | None:
    """The length of the first message of a stream, once it is there."""
    head, end, _ = data.partition(b"\r\n\r\n")
    length = CONTENT_LENGTH.search(head)
    total = len(head) + len(end) + int(length[1] if length else 0)
    return total if end and len(data) >= total else None


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        response = self.server.answer(data)
        if response:
            self.transport.sendto(response, address)


async def converse(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = b""
    while received := await reader.read(4096):
        data += received
        plain = inverted(data) if data[:1] > b"\x7f" else data
        if (length := whole(plain)) is not None:
            writer.write(server.answer(data[:length]) or b"")
            data = data[length:]
    writer.close()


async def serve(server: Server, listen: Sequence[str], context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    kept: list[Any] = []
    for place in listen:
        transport, host, port = re.fullmatch(r"(udp|tcp|tls):(.*):(\d+)", place).groups()  # type: ignore[union-attr]
        if transport == "udp":
            kept.append(await loop.create_datagram_endpoint(lambda: Datagrams(server), (host.strip("[]"), int(port))))
            continue
        secured = context if transport == "tls" else None
        kept.append(
            await asyncio.start_server(lambda r, w: converse(server, r, w), host.strip("[]"), int(port), ssl=secured)
        )
    await asyncio.Event().wait()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", action="append", required=True)
    parser.add_argument("--realm")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args(arguments)
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
    asyncio.run(serve(Server(options.realm, options.echo), options.listen, context))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
