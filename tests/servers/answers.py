"""Whether a server's protocol answers, by a few bytes of our own: the tests' view, independent of the product.

Also a program, for servers in a network namespace:
    ip netns exec NAME python tests/servers/answers.py stun:203.0.113.4:3478 'tls:[2001:db8:3::5]:443' …
ends with 0 when all of them have answered, with 1 after 20 s, or after SECONDS with --within SECONDS. What did not
answer is printed.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

Address = tuple[str, int]
ANSWER_SECONDS = 1.0  # for one answer to one question


def stun(address: Address) -> bool:
    """A Binding request is answered by a Binding success with our transaction id."""
    transaction = os.urandom(12)
    reply = ask_udp(address, b"\x00\x01\x00\x00\x21\x12\xa4\x42" + transaction)
    return reply[:2] == b"\x01\x01" and reply[8:20] == transaction


def msturn(address: Address) -> bool:
    """An Allocate in Microsoft's dialect is refused, with its transaction id."""
    transaction = os.urandom(16)
    reply = ask_udp(address, b"\x00\x03\x00\x08" + transaction + bytes.fromhex("000f000472c64bc6"))
    return reply[:2] == b"\x01\x13" and reply[4:20] == transaction


def zoom(address: Address) -> bool:
    """A zone controller repeats the question's transaction id in an answer of its own type."""
    transaction = os.urandom(16)
    text = bytes.fromhex("01010014") + b"1234567890123456789\0"
    reply = ask_udp(address, bytes.fromhex("00010018") + transaction + text)
    return reply[:2] == b"\x00\x02" and reply[4:20] == transaction


def webex(address: Address) -> bool:
    return ask_udp(address, bytes.fromhex("0100000000000001"))[:1] == b"\x02"


def tcp(address: Address) -> bool:
    try:
        with connect(address):
            return True
    except OSError:
        return False


def dns(address: Address) -> bool:
    """Any reply to a question for the root's SOA, whatever its rcode."""
    query = os.urandom(2) + b"\x01\x00\x00\x01" + bytes(6) + b"\x00\x00\x06\x00\x01"
    reply = ask_udp(address, query)
    return reply[:2] == query[:2] and len(reply) >= 12


def tls(address: Address) -> bool:
    """A handshake without a name completes, or the server says with an alert that it wants one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with connect(address) as plain, context.wrap_socket(plain):
            return True
    except ssl.SSLError as error:
        return "ALERT" in str(error)
    except OSError:
        return False


def http(address: Address) -> bool:
    try:
        with connect(address) as plain:
            plain.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return plain.recv(5) == b"HTTP/"
    except OSError:
        return False


def sip(address: Address) -> bool:
    """OPTIONS over UDP is answered, with whatever status."""
    dialogue = os.urandom(8).hex().encode()
    lines = (
        b"OPTIONS sip:there.invalid SIP/2.0",
        b"Via: SIP/2.0/UDP here.invalid;branch=z9hG4bK" + dialogue + b";rport",
        b"From: <sip:here.invalid>;tag=" + dialogue,
        b"To: <sip:there.invalid>",
        b"Call-ID: " + dialogue,
        b"CSeq: 1 OPTIONS",
        b"Max-Forwards: 70",
        b"Content-Length: 0",
    )
    reply = ask_udp(address, b"\r\n".join((*lines, b"", b"")))
    return reply.startswith(b"SIP/2.0 ") and dialogue in reply


def xmpp(address: Address) -> bool:
    """A stream is opened in return, or refused in XML."""
    try:
        with connect(address) as plain:
            plain.sendall(b"<?xml version='1.0'?><stream:stream to='nobody.invalid' version='1.0' ")
            plain.sendall(b"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
            return b"stream" in plain.recv(2048)
    except OSError:
        return False


def dtls(address: Address) -> bool:
    """A ClientHello is answered by a handshake message, or an alert."""
    suites, rest = b"\xc0\x2b\xc0\x2f", b"\x01\x00\x00\x08\x00\x0a\x00\x04\x00\x02\x00\x17"
    body = b"\xfe\xfd" + os.urandom(32) + bytes(2) + len(suites).to_bytes(2) + suites + rest
    length = len(body).to_bytes(3)
    message = b"\x01" + length + bytes(2) + bytes(3) + length + body
    reply = ask_udp(address, b"\x16\xfe\xfd" + bytes(8) + len(message).to_bytes(2) + message)
    return reply[:1] in (b"\x15", b"\x16")


def ask_udp(address: Address, request: bytes) -> bytes:
    """The first reply within ANSWER_SECONDS, or nothing."""
    with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(ANSWER_SECONDS)
        try:
            sock.connect(address)
            sock.send(request)
            return sock.recv(2048)
        except OSError:
            return b""


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=ANSWER_SECONDS)


def family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


PROTOCOLS: dict[str, Callable[[Address], bool]] = {
    "stun": stun,
    "msturn": msturn,
    "dns": dns,
    "tls": tls,
    "http": http,
    "dtls": dtls,
    "sip": sip,
    "xmpp": xmpp,
    "zoom": zoom,
    "webex": webex,
    "tcp": tcp,
}


def asks(question: str) -> bool:
    protocol, _, rest = question.partition(":")
    host, _, port = rest.rpartition(":")
    return PROTOCOLS[protocol]((host.strip("[]"), int(port)))


def mute(questions: list[str], seconds: float) -> list[str]:
    """The questions that stayed unanswered, each asked again and again until then."""
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(16) as pool:
        while questions and time.monotonic() < deadline:
            answered = list(pool.map(asks, questions))
            questions = [question for question, yes in zip(questions, answered, strict=True) if not yes]
            time.sleep(0.02)
    return questions


def main(arguments: list[str]) -> int:
    seconds = 20.0
    if arguments[0] == "--within":
        seconds, arguments = float(arguments[1]), arguments[2:]
    unanswered = mute(arguments, seconds)
    print(*unanswered)  # noqa: T201
    return 1 if unanswered else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
