from __future__ import annotations

import hashlib
import ipaddress
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.credits import About, Credit
from collector.facts.networks import parse_address
from collector.facts.published.gathered import Gathered
from collector.facts.range_table import DIGEST_BYTES, LENGTH_BYTES, MAGIC, Damaged, RangeTable, pack, unpack
from probe.model import Network

IAM = Network(country="MA", asn=36903, operator="Maroc Telecom")
INWI = Network(country="MA", asn=36884, operator="inwi")
ABOUT = About(data_ms=7, credits=(Credit("Whose", "https://example.org/", "CC BY 4.0"),), sources=("a",))
BASES = ("105.130.7.9", "105.130.255.0", "0.0.0.0", "255.255.255.255", "2c0f:f248::ff", "2c0f:f248::1:0:0:0:0", "::")


def table(*given_: tuple[str, str, Network]) -> RangeTable:
    return unpack(packed(*given_))


def packed(*given_: tuple[str, str, Network]) -> bytes:
    gathered = Gathered()
    for first, last, network in given_:
        begins, ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        gathered.add(begins.version, int(begins), int(ends), network)
    return pack(ABOUT, gathered.pieces(4), gathered.pieces(6))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("105.129.1.2", IAM),
        ("105.130.1.2", INWI),
        ("105.130.255.255", INWI),
        ("105.131.0.0", IAM),
        ("::ffff:105.130.1.2", INWI),
        ("2c0f:f248::1", IAM),
        ("2c0f:f248::1%eth0", IAM),
        ("105.160.0.1", Network()),
        ("::", Network()),
        ("not an address", Network()),
        ("", Network()),
        ("\0", Network()),
        ("1:\udc80", Network()),
    ],
)
def test_the_narrowest_range_wins(address: str, network: Network) -> None:
    found = table(
        ("105.128.0.0", "105.159.255.255", IAM),
        ("105.130.0.0", "105.130.255.255", INWI),
        ("2c0f:f248::", "2c0f:f248:ffff:ffff:ffff:ffff:ffff:ffff", IAM),
    )
    assert found.lookup(address) == network
    assert found.about == ABOUT
    assert found.sizes() == (5, 3)


@st.composite
def some(draw: st.DrawFn) -> list[tuple[str, str, Network]]:
    """Ranges near few addresses, of lengths from one address to the whole, so that they often cross."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        base = ipaddress.ip_address(draw(st.sampled_from(BASES)))
        most = (1 << base.max_prefixlen) - 1
        first = max(0, int(base) - draw(st.sampled_from([0, 1, 255, 1 << 16, 1 << 64, most])))
        last = min(most, int(base) + draw(st.sampled_from([0, 1, 255, 1 << 16, 1 << 64, most])))
        network = Network(asn=number + 1, country=draw(st.sampled_from(["MA", "ZZ"])), operator=f"operator {number}")
        kind = type(base)
        found.append((str(kind(first)), str(kind(last)), network))
    return found


def brute(ranges: list[tuple[str, str, Network]], address: str) -> Network:
    """By looking at every range: whose it is, and in which country, each by the narrowest that says it."""
    wanted = ipaddress.ip_address(address)
    holding = []
    for first, last, network in ranges:
        begins, ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        if begins.version == wanted.version and int(begins) <= int(wanted) <= int(ends):
            holding.append((int(ends) - int(begins), len(holding), network))
    owner = min(holding, default=(0, 0, Network()), key=lambda each: each[:2])[2]
    placed = [each for each in holding if each[2].country != "ZZ"]
    place = min(placed, default=(0, 0, Network()), key=lambda each: each[:2])[2]
    return Network(asn=owner.asn, operator=owner.operator, country=place.country)


@given(some(), st.lists(st.one_of(st.ip_addresses(), st.sampled_from(BASES)), max_size=5))
def test_lookup_agrees_with_brute_force(ranges: list[tuple[str, str, Network]], more: list[object]) -> None:
    found = table(*ranges)
    edges = [edge for first, last, _ in ranges for edge in (first, last)]
    beside = [kind for edge in edges for kind in _beside(edge)]
    for address in {*edges, *beside, *map(str, more)}:
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            continue
        assert found.lookup(address) == brute(ranges, address)


def _beside(edge: str) -> list[str]:
    address = ipaddress.ip_address(edge)
    most = (1 << address.max_prefixlen) - 1
    return [str(type(address)(number)) for number in (int(address) - 1, int(address) + 1) if 0 <= number <= most]


WRITTEN = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda each: each.exploded),
    st.ip_addresses(v=4).map(lambda each: f"::ffff:{each}"),
    st.ip_addresses(v=4).map(lambda each: f"::{each}%eth0"),
    st.text("0123456789abcdef:.%/ \0x-", max_size=24),
    st.text(max_size=8),
)


@given(WRITTEN)
def test_addresses_are_read_as_everywhere_else(text: str) -> None:
    found = table(("0.0.0.0", "255.255.255.255", IAM), ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", INWI))
    parsed = parse_address(text)
    expected = Network() if parsed is None else IAM if parsed.version == 4 else INWI
    assert found.lookup(text) == expected


# --- Damage


GOOD = packed(("105.128.0.0", "105.159.255.255", IAM), ("2c0f:f248::", "2c0f:f248::ffff", INWI))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_byte_that_rots_is_seen(at: int, flipped: int) -> None:
    data = bytearray(GOOD)
    data[at] ^= flipped
    with pytest.raises(Damaged):
        unpack(bytes(data))


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_that_is_cut_is_refused(length: int) -> None:
    with pytest.raises(Damaged):
        unpack(GOOD[:length])


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


@given(st.integers(len(MAGIC), len(GOOD) - DIGEST_BYTES - 1), st.binary(min_size=1, max_size=9))
def test_what_is_false_under_a_right_digest_is_refused_or_harmless(at: int, put: bytes) -> None:
    body = GOOD[:-DIGEST_BYTES]
    changed = body[:at] + put + body[at + len(put) :]
    with suppress(Damaged):
        for address in ("0.0.0.0", "105.130.1.2", "255.255.255.255", "::", "2c0f:f248::1", "ffff::"):
            assert isinstance(unpack(sealed(changed)).lookup(address), Network)


def with_header(**fields: object) -> bytes:
    body = GOOD[len(MAGIC) : -DIGEST_BYTES]
    length = int.from_bytes(body[:LENGTH_BYTES], "little")
    header = msgspec.json.decode(body[LENGTH_BYTES : LENGTH_BYTES + length]) | fields
    said = msgspec.json.encode(header)
    return sealed(MAGIC + len(said).to_bytes(LENGTH_BYTES, "little") + said + body[LENGTH_BYTES + length :])


@pytest.mark.parametrize("fields", [{"v4": 10**12}, {"v4": -1}, {"v6": 0}, {"networks": 10**15}, {"names": "x"}])
def test_a_header_that_lies_takes_no_memory(fields: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        unpack(with_header(**fields))


def test_the_order_of_addresses_is_checked() -> None:
    unordered = pack(About(), [(0, IAM), (9, INWI), (5, IAM)], [(0, IAM)])
    with pytest.raises(Damaged, match="not in order"):
        unpack(unordered)
    with pytest.raises(Damaged, match="not in order"):
        unpack(pack(About(), [(1, IAM)], [(0, IAM)]))
