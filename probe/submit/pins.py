"""Collectors, and the key by which each is known: pinned when it first signs a receipt, or given by its operator.

    <data directory>/collectors.json   {"https://collector.example":"<64 hex digits>"}

Over plain HTTP whoever carries the answer could sign it at the first use, and read what was measured, so that is for a
collector on this machine alone, and elsewhere only for one whose key was given.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from probe import durable
from probe.addresses import is_address
from probe.codecs.receipt import is_key
from probe.failure import UserError

FILE = "collectors.json"
SCHEME = "ringback:"


class Collector(Struct, frozen=True):
    """A collector as it was named: its base URL, and the key that its operator told; None: whichever it shows first."""

    url: str
    key: str | None = None


class Pins:
    """The pinned keys in a data directory. Every method raises UserError when the file cannot be read or kept."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE

    def all(self) -> dict[str, str]:
        """Base URL → key."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UserError(f"The pinned keys {self._path} cannot be read: {error.strerror}.") from error
        except msgspec.MsgspecError as error:
            raise UserError(f"{self._path} is damaged: delete it, and name each collector by its key.") from error

    def key(self, url: str) -> str | None:
        """The key of the collector at this URL; None before its first receipt."""
        return self.all().get(_base(url))

    def pin(self, url: str, key: str) -> None:
        """Trusts this key at this URL from now on, instead of another."""
        pinned = self.all() | {_base(url): key}
        try:
            durable.write(self._path, msgspec.json.encode(pinned) + b"\n")
        except OSError as error:
            raise UserError(f"The pinned keys {self._path} cannot be kept: {error.strerror}.") from error


def parse_collector(text: str) -> Collector:
    """`https://HOST`, or `ringback:KEY@HOST`, whose HOST may also be a whole URL. Raises UserError."""
    url, key = text, None
    if text.startswith(SCHEME):
        key, at, place = text.removeprefix(SCHEME).partition("@")
        if not at or not is_key(key):
            raise UserError(f"{text} is not ringback:KEY@HOST: KEY is 64 hex digits, as `ringback doctor` prints it.")
        url = place if "://" in place else f"https://{place}"
    if not is_url(url):
        raise UserError(f"{text} is not a URL such as https://collector.example, or ringback:KEY@collector.example.")
    if key is None and not is_trusted(url):
        raise UserError(f"{url} is neither https nor this machine: name it as https://…, or by its key.")
    return Collector(url, key)


def is_url(text: str) -> bool:
    """Whether this is a URL that can be asked."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_trusted(url: str) -> bool:
    """Whether nobody in between can change what comes from this URL."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    here = host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
    return parts.scheme == "https" or (parts.scheme == "http" and here)


def _base(url: str) -> str:
    return url.rstrip("/")
