"""Plain HTTP/1.1 GET (RFC 9112): what a captive portal rewrites, and where the time can be read.

Sent: one GET with a Host and a neutral User-Agent. Answer: the expected status (and, where the targets file says so,
the beginning of the body): `transport`, since plain text can be answered by anyone. A middlebox can redirect to a
portal or show a block page. Kept: status, title, scheme and host of a redirect, the server's Date.
Leaks: the visited host, to everybody on the path, which is why only neutral hosts are asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import h11

from probe.dialer import Stream
from probe.failure import UNEXPECTED_STATUS, Failed, clean_text
from probe.handshakes import tcp
from probe.model import Endpoint, Expect, Fingerprint, Grade, HttpFacts, Operation, Step
from probe.trace import Trace

LIMIT = 10.0  # seconds
BODY_LIMIT = 16384  # bytes: enough for a title and a fingerprint
TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


async def handshake(trace: Trace, endpoint: Endpoint) -> Grade:
    """Gets one page. Raises StepFailed."""
    async with tcp.connect(trace, endpoint) as stream, trace.step(Step.HTTP, LIMIT) as record:
        record.count(stream.counters)
        record.operation = Operation.WRITE
        connection = h11.Connection(h11.CLIENT)
        await stream.send(_request(connection, endpoint.server_name or endpoint.host, endpoint.expect.path or "/"))
        record.operation = Operation.READ
        page = Page()
        try:
            await page.read(connection, stream)
        finally:  # a block page may come with a reset behind it
            record.http = page.facts(trace.instruments.fingerprints)
        record.operation = Operation.VERIFY
        if not page.is_expected(endpoint.expect):
            raise Failed(UNEXPECTED_STATUS)
    return Grade.TRANSPORT


def _request(connection: h11.Connection, host: str, path: str) -> bytes:
    headers = [("Host", host), ("User-Agent", "Mozilla/5.0"), ("Accept", "*/*"), ("Connection", "close")]
    head = connection.send(h11.Request(method="GET", target=path, headers=headers))
    return (head or b"") + (connection.send(h11.EndOfMessage()) or b"")


class Page:
    """What the server says, as far as it came."""

    def __init__(self) -> None:
        self.response: h11.Response | None = None
        self.body = b""

    async def read(self, connection: h11.Connection, stream: Stream) -> None:
        """The response and the beginning of its body. Raises OSError, EOFError, Failed(`http_request_failed`)."""
        while len(self.body) < BODY_LIMIT:
            try:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await self._receive(stream))
            except h11.RemoteProtocolError as error:
                raise Failed("http_request_failed") from error
            if isinstance(event, h11.Response):
                self.response = event
            elif isinstance(event, h11.Data):
                self.body = (self.body + event.data)[:BODY_LIMIT]
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return

    async def _receive(self, stream: Stream) -> bytes:
        data = await stream.receive()
        if not data and self.response is None:
            raise EOFError
        return data

    def is_expected(self, expect: Expect) -> bool:
        if self.response is None or expect.status not in (None, self.response.status_code):
            return False
        return expect.body is None or self.body.startswith(expect.body.encode())

    def facts(self, fingerprints: Sequence[Fingerprint]) -> HttpFacts | None:
        """What may be kept of it; None when there is no response."""
        if self.response is None:
            return None
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in self.response.headers}
        title = TITLE.search(self.body)
        location = headers.get("location")
        text = self.body.decode("utf-8", "replace") + (location or "")
        return HttpFacts(
            status=self.response.status_code,
            title=title and clean_text(title[1].decode("utf-8", "replace")),
            location=location and _scheme_and_host(location),
            fingerprint=next((print_.name for print_ in fingerprints if print_.pattern in text), None),
            date_ms=_date_ms(headers.get("date")),
        )


def _scheme_and_host(location: str) -> str | None:
    try:
        parts = urlsplit(location)
        host = parts.hostname
    except ValueError:
        return None
    return clean_text(f"{parts.scheme}://{host}") if host else None


def _date_ms(date: str | None) -> int | None:
    try:
        parsed = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return None
    # A date without a zone is meant as UTC, not as the device's own time.
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
