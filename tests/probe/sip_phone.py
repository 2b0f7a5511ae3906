"""Asks our SIP server what reached it, as the probe does and as a telephone does, which names its own address.

    ip netns exec NAME python -m tests.probe.sip_phone SERVER OWN

Prints what was altered of each, as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys

from probe.codecs import sip
from probe.codecs.sip_altered import altered
from probe.model import Endpoint, Transport
from probe.net.dialer import SocketDialer
from tests.probe.builders import instruments, shake

PORT = 5060


def as_the_probe(server: str) -> tuple[str, ...] | None:
    where = Endpoint(host=server, port=PORT, transport=Transport.UDP, handshake="sip-echo")
    seen = asyncio.run(shake(instruments(SocketDialer()), where))
    return seen.last.sip and seen.last.sip.altered


def as_a_telephone(server: str, own: str) -> tuple[str, ...]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((own, 0))
        sock.settimeout(5)
        place = f"{own}:{sock.getsockname()[1]}".encode()
        request = sip.options_request(server, Transport.UDP, bytes(range(sip.IDENTIFIER_BYTES)))
        request = request.replace(b"UDP anonymous.invalid", b"UDP " + place)
        request = request.replace(b"Contact: <sip:anonymous@anonymous.invalid>", b"Contact: <sip:me@" + place + b">")
        sock.sendto(request, (server, PORT))
        return altered(request, base64.b64decode(sip.parse(sock.recv(65535)).body))


if __name__ == "__main__":
    print(json.dumps([as_the_probe(sys.argv[1]), as_a_telephone(*sys.argv[1:])]))  # noqa: T201
