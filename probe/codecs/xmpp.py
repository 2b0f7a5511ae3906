"""The opening of an XMPP stream (RFC 6120, section 4): one stream header each way, then the server's features.

XML from the network is read by expat with everything refused that RFC 6120, section 11.1, forbids (document types
and with them entities, comments, processing instructions), and within bounds of length and depth.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from msgspec import Struct

MAX_BYTES = 16_384
MAX_DEPTH = 12
MAX_MECHANISMS = 16
LOCALPART_BYTES = 8

STREAMS, CLIENT = "http://etherx.jabber.org/streams", "jabber:client"
STREAM, FEATURES, ERROR = f"{STREAMS} stream", f"{STREAMS} features", f"{STREAMS} error"
STARTTLS, REQUIRED = "urn:ietf:params:xml:ns:xmpp-tls starttls", "urn:ietf:params:xml:ns:xmpp-tls required"
MECHANISM = "urn:ietf:params:xml:ns:xmpp-sasl mechanism"
CONDITIONS = "urn:ietf:params:xml:ns:xmpp-streams "


class Answer(Struct, frozen=True, kw_only=True):
    """The answer of a server, up to the end of its features or of its refusal."""

    domain: str = ""  # whom it says that it is
    to: str = ""  # whom it says that it answers
    starttls: str | None = None  # `offered`, `required`; None: neither
    mechanisms: tuple[str, ...] = ()  # of SASL, in its order
    error: str | None = None  # the condition of a stream error (section 4.9.3), such as host-unknown


class Opening:
    """One stream, opened as nobody: `request()`, then `receive` what comes until there is an Answer."""

    def __init__(self, domain: str, random_bytes: bytes) -> None:
        """`random_bytes` is LOCALPART_BYTES long; the server answers the name that they make (section 4.7.2)."""
        self.domain = domain
        self.caller = f"{random_bytes.hex()}@{domain}"
        self._reader = _Reader()

    def request(self) -> bytes:
        domain, caller = quoteattr(self.domain), quoteattr(self.caller)
        namespaces = f"xmlns='{CLIENT}' xmlns:stream='{STREAMS}'"
        return f"<?xml version='1.0'?><stream:stream from={caller} to={domain} version='1.0' {namespaces}>".encode()

    def receive(self, data: bytes) -> Answer | None:
        """The answer, once it is whole. Raises ValueError with a sentence for what is no XMPP."""
        return self._reader.read(data)

    def echoes(self, answer: Answer) -> bool:
        """The answer is to us: it names whom only this request named."""
        return answer.to == self.caller


class _Reader:
    """Collects the answer while expat reads."""

    def __init__(self) -> None:
        self._whole = False
        self._bytes = 0
        self._path: list[str] = []
        self._text = ""
        self._found: dict[str, str] = {}
        self._mechanisms: list[str] = []
        self._parser = expat.ParserCreate("UTF-8", " ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.CommentHandler = _refuse
        self._parser.ProcessingInstructionHandler = _refuse
        # Expat 2.6 holds a last small piece back until more comes, and after the features nothing does.
        if hasattr(self._parser, "SetReparseDeferralEnabled"):
            self._parser.SetReparseDeferralEnabled(False)

    def read(self, data: bytes) -> Answer | None:
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise ValueError(f"The opening of an XMPP stream is at most {MAX_BYTES} bytes long.")
        try:
            self._parser.Parse(data, False)
        except expat.ExpatError as error:
            raise ValueError("An XMPP stream is well-formed XML in UTF-8.") from error
        return self._concluded() if self._whole else None

    def _concluded(self) -> Answer:
        return Answer(
            domain=self._found.get("from", ""),
            to=self._found.get("to", ""),
            starttls=self._found.get("starttls"),
            mechanisms=tuple(self._mechanisms),
            error=self._found.get("error"),
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) == MAX_DEPTH:
            raise ValueError(f"The opening of an XMPP stream is at most {MAX_DEPTH} elements deep.")
        if not self._path:
            self._open(name, attributes)
        self._path.append(name)
        self._text = ""
        if self._path[1:] == [FEATURES, STARTTLS]:
            self._found["starttls"] = "offered"
        elif self._path[1:] == [FEATURES, STARTTLS, REQUIRED]:
            self._found["starttls"] = "required"
        elif self._path[1:2] == [ERROR] and len(self._path) == 3 and name.startswith(CONDITIONS):
            self._found.setdefault("error", name.removeprefix(CONDITIONS))

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        if name != STREAM:
            raise ValueError("An XMPP stream begins with <stream:stream>.")
        self._found |= {key: value for key, value in attributes.items() if key in ("from", "to")}

    def _end(self, name: str) -> None:
        if name == MECHANISM and self._path[1] == FEATURES and len(self._mechanisms) < MAX_MECHANISMS:
            self._mechanisms.append(self._text)
        self._path.pop()
        self._whole = self._whole or (len(self._path) < 2 and name in (STREAM, FEATURES, ERROR))

    def _characters(self, text: str) -> None:
        self._text = (self._text + text)[:64]


def _refuse(*_: object) -> NoReturn:
    raise ValueError("An XMPP stream has no document type, comments or processing instructions.")
