"""SIP messages (RFC 3261): requests byte for byte, and what comes back, read strictly and within bounds.

A message keeps its start line, its headers as written and its body. Framing that does not add up is no SIP message,
and `parse` raises. A header that makes no sense reads as absent, as in probe.codecs.stun: whoever sends back our own
branch, Call-ID and tag has read our request, whatever else it carries.

Requests carry nothing of the volunteer's: the host in Via, From and Contact is `anonymous.invalid` (RFC 3323,
section 4.1.1.3), and `rport` (RFC 3581) asks for the answer at the port that it came from.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from probe.model import Transport

VERSION = "SIP/2.0"
ANONYMOUS = "anonymous.invalid"
IDENTIFIER_BYTES = 20  # of chance in a request
MAX_BYTES = 65535
MAX_HEADERS = 128
MAX_HOPS = 70  # the usual Max-Forwards (RFC 3261, section 8.1.1.6)
END_OF_HEAD = b"\r\n\r\n"

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
NAME = re.compile(TOKEN)
REQUEST_LINE = re.compile(rf"({TOKEN}) ([^\s<>\"]+) SIP/2\.0")
STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d) ([^\r\n]*)", re.IGNORECASE)
LINE_BREAKS = re.compile(rb"[\r\n]*")
BROKEN_LINE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
CSEQ = re.compile(rf"(\d{{1,10}})\s+({TOKEN})")

COMPACT = {  # RFC 3261, section 7.3.3
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "e": "content-encoding",
    "s": "subject",
    "k": "supported",
}


class Header(Struct, frozen=True):
    """A header: `name` as written, `value` on one line without the space around it."""

    name: str
    value: str

    @property
    def key(self) -> str:
        """The long name in lower case, by which headers are compared."""
        name = self.name.lower()
        return COMPACT.get(name, name)


class Message(Struct, frozen=True, kw_only=True):
    """A message: a request with method and uri, or a response with status and reason."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    def values(self, key: str) -> list[str]:
        return [header.value for header in self.headers if header.key == key]

    def value(self, key: str) -> str | None:
        """The value of a header that stands there once; None where there is none, or more than one."""
        values = self.values(key)
        return values[0] if len(values) == 1 else None

    @property
    def branches(self) -> list[str | None]:
        """The branch of each hop in Via, the next one first; of more hops than a request may take, no further ones."""
        hops = [hop for value in self.values("via") for hop in _pieces(value, ",")]
        return [_parameters(hop).get("branch") for hop in hops[:MAX_HOPS]]

    @property
    def from_tag(self) -> str | None:
        return _parameters(self.value("from") or "").get("tag")

    @property
    def cseq(self) -> tuple[int, str] | None:
        found = CSEQ.fullmatch(self.value("cseq") or "")
        number = int(found[1]) if found else 0
        return (number, found[2]) if found and number < 1 << 31 else None

    @property
    def realm(self) -> str | None:
        """The realm of the first challenge that has one: WWW-Authenticate of a 401, Proxy-Authenticate of a 407."""
        challenges = [*self.values("www-authenticate"), *self.values("proxy-authenticate")]
        return next(filter(None, map(_realm, challenges)), None)


# --- Reading ----------------------------------------------------------------------------------------------------


def parse(data: bytes) -> Message:
    """The message that these bytes begin with, as in one datagram. Raises ValueError with a sentence."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"A SIP message is at most {MAX_BYTES} bytes long.")
    head, end, rest = data.lstrip(b"\r\n").partition(END_OF_HEAD)
    if not end:
        raise ValueError("A SIP message has an empty line after its headers.")
    start, headers = _head(head)
    message = replace(_start_line(start), headers=headers)
    promised = _content_length(message)
    if promised is not None and promised > len(rest):
        raise ValueError(f"Content-Length promises {promised} bytes, {len(rest)} follow.")
    return replace(message, body=rest[:promised])


def length(data: bytes) -> int | None:
    """The length of a stream's first message in bytes, line breaks before it included; None while it is not whole.

    Raises ValueError when it can become no message: too long, or without a Content-Length (RFC 3261, section 18.3).
    """
    before = len(data) - len(data.lstrip(b"\r\n"))
    end = data.find(END_OF_HEAD, before)
    whole = end + len(END_OF_HEAD) + _promised(data[before:end]) if end >= 0 else None
    if (whole or len(data)) > MAX_BYTES:
        raise ValueError(f"A SIP message is at most {MAX_BYTES} bytes long.")
    return whole if whole is not None and len(data) >= whole else None


class MessageStream:
    """The messages of a stream, as its pieces come. Each head is read once, into however many pieces it was cut."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0  # bytes in which no head ends
        self._whole: int | None = None  # bytes of the first message, once its head is here

    def feed(self, data: bytes) -> None:
        self._data += data

    def next(self) -> bytes | None:
        """The next message, without the line breaks before it; None while it is not whole. Raises like `length`."""
        if self._whole is None:
            self._whole = self._read_head()
        if (self._whole or len(self._data)) > MAX_BYTES:
            raise ValueError(f"A SIP message is at most {MAX_BYTES} bytes long.")
        if self._whole is None or len(self._data) < self._whole:
            return None
        message = bytes(self._data[: self._whole])
        del self._data[: self._whole]
        self._whole, self._searched = None, 0
        return message

    def _read_head(self) -> int | None:
        if not self._searched and (breaks := LINE_BREAKS.match(self._data)):
            del self._data[: breaks.end()]
        end = self._data.find(END_OF_HEAD, self._searched)
        if end < 0:
            self._searched = max(0, len(self._data) - len(END_OF_HEAD) + 1)
            return None
        return end + len(END_OF_HEAD) + _promised(bytes(self._data[:end]))


def _promised(head: bytes) -> int:
    promised = _content_length(Message(headers=_head(head)[1]))
    if promised is None:
        raise ValueError("A SIP message in a stream has a Content-Length.")
    return promised


def _head(head: bytes) -> tuple[str, tuple[Header, ...]]:
    """The start line and the headers. A line that begins with space goes on with the one before it (section 7.3.1)."""
    if BROKEN_LINE.search(head):
        raise ValueError("Lines of a SIP message end with CR and LF together.")
    start, *lines = _unfolded(head)
    if len(lines) > MAX_HEADERS:
        raise ValueError(f"A SIP message has at most {MAX_HEADERS} headers.")
    return start, tuple(map(_header, lines))


def _unfolded(head: bytes) -> list[str]:
    lines: list[list[bytes]] = []
    for line in head.split(b"\r\n"):
        if lines and line[:1] in (b" ", b"\t"):
            lines[-1][-1] = lines[-1][-1].rstrip(b" \t")
            lines[-1].append(line.lstrip(b" \t"))
        else:
            lines.append([line])
    return [b" ".join(parts).decode(errors="replace") for parts in lines]


def _header(line: str) -> Header:
    """A header, read without a pattern over the whole line: in a run of blanks that would take the square of it."""
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t")
    if not colon or NAME.fullmatch(name) is None:
        raise ValueError("A SIP header is a name, a colon and a value.")
    return Header(name, value.strip(" \t"))


def _start_line(start: str) -> Message:
    status = STATUS_LINE.fullmatch(start)
    if status is not None:
        return Message(status=int(status[1]), reason=status[2])
    asked = REQUEST_LINE.fullmatch(start)
    if asked is None:
        raise ValueError("A SIP message begins with a method, a URI and SIP/2.0, or with SIP/2.0 and a status.")
    return Message(method=asked[1], uri=asked[2])


def _content_length(message: Message) -> int | None:
    lengths = set(message.values("content-length"))
    if not lengths:
        return None
    (text, *more) = lengths
    if more or re.fullmatch(r"\d{1,9}", text, re.ASCII) is None:
        raise ValueError("Content-Length is one whole number.")
    return int(text)


def _pieces(text: str, separator: str) -> list[str]:
    """The text, cut at separators that stand neither in quotes nor in angle brackets."""
    if '"' not in text and "<" not in text:
        return [piece.strip() for piece in text.split(separator)]
    pieces, quoted, bracketed, escaped = [[""]], False, False, False
    for letter in text:
        if letter == separator and not quoted and not bracketed:
            pieces.append([])
            continue
        pieces[-1].append(letter)
        if letter == '"' and not escaped:
            quoted = not quoted
        if not quoted and letter in "<>":
            bracketed = letter == "<"
        escaped = quoted and letter == "\\" and not escaped
    return ["".join(piece).strip() for piece in pieces]


def _parameters(text: str) -> dict[str, str]:
    """The parameters after the first semicolon; of one that is given twice, the first counts."""
    found: dict[str, str] = {}
    for piece in _pieces(text, ";")[1:]:
        name, _, value = piece.partition("=")
        found.setdefault(name.strip().lower(), _unquoted(value.strip()))
    return found


def _realm(challenge: str) -> str | None:
    _, _, parameters = challenge.partition(" ")
    for piece in _pieces(parameters, ","):
        name, _, value = piece.partition("=")
        if name.strip().lower() == "realm":
            return _unquoted(value.strip())
    return None


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])


INVERTED = bytes(range(0xFF, -1, -1))


def inverted(data: bytes) -> bytes:
    """The twin of a message, every bit the other way round: nobody on the way reads it as SIP."""
    return data.translate(INVERTED)


# --- Asking -----------------------------------------------------------------------------------------------------


def options_request(host: str, transport: Transport, random_bytes: bytes) -> bytes:
    """The request that asks a server what it can do (section 11); `random_bytes` is IDENTIFIER_BYTES long."""
    uri, caller = f"sip:{_bracketed(host)}", f"<sip:anonymous@{ANONYMOUS}>"
    return _request("OPTIONS", uri, transport, random_bytes, caller, f"<{uri}>", (f"Contact: {caller}", "Accept: */*"))


def register_request(host: str, transport: Transport, random_bytes: bytes) -> bytes:
    """The request for the contacts of nobody (section 10.2.3): without a Contact of its own, it can change none."""
    uri, somebody = f"sip:{_bracketed(host)}", f"<sip:{random_bytes[:4].hex()}@{_bracketed(host)}>"
    return _request("REGISTER", uri, transport, random_bytes, somebody, somebody, ())


def _request(
    method: str, uri: str, transport: Transport, random_bytes: bytes, caller: str, callee: str, more: tuple[str, ...]
) -> bytes:
    lines = (
        f"{method} {uri} {VERSION}",
        f"Via: {VERSION}/{transport.upper()} {ANONYMOUS};branch=z9hG4bK{random_bytes[4:10].hex()};rport",
        "Max-Forwards: 70",
        f"From: {caller};tag={random_bytes[10:14].hex()}",
        f"To: {callee}",
        f"Call-ID: {random_bytes[14:].hex()}",
        f"CSeq: 1 {method}",
        *more,
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def response(request: Message, status: str, body: bytes) -> bytes:
    """A server's response to a request (section 8.2.6): its hops, dialogue and number come back as they arrived."""
    to = request.value("to") or ""
    lines = (
        f"{VERSION} {status}",
        *(f"Via: {hop}" for hop in request.values("via")),
        f"From: {request.value('from') or ''}",
        f"To: {to}" if "tag" in _parameters(to) else f"To: {to};tag=echo",
        f"Call-ID: {request.value('call-id') or ''}",
        f"CSeq: {request.value('cseq') or ''}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def response_to(request: bytes, data: bytes) -> Message | None:
    """The response to our request with which `data` begins.

    Raises ValueError for one that cannot be read, or fits in part: it carries our branch or our Call-ID, and is not
    our request, sent back.
    """
    asked = parse(request)
    is_ours = any(mark and mark.encode() in data for mark in (asked.branches[0], asked.value("call-id")))
    if not is_ours or data.lstrip(b"\r\n").startswith(asked.method.encode()):
        return None
    message = parse(data)
    if not answers(asked, message):
        raise ValueError("It carries our transaction, and answers another.")
    return message


def answers(request: Message, message: Message) -> bool:
    """The message is a response to the request (section 17.1.3): through our one hop, in our dialogue."""
    return bool(
        message.status
        and message.branches == request.branches
        and message.from_tag == request.from_tag
        and message.value("call-id") == request.value("call-id")
        and message.cseq == request.cseq
    )
