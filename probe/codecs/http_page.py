"""What may be kept of a web page, however it came: status, title, where it sends to, which block page it is.

Text from the wire is cut short and cleaned of addresses and numbers; a redirect keeps its scheme and host.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from msgspec import Struct

from probe.model import Expect, Fingerprint, HttpFacts
from probe.private_text import clean_text

STATUS = re.compile(rb"[1-9][0-9]{2}")  # with more digits, a middlebox could make a record that nobody takes
BODY_LIMIT = 16384  # bytes: enough for a title and a fingerprint
DATE_CHARACTERS = 64  # a date of HTTP has 29
LOCATION_CHARACTERS = 8192

Headers = Sequence[tuple[bytes, bytes]]


class Page(Struct, frozen=True):
    """A response, as far as it came; the names of its headers are in lower case."""

    status: int
    headers: Headers
    body: bytes = b""

    def is_expected(self, expect: Expect) -> bool:
        if expect.status not in (None, self.status):
            return False
        return expect.body is None or self.body.startswith(expect.body.encode())

    def facts(self, fingerprints: Sequence[Fingerprint]) -> HttpFacts:
        title, location, server = title_of(self.body), self._header(b"location"), self._header(b"server")
        text = self.body.decode("utf-8", "replace") + (location or "")
        return HttpFacts(
            status=self.status,
            title=None if title is None else clean_text(title.decode("utf-8", "replace")),
            location=location and _scheme_and_host(location),
            server=server and clean_text(server),
            fingerprint=next((print_.name for print_ in fingerprints if print_.pattern in text), None),
            date_ms=_date_ms(self._header(b"date")),
            age_s=_age_s(self._header(b"age")),
            passed_on=self._header(b"via") is not None,
        )

    def _header(self, name: bytes) -> str | None:
        return next((value.decode("latin-1") for key, value in self.headers if key == name), None)


def title_of(body: bytes) -> bytes | None:
    """The text between the first `<title…>` and the `</title>` behind it; each is looked for once."""
    lower = body.lower()
    tag = lower.find(b"<title")
    start = lower.find(b">", tag) + 1 if tag >= 0 else 0
    end = lower.find(b"</title>", start) if start else -1
    return body[start:end] if end >= 0 else None


def _scheme_and_host(location: str) -> str | None:
    if len(location) > LOCATION_CHARACTERS:
        return None
    try:
        parts = urlsplit(location)
        host = parts.hostname
    except ValueError:
        return None
    return clean_text(f"{parts.scheme}://{host}") if host else None


def _age_s(age: str | None) -> int | None:
    """The Age of a cached page (RFC 9111, 5.1), in seconds. Ten digits are more than any cache keeps a page."""
    return int(age) if age and re.fullmatch("[0-9]{1,10}", age.strip()) else None


def _date_ms(date: str | None) -> int | None:
    if date is None or len(date) > DATE_CHARACTERS:
        return None
    try:
        parsed = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is meant as UTC, not as the device's own time.
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
