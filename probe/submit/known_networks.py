"""What the probe remembers of the networks that it measured: its last ticket, gateways, and since when it used a key.

    <data directory>/networks.json
    {"collectors":{URL:{"gateways":{MARK:ASN},"last":…}},"first_used_ms":{ASN:{QUARTER:…}}}

A gateway's mark is a keyed hash (identity.py): it leaves the device in no form. What cannot be kept is done without.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from probe import durable
from probe.codecs.succession import quarter_of
from probe.codecs.ticket import MINUTE_MS
from probe.model import Ticket

FILE = "networks.json"
MOST = 64  # gateways, collectors and networks that are remembered, the latest
MOST_QUARTERS = 2  # of a network: the latest

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger(__name__)


class Last(Struct, frozen=True, kw_only=True):
    """The last ticket of a collector, the mark of the gateway where it was had, and when by the device's clock."""

    ticket: Ticket
    gateway: str | None
    had_ms: int


class Asked(Struct, frozen=True, kw_only=True):
    """Of one collector: gateway → the ASN that it saw there, and its last ticket."""

    gateways: dict[str, int] = {}
    last: Last | None = None


class _Known(Struct, frozen=True, kw_only=True):
    collectors: dict[str, Asked] = {}
    first_used_ms: dict[int, dict[int, int]] = {}  # ASN → quarter → when its key was used first, by the device's clock


class KnownNetworks:
    """Kept in a data directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE

    def asn_behind(self, url: str, gateway: str | None) -> int | None:
        """The ASN that a collector saw last behind a gateway; None: it is not known."""
        return None if gateway is None else self._of(url).gateways.get(gateway)

    def last(self, url: str) -> Last | None:
        return self._of(url).last

    def first_used_ms(self, asn: int) -> dict[int, int]:
        """The latest quarters in which the network was measured, and since when in each."""
        return self._read().first_used_ms.get(asn, {})

    def networks(self) -> dict[int, list[int]]:
        """The networks of which anything is known, and the latest quarters of each."""
        return {asn: sorted(quarters) for asn, quarters in self._read().first_used_ms.items()}

    def note(self, url: str, last: Last) -> None:
        """Remembers a ticket."""
        known, asked, ticket = self._read(), self._of(url), last.ticket
        asn, quarter = ticket.network.asn, quarter_of(ticket.minute * MINUTE_MS)
        gateways = asked.gateways if last.gateway is None else _latest(asked.gateways, last.gateway, asn)
        quarters = {quarter: last.had_ms} | known.first_used_ms.get(asn, {})
        quarters = {each: quarters[each] for each in sorted(quarters)[-MOST_QUARTERS:]}
        self._write(
            replace(
                known,
                collectors=_latest(known.collectors, url, Asked(gateways=gateways, last=last)),
                first_used_ms=_latest(known.first_used_ms, asn, quarters),
            )
        )

    def _of(self, url: str) -> Asked:
        return self._read().collectors.get(url, Asked())

    def _read(self) -> _Known:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Known)
        except (OSError, ValueError, msgspec.MsgspecError):
            return _Known()

    def _write(self, known: _Known) -> None:
        try:
            durable.write(self._path, msgspec.json.encode(known) + b"\n")
        except OSError as error:
            logger.warning("What is known of networks cannot be kept: %s.", error.strerror)


def _latest(known: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    """With the value under the key, as the last; of too many the first goes."""
    others = [(each, known[each]) for each in known if each != key]
    return dict([*others, (key, value)][-MOST:])
