"""MMDB files, as MaxMind, DB-IP and IPinfo publish them: their search tree, walked into ranges.

The tree is walked here, and each node once: the parts of IPv6 that stand for IPv4 are the same nodes again, and a tree
that leads back into itself ends. https://maxmind.github.io/MaxMind-DB/
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import maxminddb
from maxminddb.decoder import Decoder

from collector.facts.networks import network_of_record
from collector.facts.published.gathered import BITS, Gathered, operator_of
from probe.failure import UserError
from probe.model import Network

SEPARATOR = 16  # bytes between the tree and the data
NODE_BYTES = {24: 6, 28: 7, 32: 8}
V4_DEPTH = BITS[6] - BITS[4]  # bits before an IPv4 address in a tree of IPv6
BROKEN = (ValueError, KeyError, IndexError, TypeError, RecursionError, OverflowError, MemoryError)

Leaf = tuple[int, int, int]  # an address, how many of its bits are given, where its data stands


class Database:
    """An MMDB file in memory. Raises UserError."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self.name = data, name
        try:
            with maxminddb.open_database(io.BytesIO(data), maxminddb.MODE_FD) as reader:
                metadata = reader.metadata()
            self.kind, self.built_ms = str(metadata.database_type), int(metadata.build_epoch) * 1000
            self._nodes, self._bits = int(metadata.node_count), BITS[metadata.ip_version]
            self._node_bytes = NODE_BYTES[metadata.record_size]
        except (*BROKEN, maxminddb.InvalidDatabaseError) as error:
            raise self._damaged() from error
        self._tree = self._node_bytes * self._nodes
        if self._tree + SEPARATOR > len(data):
            raise self._damaged()

    def read(self, gathered: Gathered) -> None:
        """Adds its ranges. Raises UserError."""
        decoder = Decoder(self._data, self._tree + SEPARATOR)
        known: dict[int, Network] = {}
        try:
            for address, length, place in self._leaves():
                if place not in known:
                    known[place] = _network(decoder, place)
                family, bits = (4, BITS[4]) if self._is_v4(address, length) else (6, BITS[6])
                width = 1 << (self._bits - length)
                gathered.add(family, address % (1 << bits), address % (1 << bits) + width - 1, known[place])
        except (*BROKEN, maxminddb.InvalidDatabaseError) as error:
            raise self._damaged() from error

    def _is_v4(self, address: int, length: int) -> bool:
        return self._bits == BITS[4] or (length >= V4_DEPTH and address >> BITS[4] == 0)

    def _leaves(self) -> Iterator[Leaf]:
        """What the tree leads to, in the order of addresses."""
        seen = bytearray(self._nodes)
        waiting = [(0, 0, 0)]
        while waiting:
            node, address, length = waiting.pop()
            if node > self._nodes:
                yield address << (self._bits - length), length, node - self._nodes - SEPARATOR + self._data_begins
            elif node < self._nodes and not seen[node] and length < self._bits:
                seen[node] = 1
                left, right = self._children(node)
                waiting += [(right, address << 1 | 1, length + 1), (left, address << 1, length + 1)]

    @property
    def _data_begins(self) -> int:
        return self._tree + SEPARATOR

    def _children(self, node: int) -> tuple[int, int]:
        record = self._data[node * self._node_bytes : (node + 1) * self._node_bytes]
        if len(record) != 7:
            half = len(record) // 2
            return int.from_bytes(record[:half]), int.from_bytes(record[half:])
        middle = record[3]
        return (middle >> 4) << 24 | int.from_bytes(record[:3]), (middle & 15) << 24 | int.from_bytes(record[4:])

    def _damaged(self) -> UserError:
        return UserError(f"{self.name} is no MMDB that can be read: fetch it again.")


def _network(decoder: Decoder, place: int) -> Network:
    record, _ = decoder.decode(place)
    if not isinstance(record, dict):
        return Network()
    found = network_of_record(record)
    return Network(country=found.country, asn=found.asn, operator=operator_of(found.operator))
