"""Which questions a control signs: those to a collector whose key it knows, told or pinned at a receipt or ticket.

A signature names the prober, so nobody learns it but whom it sends to anyway: a file of addresses or controls anywhere
else is asked for as anybody does. A key is known only of a collector that was reached over https or on this machine,
or whose operator told it (submit/pins.py), so that nobody in between learns more than uploads show.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from yarl import URL

from probe.codecs.signed_get import header
from probe.failure import UserError
from probe.submit.identity import Identity
from probe.submit.pins import Collector, Pins

logger = logging.getLogger(__name__)

Authorize = Callable[[str], str | None]  # the URL of a GET → the value of `Authorization`, if there is one


def unsigned(url: str) -> None:
    """Signs nothing."""


def signer(
    pins: Pins, collector: Collector | None, identity: Callable[[], Identity], now_ms: Callable[[], int]
) -> Authorize:
    """Signs for the collectors known; the identity is opened only where there is something to sign."""

    def authorize(url: str) -> str | None:
        try:
            asked = place(url, known_keys(pins, collector))
            if asked is None:
                return None
            key, path = asked
            prober = identity()
            return header(prober.key, key, path, now_ms(), prober.sign)
        except UserError as error:  # it can be asked without
            logger.warning("The collector is asked without a signature: %s", error)
            return None

    return authorize


def known_keys(pins: Pins, collector: Collector | None) -> dict[str, str]:
    """Base URL → key. A pinned key may be the successor of the one that was told. Raises UserError."""
    told = {} if collector is None or collector.key is None else {collector.url.rstrip("/"): collector.key}
    return told | pins.all()


def place(url: str, known: Mapping[str, str]) -> tuple[str, str] | None:
    """The key of the collector at whose base this URL is, and the path with its query below that; None for others'."""
    try:
        asked = URL(url)
        if asked.user or asked.password:  # which speak for themselves
            return None
        for base, key in sorted(known.items(), key=lambda each: -len(each[0])):  # the deepest first
            root = URL(base).raw_path.rstrip("/")
            if _server(asked) == _server(URL(base)) and asked.raw_path.startswith(f"{root}/"):
                return key, asked.raw_path_qs.removeprefix(root)
    except ValueError:  # no URL: whoever asks says so
        return None
    return None


def _server(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.raw_host, url.port
