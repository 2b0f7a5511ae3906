"""Every parser of the product that reads what strangers send, each as a function of bytes that raises nothing.

`frames` put what is read deep into the parser's own grammar: what goes before it, and what goes behind it. To add a
parser, add a row; tests/test_parsers_are_linear.py finds the codecs that have none.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
import msgspec

from collector.echo import sip as echo
from collector.facts.networks import parse_address
from collector.front.parameters import Parameters
from collector.front.refusals import Refused
from collector.influx import line as influx
from collector.influx.schema import VERDICT
from probe import addresses, explain, failure, private_text, strict_yaml, targets
from probe.codecs import (
    discord,
    dns_reply,
    ed25519,
    forms,
    framing,
    http_page,
    msturn,
    mtproto,
    noise,
    protobuf,
    receipt,
    reflector,
    salted,
    seal,
    signed_get,
    sip,
    sip_altered,
    strict_json,
    stun,
    succession,
    threema,
    ticket,
    viber,
    webex,
    whatsapp,
    xeddsa,
    xmpp,
    zoom,
)
from probe.codecs import text as words
from probe.codecs.dns_query import query_of
from probe.handshakes.http import Http1Response
from probe.measuring import extra_addresses
from probe.model import Fingerprint, Measurement, Network, Step, Succession, Ticket, Transport
from probe.net.dialer import Counters
from probe.net.record import StepRecord
from probe.secure import dtls, h2, trust
from probe.secure.websocket import Upgrade, WebSocketStream
from probe.submit import upload

Frames = tuple[tuple[bytes, bytes], ...]
LONG = 60_000  # bytes
PIECE = 61  # bytes in which a stream comes
CHANCE = bytes(range(64))
UNREADABLE = (ValueError, EOFError, failure.Failed, failure.UserError, Refused)


@dataclass(frozen=True)
class Parser:
    module: object
    name: str
    read: Callable[[bytes], object]
    frames: Frames = ((b"", b""),)
    more: tuple[bytes, ...] = ()  # what is repeated besides the runs that all are given
    allowance: int = 1  # how many times as long as others it may take
    length: int = LONG

    def __call__(self, data: bytes) -> None:
        with suppress(*UNREADABLE):
            self.read(data)


def pieces(data: bytes) -> Iterator[bytes]:
    yield from (data[at : at + PIECE] for at in range(0, len(data), PIECE))


def fed(receive: Callable[[bytes], object], data: bytes) -> None:
    for piece in pieces(data):
        if receive(piece) is not None:
            return


# --- Codecs -------------------------------------------------------------------------------------------------------

REQUEST = sip.options_request("sip.example", Transport.UDP, CHANCE[: sip.IDENTIFIER_BYTES])
VIA = REQUEST.split(b"\r\n")[1]
OK = b"SIP/2.0 200 OK\r\n"
END = b"\r\n\r\n"
SIP: Frames = (
    (b"", b""),
    (b"", END),
    (OK, END),
    (b"OPTIONS ", b" SIP/2.0" + END),
    (OK + b"a: x", b"y" + END),
    (OK + b"a", b": y" + END),
    *((OK + VIA + b"\r\n" + name + b": ", END) for name in (b"Via", b"From", b"CSeq")),
    (OK + b'WWW-Authenticate: Digest a="', b'", realm="b"' + END),
)


def read_sip(data: bytes) -> None:
    message = sip.parse(data)
    _ = (sip.answers(sip.parse(REQUEST), message), message.branches, message.from_tag, message.cseq, message.realm)


def stream_of_sip(data: bytes) -> None:
    messages = sip.MessageStream()
    for piece in pieces(data):
        messages.feed(piece)
        while messages.next() is not None:
            pass


def read_stun(data: bytes) -> None:
    """Whatever the header says of its length, for the bound must hold where it is right."""
    message = stun.parse(data[:2] + (len(data) - stun.HEADER_BYTES).to_bytes(2) + data[4:])
    _ = (message.error_code, message.reason, message.realm, message.nonce, message.software, message.mapped_address)
    _ = (message.response_origin, message.fingerprint_valid)


def read_msturn(data: bytes) -> None:
    message = msturn.parse(data[:2] + (len(data) - stun.HEADER_BYTES).to_bytes(2) + data[4:])
    _ = (message.is_of_dialect, message.error_code, message.realm, message.mapped_address)


def read_zoom(data: bytes) -> None:
    _ = zoom.parse(data[:2] + (len(data) - zoom.HEADER_BYTES).to_bytes(2) + data[4:]).is_zone_controllers


def frames_of(one: framing.Framing, data: bytes) -> None:
    while taken := framing.split(one, data):
        data = taken[1]


STUN_HEAD = stun.binding_request(CHANCE[:12])
ATTRIBUTES = (b"\x7f\xff\x00\x00", b"\x00\x14\x00\x00", b"\x80\x22\x00\x04abcd")
FINGERPRINTS = tuple(
    Fingerprint(name=f"page {number}", country="ZZ", pattern=pattern, source="a test", date="2026")
    for number, pattern in enumerate(("aaaaaaaab", "a" * 200 + "b", "<title><title>"))
)


def read_page(data: bytes) -> None:
    http_page.Page(200, (), data[: http_page.BODY_LIMIT]).facts(FINGERPRINTS)


def read_headers(data: bytes) -> None:
    http_page.Page(302, tuple((name, data) for name in (b"location", b"date", b"server", b"age", b"via"))).facts(())


def read_mtproto(way: mtproto.Framing, data: bytes) -> None:
    fed(mtproto.Session(CHANCE[:16], way).receive, data)


def unseal_lines(data: bytes) -> None:
    """Behind the checks of the signature, where strangers with a key of their own get."""
    for line in data.split(b"\n")[:50]:
        with suppress(seal.SealError):
            strict_json.decode(line, Measurement)


def leaves_of_lines(data: bytes) -> None:
    """Before the signature is checked, which takes the leaves."""
    for line in data.split(b"\n")[:60]:
        with suppress(ValueError):
            salted.line_leaf(line, 1, bytes(16))


def read_receipt(data: bytes) -> None:
    """A receipt and a hand-over whose every text is this."""
    said = text(data)
    given = receipt.Receipt(batch=said, lines=1, stored=1, known=0, received_ms=0, key=said, signature=said)
    receipt.is_for(given, b"", 1)
    receipt.succeeds("a" * 64, said, [receipt.HandOver(old=said, new="a" * 64, signature=said)])


def read_succession(data: bytes) -> None:
    """A succession whose every text is this."""
    said = text(data)
    succession.is_genuine(Succession(old=said, new="5a" * 32, asn=1, quarter=0, by_old=said, by_new=said))


def read_ticket(data: bytes) -> None:
    """A ticket whose every text is this."""
    said = text(data)
    seen = Network(country=said, operator=said)
    texts = {"key": said, "bucket": said, "bucket_before": said, "nonce": said, "signature": said}
    given = Ticket(by="5a" * 32, network=seen, minute=0, family=4, **texts)
    ticket.is_genuine(given, {"5a" * 32})


SIGNED: Frames = ((b"", b""), (b"Ringback key=", b""), (b"Ringback key=" + b"5a" * 32 + b", at=", b", signature="))


def read_signed_get(data: bytes) -> None:
    """The header, and the path that is asked."""
    said = signed_get.parse(text(data)) or signed_get.SignedGet(key="5a" * 32, at_ms=0, signature="a" * 128)
    signed_get.is_genuine(said, "5a" * 32, "GET", text(data))


def read_forms(data: bytes) -> None:
    with suppress(msgspec.MsgspecError, RecursionError):
        forms.check(data, Measurement)


STREAM = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"

CODECS = (
    Parser(sip, "sip", read_sip, SIP),
    Parser(sip, "sip, in a stream", stream_of_sip, SIP, more=(OK + b"l: 0" + END,)),
    Parser(sip, "sip, how long", sip.length),
    Parser(sip_altered, "sip, altered", lambda data: sip_altered.altered(REQUEST, data), SIP[:3]),
    Parser(stun, "stun", read_stun, ((STUN_HEAD, b""), (b"", b"")), ATTRIBUTES),
    Parser(msturn, "msturn", read_msturn, ((STUN_HEAD, b""), (b"", b"")), ATTRIBUTES),
    Parser(zoom, "zoom", read_zoom, ((STUN_HEAD, b""), (b"", b"")), ATTRIBUTES),
    Parser(framing, "stun in a stream", lambda data: frames_of(framing.STUN_BARE, data), more=(STUN_HEAD,)),
    Parser(
        framing,
        "stun behind its length",
        lambda data: frames_of(framing.STUN_4571, data),
        more=(len(STUN_HEAD).to_bytes(2) + STUN_HEAD,),
    ),
    Parser(
        framing,
        "dns in a stream",
        partial(framing.split, framing.LENGTH_PREFIXED),
        more=(b"\0\x08" + b"a" * 8,),
    ),
    Parser(http_page, "page", read_page, ((b"", b""), (b"<title", b">a</title>"), (b"<title>", b"</title>"))),
    Parser(
        http_page,
        "page's headers",
        read_headers,
        ((b"", b""), (b"http://", b"/"), (b"http://[", b"]"), (b"Mon, ", b"")),
    ),
    Parser(seal, "batch", seal.unseal),
    Parser(seal, "batch, inflated", lambda data: seal.unseal(gzip.compress(data, 1)), ((b"{}\n{}\n", b"\n{}\n"),)),
    Parser(receipt, "receipt", read_receipt),
    Parser(succession, "succession", read_succession),
    Parser(ticket, "ticket", read_ticket),
    Parser(signed_get, "signed get", read_signed_get, SIGNED),
    Parser(ed25519, "signature", lambda data: ed25519.verifies("5a" * 32, text(data), b"")),
    Parser(forms, "measurement, its forms", read_forms, ((b"", b""), (b'{"uid":"', b'"}'))),
    Parser(salted, "line of a batch, its leaf", leaves_of_lines, ((b"", b""), (b'{"a":', b"}"), (b'{"a":"', b'"}'))),
    Parser(
        strict_json,
        "line of a batch",
        unseal_lines,
        ((b"", b""), (b'{"uid":"', b'"}'), (b'{"uid":', b"}"), (b'{"link":{"up":[', b"]}}")),
    ),
    Parser(
        xmpp,
        "xmpp",
        lambda data: fed(xmpp.Opening("xmpp.example", CHANCE[:8]).receive, data),
        ((b"", b""), (STREAM + b" from='", b"'>"), (STREAM + b"><stream:features>", b"")),
        (b"<a>", b"<a/>", b"<mechanism>a</mechanism>", b"<!---->", b"&lt;"),
    ),
    Parser(
        discord,
        "discord",
        discord.heartbeat_interval,
        ((b"", b""), (b'{"op":10,"d":', b"}"), (b'{"op":10,"d":{"a":"', b'"}}')),
    ),
    Parser(protobuf, "protobuf", protobuf.fields, more=(b"\x80", b"\x08\x80", b"\x0a\x00", b"\x08\x01\x10\x01")),
    Parser(noise, "noise", lambda data: noise.Initiator(b"", CHANCE[:32]).second(data)),
    Parser(
        whatsapp,
        "whatsapp",
        lambda data: fed(whatsapp.Session(CHANCE[:32], whatsapp.PHONE).receive, data),
        ((b"", b""), (b"\0\x1f\xff", b"")),
    ),
    Parser(mtproto, "mtproto", lambda data: mtproto.parse(data, CHANCE[:16])),
    *(Parser(mtproto, f"mtproto, {name}", partial(read_mtproto, way)) for name, way in mtproto.FRAMINGS.items()),
    Parser(
        viber,
        "viber",
        lambda data: fed(viber.Session().receive, data),
        ((b"", b""), (b"\xff\xff\0\0\x03\x80\0\0\0\0\x0a", b"")),
    ),
    Parser(threema, "threema", lambda data: fed(threema.Session(CHANCE[:32], CHANCE[:16]).receive, data)),
    Parser(webex, "webex", webex.is_answer),
    Parser(reflector, "reflector", lambda data: reflector.echoes(data, reflector.request(CHANCE[:16], CHANCE[:8]))),
    Parser(xeddsa, "xeddsa", lambda data: xeddsa.is_signed_by(CHANCE[:32], data, CHANCE)),
)


# --- Sessions, which read from a stream ---------------------------------------------------------------------------


class FedStream:
    """A stream that holds what a stranger sends, and ends. `begin` makes, of our first request, what comes before."""

    def __init__(self, data: bytes, begin: Callable[[bytes], bytes] = lambda _: b"", size: int = 65536) -> None:
        self.counters = Counters()
        self._data, self._begin, self._size = data, begin, size
        self._asked = False

    async def send(self, data: bytes) -> None:
        if not self._asked:
            self._asked, self._data = True, self._begin(data) + self._data

    async def receive(self) -> bytes:
        received, self._data = self._data[: self._size], self._data[self._size :]
        return received

    def acknowledged(self) -> bool | None:
        return None

    def close(self) -> None:
        """There is nothing to close."""


def run(reading: Coroutine[Any, Any, object]) -> None:
    asyncio.run(reading)


async def http1(data: bytes) -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    await Http1Response().read(connection, FedStream(data))


async def http2(data: bytes) -> None:
    await h2.post(FedStream(data), [(":authority", "dns.example"), (":path", "/")], b"")


def accepted(request: bytes) -> bytes:
    found = re.search(rb"Sec-WebSocket-Key: *([^\r]+)", request, re.IGNORECASE)
    digest = hashlib.sha1((found[1] if found else b"") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    head = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
    return head % base64.b64encode(digest)


async def websocket(data: bytes, begin: Callable[[bytes], bytes] = lambda _: b"") -> None:
    stream = WebSocketStream(FedStream(data, begin))
    await stream.upgrade(StepRecord(Step.WEBSOCKET, 0.0), "web.example", Upgrade())
    while await stream.receive():
        pass


EMPTY_SETTINGS, PING = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
SESSIONS = (
    Parser(
        h11,
        "http/1.1",
        lambda data: run(http1(data)),
        ((b"", b""), (b"HTTP/1.1 200 OK\r\na: ", END), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + END, b"")),
        (b"1\r\na\r\n", b"a: b\r\n", b"HTTP/1.1 100 A" + END),
    ),
    Parser(h2, "http/2", lambda data: run(http2(data)), ((b"", b""), (EMPTY_SETTINGS, b"")), (EMPTY_SETTINGS, PING)),
    Parser(
        trust, "websocket, the upgrade", lambda data: run(websocket(data)), ((b"", b""), (b"HTTP/1.1 101 S\r\n", END))
    ),
    Parser(
        trust,
        "websocket",
        lambda data: run(websocket(data, accepted)),
        more=(b"\x89\0", b"\x81\0", b"\x01\x01a", b"\0\0"),
    ),
    Parser(dtls, "dtls", dtls.records, more=(b"\x16\xfe\xfd" + bytes(8) + b"\0\x01a",)),
    Parser(
        trust, "roots in PEM", lambda data: list(trust.pem_blocks(data)), more=(trust.BEGIN, trust.BEGIN + trust.END)
    ),
)

# --- Everything else ----------------------------------------------------------------------------------------------

QUERY = query_of("www.example.com", "A", 1)
ASKED = b"\x03www\x07example\x03com\0\0\x01\0\x01"


def reply_with(answers: int) -> bytes:
    return b"\0\x01\x81\x80\0\x01" + answers.to_bytes(2) + bytes(4) + ASKED


REPLIES: Frames = (
    (b"", b""),
    *((reply_with(count), b"") for count in (1, 200, 4000)),
    (reply_with(1) + b"\xc0\x0c\0\x10\0\x01\0\0\0\0\x0f\x00", b""),  # TXT
    (reply_with(1) + b"\0\0\x29\0\0\0\0\0\0\x0f\x00", b""),  # OPT
)
RECORDS = (
    b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04",  # an address of the name that was asked for
    b"\xc0\x0c\x03\xe8\0\x01\0\0\0\x3c\0\0",  # of a type that nobody knows
    b"\x01a",
    b"\xc0\x0c",
)


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def read_reply(data: bytes) -> None:
    dns_reply.reply_to(QUERY, data)


def read_parameters(data: bytes) -> None:
    asked = Parameters({"since": text(data), "country": text(data)}, ("since", "country"))
    for read in (lambda: asked.number("since", 9), asked.country, lambda: asked.word("since", ("blocked", "ok"))):
        with suppress(Refused):
            read()


YAML: Frames = ((b"", b""), (b'a: "', b'"\n'))
TARGETS: Frames = ((b"targets:\n  a/chat:\n    ", b"\n"),)

OTHERS = (
    Parser(dns_reply, "dns", read_reply, REPLIES, RECORDS),
    Parser(dns_reply, "dns, at its longest", read_reply, REPLIES, RECORDS, length=dns_reply.MOST_BYTES),
    Parser(words, "text in any encoding", lambda data: words.plain(text(words.utf8(data)))),
    Parser(echo, "our sip server", echo.answer, SIP),
    Parser(echo, "our sip server, at its longest", echo.answer, SIP, length=echo.LONGEST),
    Parser(echo, "our sip server, inverted", lambda data: echo.answer(sip.inverted(data)), SIP),
    Parser(private_text, "text to keep", lambda data: private_text.clean_text(text(data))),
    Parser(explain, "mechanism", lambda data: explain.mechanism_words(text(data))),
    Parser(addresses, "address", lambda data: (addresses.is_address(text(data)), addresses.is_public(text(data)))),
    Parser(parse_address, "address of a source", lambda data: parse_address(text(data))),
    Parser(
        extra_addresses,
        "addresses to dial",
        lambda data: extra_addresses.parse(data.splitlines(), "a list"),
        ((b"", b""), (b'{"type":"', b'"}')),
    ),
    Parser(upload, "a collector's answer", lambda data: upload._decode(data, upload.Receipt)),
    Parser(read_parameters, "parameters", read_parameters),
    Parser(influx, "tag of a point", lambda data: influx.series(VERDICT, {"country": text(data)})),
    # YAML is read by a library in plain Python, and comes from the user or his collector: linear, and slow.
    Parser(strict_yaml, "yaml", lambda data: strict_yaml.compose(data, "a file"), YAML, (b"a: b\n",), 10, 6_000),
    Parser(targets, "targets", lambda data: targets.parse(data, "a file"), TARGETS, (b"a: b\n",), 10, 6_000),
)
PARSERS = (*CODECS, *SESSIONS, *OTHERS)
