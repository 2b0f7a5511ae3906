"""Each search tree is read by maxminddb too: what it finds at an address is what our table has there."""

from __future__ import annotations

import io
import ipaddress

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.credits import About
from collector.facts.networks import MaxMindTable
from collector.facts.published.databases import Database
from collector.facts.published.gathered import Gathered
from collector.facts.range_table import RangeTable, pack, unpack
from probe.failure import UserError
from probe.model import Network
from tests.collector.facts import maxmind

OURS: maxmind.Record = {
    "country": {"iso_code": "MA"},
    "autonomous_system_number": 36903,
    "autonomous_system_organization": "Maroc Telecom",
}
THEIRS: maxmind.Record = {"country_code": "ES", "asn": "AS3352", "as_name": "Telefonica"}
V4 = {"105.128.0.0/11": OURS, "81.32.0.0/12": THEIRS, "0.0.0.0/32": THEIRS, "255.255.255.255/32": OURS}
V6 = {"2c0f:f248::/32": OURS, "2a02::/16": THEIRS, "::105.128.0.0/107": OURS, "8000::/1": THEIRS}
SHAPES = [(4, 24), (4, 28), (4, 32), (6, 24), (6, 28), (6, 32)]


def table(data: bytes) -> RangeTable:
    gathered = Gathered()
    Database(data, "x.mmdb").read(gathered)
    return unpack(pack(About(), gathered.pieces(4), gathered.pieces(6)))


def by_maxminddb(data: bytes, address: str) -> Network:
    return MaxMindTable(maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD)).lookup(address)


def edges(prefixes: list[str]) -> list[str]:
    """The first and last address of each, and those beside."""
    found = []
    for prefix in map(ipaddress.ip_network, prefixes):
        first, last = int(prefix.network_address), int(prefix.broadcast_address)
        kind = type(prefix.network_address)
        numbers = (n for n in (first - 1, first, last, last + 1) if 0 <= n < 1 << prefix.max_prefixlen)
        found += [str(kind(number)) for number in numbers]
    return found


@pytest.mark.parametrize(("version", "size"), SHAPES)
def test_every_shape_of_tree(version: int, size: int) -> None:
    data = maxmind.database(V4 if version == 4 else V6, version=version, record_size=size)
    found = table(data)
    for address in edges([*V4] if version == 4 else [*V4, *V6]):
        if not address.startswith("::"):  # which we take for IPv6, and maxminddb for IPv4
            assert found.lookup(address) == by_maxminddb(data, address), address


def test_a_tree_of_ipv6_holds_ipv4_once() -> None:
    """At ::/96; other parts of IPv6 lead to the same nodes."""
    found = table(maxmind.database(V6, version=6))
    assert found.lookup("105.130.1.2").operator == "Maroc Telecom"
    assert found.lookup("::ffff:105.130.1.2").operator == "Maroc Telecom"


PREFIXES = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)).map(
    lambda each: str(ipaddress.IPv4Network((each[0], each[1]), strict=False))
)


@given(st.dictionaries(PREFIXES, st.sampled_from([OURS, THEIRS]), max_size=6))
def test_trees_of_chance(records: dict[str, maxmind.Record]) -> None:
    apart = {prefix: record for prefix, record in records.items() if not _nests(prefix, records)}
    data = maxmind.database(apart)
    found = table(data) if apart else None
    for address in edges([*apart]):
        assert found is not None
        assert found.lookup(address) == by_maxminddb(data, address)


def _nests(prefix: str, others: dict[str, maxmind.Record]) -> bool:
    """A tree has one answer on each way down."""
    own = ipaddress.IPv4Network(prefix)
    return any(own != (other := ipaddress.IPv4Network(each)) and own.overlaps(other) for each in others)


def test_what_it_says_of_itself() -> None:
    database = Database(maxmind.database(V4), "x.mmdb")
    assert (database.kind, database.built_ms) == ("Ringback-Test", 1000)


GOOD = maxmind.database(V4)


@pytest.mark.parametrize("data", [b"", b"\xab\xcd\xefMaxMind.com", GOOD[:-40], GOOD[200:], b"x" * 999])
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(UserError, match=r"x\.mmdb is no MMDB that can be read"):
        table(data)


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=4))
def test_what_rots_is_refused_or_read(at: int, put: bytes) -> None:
    """A tree that leads back into itself ends: each node is walked once."""
    refused = ""
    try:
        found = table(GOOD[:at] + put + GOOD[at + len(put) :]).lookup("105.130.1.2")
    except UserError as error:
        found, refused = None, str(error)
    assert "x.mmdb" in refused or isinstance(found, Network)
