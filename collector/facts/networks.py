"""Which network does a source address belong to? Longest prefix in a CSV table, or a MaxMind DB file.

The table's column `cgn`, which may lack, says where a carrier's NAT puts many subscribers behind one address.

The caller looks an address up and forgets it: nothing here keeps, logs or raises one.
"""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

import maxminddb

from probe.codecs.text import utf8
from probe.failure import UserError
from probe.model import Json, Network

COLUMNS = ["prefix", "asn", "country", "operator"]
CGN = "cgn"
MARKS = {"yes": True, "no": False, "": False}  # in that column
UNKNOWN = Network()
BITS = {4: 32, 6: 128}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks(Protocol):
    def lookup(self, address: str) -> Network:
        """The network of a textual IPv4 or IPv6 address; `Network()` when it is not known or no address."""
        ...

    def is_cgn(self, address: str) -> bool:
        """Whether the operators' table marks a carrier's NAT there."""
        ...


class PrefixTable:
    """Networks by prefix: one dictionary per family and prefix length, asked from the longest.

    `cgn`: those of the prefixes behind a carrier's NAT.
    """

    def __init__(self, rows: Iterable[tuple[Prefix, Network]] = (), cgn: Collection[Prefix] = ()) -> None:
        self._tables: dict[int, dict[int, dict[int, tuple[Network, bool]]]] = {4: {}, 6: {}}
        for prefix, network in rows:
            table = self._tables[prefix.version].setdefault(prefix.prefixlen, {})
            bits = _leading_bits(int(prefix.network_address), prefix.version, prefix.prefixlen)
            table[bits] = network, prefix in cgn
        self._lengths = {family: sorted(tables, reverse=True) for family, tables in self._tables.items()}

    def lookup(self, address: str) -> Network:
        return self._row(address)[0]

    def is_cgn(self, address: str) -> bool:
        return self._row(address)[1]

    def _row(self, address: str) -> tuple[Network, bool]:
        """What the longest prefix says."""
        parsed = parse_address(address)
        if parsed is None:
            return UNKNOWN, False
        family, number = parsed.version, int(parsed)
        for length in self._lengths[family]:
            found = self._tables[family][length].get(_leading_bits(number, family, length))
            if found is not None:
                return found
        return UNKNOWN, False


class MaxMindTable:
    """Networks of an MMDB file, in the layouts of MaxMind, DB-IP and IPinfo."""

    def __init__(self, reader: maxminddb.Reader) -> None:
        self._reader = reader

    def lookup(self, address: str) -> Network:
        parsed = parse_address(address)
        if parsed is None:
            return UNKNOWN
        try:
            record = self._reader.get(parsed)
        except ValueError:  # an IPv6 address and an IPv4-only file
            return UNKNOWN
        return network_of_record(record) if isinstance(record, dict) else UNKNOWN

    def is_cgn(self, address: str) -> bool:
        """No vendor's file says it."""
        return False


def lookup_prefix(networks: Networks, prefix: str) -> Network:
    """The network of a prefix such as `212.217.0.0/16`, judged by its first address."""
    return networks.lookup(prefix.partition("/")[0])


def read_networks(path: Path) -> Networks:
    """A table from a file: MMDB if its name ends so, else CSV headed `prefix,asn,country,operator`, and `cgn` or not.

    Raises UserError that names the file, and the line.
    """
    try:
        if path.suffix == ".mmdb":
            return MaxMindTable(maxminddb.open_database(path))
        return _read_csv(path)
    except (OSError, UnicodeDecodeError, csv.Error, maxminddb.InvalidDatabaseError) as error:
        raise UserError(f"The networks file {path} cannot be read: {error}.") from error


def _read_csv(path: Path) -> PrefixTable:
    rows: dict[Prefix, Network] = {}
    cgn: set[Prefix] = set()
    with io.StringIO(utf8(path.read_bytes()).decode(), newline="") as file:
        lines = csv.reader(file)
        heading = next(lines, None)
        if heading not in (COLUMNS, [*COLUMNS, CGN]):
            raise UserError(f"{path}, line 1: the heading must be `{','.join(COLUMNS)}`, and `,{CGN}` or not.")
        for fields in lines:
            if not fields:
                continue
            try:
                prefix, network, is_cgn = _read_row(fields, len(heading))
                if prefix in rows:
                    raise ValueError(f"the prefix {prefix} stands in the file twice")
            except ValueError as error:
                raise UserError(f"{path}, line {lines.line_num}: {error}.") from error
            rows[prefix] = network
            if is_cgn:
                cgn.add(prefix)
    return PrefixTable(rows.items(), cgn)


def _read_row(fields: list[str], width: int) -> tuple[Prefix, Network, bool]:
    """The prefix and network of one row, and its mark. Raises ValueError with a sentence that lacks its full stop."""
    if len(fields) != width:
        raise ValueError(f"{width} fields are needed and there are {len(fields)}")
    prefix, asn, country, operator, *marks = (field.strip() for field in fields)
    if not (asn.isascii() and asn.isdigit() and int(asn) < 2**32):
        raise ValueError(f"the asn must be a number below 2^32, not {asn!r}")
    if not _is_country(country):
        raise ValueError(f"the country must be two capital letters (ISO 3166), not {country!r}")
    if not operator:
        raise ValueError("the operator is empty")
    if not MARKS.keys() >= set(marks):
        raise ValueError(f"{CGN} must be yes, no or empty, not {marks[0]!r}")
    network = Network(country=country, asn=int(asn), operator=operator)
    return ipaddress.ip_network(prefix), network, any(MARKS[mark] for mark in marks)


def network_of_record(record: dict[str, Json]) -> Network:
    """The facts of an MMDB record; the three vendors name and nest them differently."""
    country = record.get("country")
    if isinstance(country, dict):
        country = country.get("iso_code")
    code = record.get("country_code", country)
    asn = record.get("autonomous_system_number", record.get("asn"))
    digits = str(asn).upper().removeprefix("AS")
    operator = record.get("autonomous_system_organization", record.get("as_name"))
    return Network(
        country=code if isinstance(code, str) and _is_country(code) else UNKNOWN.country,
        asn=int(digits) if digits.isascii() and digits.isdigit() else UNKNOWN.asn,
        operator=operator if isinstance(operator, str) and operator else UNKNOWN.operator,
    )


def _is_country(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()


def parse_address(text: str) -> Address | None:
    """An address without its zone, a v4-mapped one as IPv4; None when it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _leading_bits(number: int, family: int, length: int) -> int:
    return number >> (BITS[family] - length)
