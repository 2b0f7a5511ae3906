"""What is known of each key: when it was seen, where, how much it sent, and whether and since when it counts.

Made of the log alone, which can be read beside the collector that writes it: of bodies, and where these have gone, of
the verdicts that were frozen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from msgspec import Struct

from collector.facts.lines import Said, closure, said
from collector.facts.standing import Sighting, Standings, days_of
from collector.judging import records
from collector.judging.frozen import FrozenLine
from collector.judging.kept_standing import sighting_of
from collector.judging.records import Batch, Unreadable
from collector.log import Entry, Record, segment
from probe.failure import UserError
from probe.model import Network

DAY = "%Y-%m-%d"


class KnownKey(Struct, kw_only=True):
    """A key, as it is told of. Times are of receipt, ms; networks in order of their AS."""

    key: str
    first_ms: int
    last_ms: int
    measurements: int = 0
    networks: set[Network] = set()
    established_ms: int | None = None  # in the autonomous system in which it came first
    blocked: bool = False
    follows: str | None = None  # the key whose line it is now


def entries(directory: Path) -> Iterator[Entry]:
    """The envelopes of a log, in order, while another process may be writing it. Raises UserError."""
    for path in sorted(directory.glob("*.sqlite")):
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                rows = connection.execute(f"SELECT {segment.COLUMNS} FROM envelope ORDER BY position")
                yield from map(segment.entry, rows)
        except sqlite3.Error as error:
            raise UserError(f"{path} cannot be read ({error}): `ringback-collector verify` tells all.") from error


def known_keys(
    log: Iterable[Entry],
    blocked: frozenset[str],
    gone: Iterable[FrozenLine] = (),
    said_before: Iterable[Said] = (),
) -> list[KnownKey]:
    """The keys of which the log holds anything, in order of when they were first seen.

    A measurement that came twice is one. What cannot be read any more is left out. What follows a blocked key is
    blocked. `gone`, `said_before`: what the log says of bodies that have gone.
    """
    found: dict[str, KnownKey] = {}
    seen: set[bytes] = set()
    successions = list(said_before)
    days = days_of(chain(_frozen_sightings(gone, found, seen), _sightings(log, found, successions, seen)))
    hidden = closure(blocked, ((one.old, one.new) for one in successions))
    standings = Standings({(key, asn): each for (key, asn), each in days.items() if key not in hidden}, successions)
    for each in found.values():
        since = [standings.since_ms(each.key, network.asn) for network in each.networks]
        each.established_ms = min((one for one in since if one is not None), default=None)
        each.blocked = each.key in hidden
        each.follows = next((one for net in each.networks if (one := standings.before(each.key, net.asn))), None)
    return sorted(found.values(), key=lambda each: (each.first_ms, each.key))


def _frozen_sightings(gone: Iterable[FrozenLine], found: dict[str, KnownKey], seen: set[bytes]) -> Iterator[Sighting]:
    for line in gone:
        one = _noted(line.sighting.key, line.received_ms, line.network, found)
        one.measurements += 1
        seen.add(bytes.fromhex(line.sighting.key + line.sighting.uid))
        yield line.sighting


def _sightings(
    log: Iterable[Entry], found: dict[str, KnownKey], successions: list[Said], seen: set[bytes]
) -> Iterator[Sighting]:
    """The sightings of keys, while what is told of each key is noted in `found`, and who follows whom."""
    for digest, batch in _opened(log):
        one = _noted(batch.header.key, batch.received_ms, batch.network, found)
        if (succession := said(batch.header, batch.received_ms, digest)) is not None:
            successions.append(succession)
        for record in _records(batch):
            identity = bytes.fromhex(record.key + record.measurement.uid)
            if identity not in seen:
                seen.add(identity)
                one.measurements += 1
                yield sighting_of(record)


def _noted(key: str, moment: int, network: Network, found: dict[str, KnownKey]) -> KnownKey:
    one = found.setdefault(key, KnownKey(key=key, first_ms=moment, last_ms=moment))
    one.first_ms, one.last_ms = min(one.first_ms, moment), max(one.last_ms, moment)
    one.networks.add(network)
    return one


def _opened(log: Iterable[Entry]) -> Iterator[tuple[bytes, Batch]]:
    """Batches, each with the digest of its body."""
    for entry in log:
        try:
            yield entry.envelope.digest, records.opened(entry)
        except Unreadable:
            continue


def _records(batch: Batch) -> Iterator[Record]:
    for number in batch.numbers:
        try:
            yield records.record(batch, number)
        except Unreadable:
            continue


def told(one: KnownKey) -> str:
    """A key in one line."""
    networks = sorted(one.networks, key=lambda network: (network.asn, network.country, network.operator))
    since = "never established" if one.established_ms is None else f"established since {_day(one.established_ms)}"
    return "  ".join(
        [
            one.key,
            f"seen {_day(one.first_ms)} to {_day(one.last_ms)}",
            f"{one.measurements} measurements",
            ", ".join(f"{network.country} AS{network.asn} {network.operator}" for network in networks),
            "BLOCKED" if one.blocked else since,
            *([] if one.follows is None else [f"follows {one.follows}"]),
        ]
    )


def _day(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):{DAY}}"
