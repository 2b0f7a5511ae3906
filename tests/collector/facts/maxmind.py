"""Writes MaxMind DB files small enough to read by eye: https://maxmind.github.io/MaxMind-DB/, format 2.0."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

Record = Mapping[str, "str | int | Record"]

MARKER = b"\xab\xcd\xefMaxMind.com"
TEXT, UINT16, UINT32, MAP, UINT64 = 2, 5, 6, 7, 9
SEPARATOR = 16  # zero bytes between the tree and the data
EMPTY = None


def database(
    records: Mapping[str, Record], *, version: int = 4, record_size: int = 24, kind: str = "Ringback-Test"
) -> bytes:
    """The file: a binary tree of records of so many bits, one node for each bit of each prefix, then the data."""
    data, offsets = b"", {}
    for prefix, record in records.items():
        offsets[prefix] = len(data)
        data += _encode(record)
    nodes: list[list[tuple[str, int] | None]] = [[EMPTY, EMPTY]]
    for prefix, offset in offsets.items():
        _insert(nodes, prefix, offset)
    tree = b"".join(_node(*(_pointer(side, len(nodes)) for side in node), record_size) for node in nodes)
    return tree + bytes(SEPARATOR) + data + MARKER + _metadata(len(nodes), version, record_size, kind)


def _insert(nodes: list[list[tuple[str, int] | None]], prefix: str, offset: int) -> None:
    network = ipaddress.ip_network(prefix)
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    at = 0
    for bit in bits[:-1]:
        side = nodes[at][int(bit)]
        if side is None:
            nodes.append([EMPTY, EMPTY])
            side = nodes[at][int(bit)] = ("node", len(nodes) - 1)
        at = side[1]
    nodes[at][int(bits[-1])] = ("data", offset)


def _pointer(side: tuple[str, int] | None, nodes: int) -> int:
    if side is None:
        return nodes
    kind, value = side
    return value if kind == "node" else nodes + SEPARATOR + value


def _node(left: int, right: int, record_size: int) -> bytes:
    """Of 28 bits, the byte in the middle has the upper four of both."""
    if record_size != 28:
        return left.to_bytes(record_size // 8) + right.to_bytes(record_size // 8)
    middle = (left >> 24) << 4 | right >> 24
    return (left & 0xFFFFFF).to_bytes(3) + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3)


def _metadata(nodes: int, version: int, record_size: int, kind: str) -> bytes:
    fields = {
        "node_count": _unsigned(UINT32, nodes),
        "record_size": _unsigned(UINT16, record_size),
        "ip_version": _unsigned(UINT16, version),
        "binary_format_major_version": _unsigned(UINT16, 2),
        "binary_format_minor_version": _unsigned(UINT16, 0),
        "build_epoch": _unsigned(UINT64, 1),
        "database_type": _encode(kind),
        "description": _encode({}),
        "languages": b"\x00\x04",  # an empty list, of the extended types
    }
    return _control(MAP, len(fields)) + b"".join(_encode(name) + value for name, value in fields.items())


def _encode(value: str | int | Record) -> bytes:
    if isinstance(value, str):
        return _control(TEXT, len(value.encode())) + value.encode()
    if isinstance(value, int):
        return _unsigned(UINT32, value)
    return _control(MAP, len(value)) + b"".join(_encode(key) + _encode(item) for key, item in value.items())


def _unsigned(kind: int, value: int) -> bytes:
    body = value.to_bytes((value.bit_length() + 7) // 8)
    return _control(kind, len(body)) + body


def _control(kind: int, size: int) -> bytes:
    """Type in the upper three bits, or in a byte of its own above 7; size in the lower five."""
    first, extended = (kind, b"") if kind <= 7 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first << 5 | size]) + extended
    return bytes([first << 5 | 29]) + extended + bytes([size - 29])
