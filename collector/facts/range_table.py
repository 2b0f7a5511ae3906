"""Our own table of networks: a file of sorted pieces, read whole into arrays and asked by bisection.

    "ringback-networks-1\\n"
    the length of the header in 4 bytes, the header in JSON (`_Header`)
    IPv4: where each piece begins (4 bytes each), the number of its network (4)
    IPv6: the upper and the lower 64 bits of where each begins (8, 8), the number of its network (4)
    networks: AS number (4), country (2 letters), where its operator's name begins among the names (4, and the end)
    the names in UTF-8
    SHA-256 of all before

Numbers are unsigned, the lowest byte first. Each family's first piece begins at 0.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import ge, gt
from typing import Any

import msgspec
from msgspec import Struct

from collector.facts.credits import About
from collector.facts.ranges import Piece
from probe.model import Network

MAGIC = b"ringback-networks-1\n"
DIGEST_BYTES, LENGTH_BYTES = 32, 4
MOST_HEADER = 65_536
_OF_NETWORK, _END_BYTES = 4 + 2 + 4, 4  # bytes of a network beside its name, and of the last name's end
UNKNOWN = Network()
_LOW = (1 << 64) - 1
_MAPPED = bytes(10) + b"\xff\xff"  # before an IPv4 address that is written as IPv6


class Damaged(ValueError):
    """The bytes are no table; the words say why."""


class _Header(Struct, frozen=True, kw_only=True):
    about: About
    v4: int
    v6: int
    networks: int
    names: int  # bytes


class RangeTable:
    """Networks by sorted pieces (`collector.facts.networks.Networks`)."""

    def __init__(self, about: About, v4: _Family, v6: _Family, networks: _Packed) -> None:
        self.about, self._v4, self._v6, self._networks = about, v4, v6, networks

    def lookup(self, address: str) -> Network:
        packed = _packed_address(address)
        if packed is None:
            return UNKNOWN
        family = self._v4 if len(packed) == 4 else self._v6
        return self._networks.network(family.find(int.from_bytes(packed)))

    def is_cgn(self, address: str) -> bool:
        """No published table says it; operators.yaml does."""
        return False

    def sizes(self) -> tuple[int, int]:
        """How many pieces each family has."""
        return len(self._v4.numbers), len(self._v6.numbers)


def _packed_address(text: str) -> bytes | None:
    """As `parse_address` reads it, some five times as fast: without its zone, a v4-mapped one as IPv4."""
    text = text.partition("%")[0]
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed


class _Family:
    """The pieces of one family: where they begin, in one array of 32 bits or in two of 64, and their networks."""

    def __init__(self, numbers: array[int], begins: array[int], lower: array[int] | None = None) -> None:
        self.numbers, self._begins, self._lower = numbers, begins, lower

    def find(self, address: int) -> int:
        """The number of the network of an address."""
        if self._lower is None:
            return self.numbers[bisect_right(self._begins, address) - 1]
        high = address >> 64
        since, until = bisect_left(self._begins, high), bisect_right(self._begins, high)
        return self.numbers[bisect_right(self._lower, address & _LOW, since, until) - 1]

    def check(self, networks: int) -> None:
        """Raises Damaged."""
        if next(self._positions()) not in ((0,), (0, 0)) or _disordered(self._positions, ge):
            raise Damaged("its addresses are not in order")
        if max(self.numbers) >= networks:
            raise Damaged("it names a network that it does not hold")

    def _positions(self) -> Iterator[tuple[int, ...]]:
        return zip(self._begins) if self._lower is None else zip(self._begins, self._lower, strict=True)


class _Packed:
    """The networks, as they stand in the file; one is made when it is asked for."""

    def __init__(self, asns: array[int], countries: bytes, ends: array[int], names: bytes) -> None:
        self._asns, self._countries, self._ends, self._names = asns, countries, ends, names

    def network(self, number: int) -> Network:
        country = self._countries[2 * number : 2 * number + 2].decode()
        operator = self._names[self._ends[number] : self._ends[number + 1]].decode()
        return Network(country=country, asn=self._asns[number], operator=operator)

    def check(self) -> None:
        """Raises Damaged."""
        if self._ends[0] != 0 or self._ends[-1] != len(self._names) or _disordered(lambda: iter(self._ends), gt):
            raise Damaged("its names are not in order")
        try:
            for number in range(len(self._asns)):
                self.network(number)
        except UnicodeDecodeError as error:
            raise Damaged("a name in it is not UTF-8") from error


def _disordered(numbers: Callable[[], Iterator[Any]], wrong: Callable[[Any, Any], bool]) -> bool:
    """Whether two that follow one another are `wrong` together."""
    return any(map(wrong, numbers(), islice(numbers(), 1, None)))


def pack(about: About, v4: Iterable[Piece[Network]], v6: Iterable[Piece[Network]]) -> bytes:
    """The bytes of a file; each family's pieces begin at 0 and are in order."""
    known: dict[Network, int] = {}
    begins, numbers4 = array("I"), array("I")
    for at, network in v4:
        begins.append(at)
        numbers4.append(known.setdefault(network, len(known)))
    high, low, numbers6 = array("Q"), array("Q"), array("I")
    for at, network in v6:
        high.append(at >> 64)
        low.append(at & _LOW)
        numbers6.append(known.setdefault(network, len(known)))
    networks = _pack_networks(list(known))
    names = len(networks) - _OF_NETWORK * len(known) - _END_BYTES
    header = msgspec.json.encode(_Header(about=about, v4=len(begins), v6=len(high), networks=len(known), names=names))
    numbers = [_little(each) for each in (begins, numbers4, high, low, numbers6)]
    body = b"".join([MAGIC, len(header).to_bytes(LENGTH_BYTES, "little"), header, *numbers, networks])
    return body + hashlib.sha256(body).digest()


def _pack_networks(networks: Sequence[Network]) -> bytes:
    names = [network.operator.encode() for network in networks]
    ends = array("I", accumulate(map(len, names), initial=0))
    asns = array("I", (network.asn for network in networks))
    countries = "".join(network.country for network in networks).encode("ascii")
    return b"".join([_little(asns), countries, _little(ends), *names])


def unpack(data: bytes) -> RangeTable:
    """The table of a file's bytes. Raises Damaged."""
    if not data.startswith(MAGIC):
        raise Damaged("it does not begin as a table of networks does")
    if hashlib.sha256(data[:-DIGEST_BYTES]).digest() != data[-DIGEST_BYTES:]:
        raise Damaged("its digest does not agree with what is in it")
    header, rest = _header(memoryview(data)[len(MAGIC) : -DIGEST_BYTES])
    v4, v6, networks = header.v4, header.v6, header.networks
    sizes = (4 * v4, 4 * v4, 8 * v6, 8 * v6, 4 * v6, 4 * networks, 2 * networks, 4 * (networks + 1), header.names)
    if min(v4, v6, networks) < 1 or min(sizes) < 0 or sum(sizes) != len(rest):
        raise Damaged("it is not as long as it says")
    parts = _cut(rest, sizes)
    packed = _Packed(_array("I", parts[5]), bytes(parts[6]), _array("I", parts[7]), bytes(parts[8]))
    families = (
        _Family(_array("I", parts[1]), _array("I", parts[0])),
        _Family(_array("I", parts[4]), _array("Q", parts[2]), _array("Q", parts[3])),
    )
    packed.check()
    for family in families:
        family.check(networks)
    return RangeTable(header.about, *families, packed)


def _header(data: memoryview) -> tuple[_Header, memoryview]:
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    if not 0 < length <= MOST_HEADER:
        raise Damaged("its header has no length")
    try:
        header = msgspec.json.decode(data[LENGTH_BYTES : LENGTH_BYTES + length], type=_Header)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Damaged("its header cannot be read") from error
    return header, data[LENGTH_BYTES + length :]


def _cut(data: memoryview, sizes: Sequence[int]) -> list[memoryview]:
    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return parts


def _array(kind: str, data: memoryview) -> array[int]:
    numbers = array(kind, bytes(data))
    return _little_endian(numbers)


def _little(numbers: array[int]) -> bytes:
    return _little_endian(array(numbers.typecode, numbers)).tobytes()


def _little_endian(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
