"""Rows of text that give ranges, first and last address: as CSV (ip-location-db, DB-IP) or with tabs (iptoasn).

    first,last,country      first,last,AS number,name      first,last,AS number,country,name

Addresses are written as such, or as numbers. All rows of a file have as many fields as its first.
"""

from __future__ import annotations

import csv
import io
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import BinaryIO

from collector.facts.published.gathered import Gathered, asn_of, country_of, operator_of
from probe.failure import UserError
from probe.model import Network

Fields = tuple[str, ...]
MOST_LINE = 10_000  # characters
LATELY = 4_096  # networks that are not read again: neighbours have the same


def _place(fields: Fields) -> Network:
    return Network(country=country_of(fields[0]))


def _owner(fields: Fields) -> Network:
    return Network(asn=asn_of(fields[0]), operator=operator_of(fields[1]))


def _owner_and_place(fields: Fields) -> Network:
    return Network(asn=asn_of(fields[0]), country=country_of(fields[1]), operator=operator_of(fields[2]))


LAYOUTS: Mapping[tuple[str, int], Callable[[Fields], Network]] = {  # by what is between fields, and their number
    (",", 3): _place,
    (",", 4): _owner,
    ("\t", 3): _place,
    ("\t", 5): _owner_and_place,
}


def read(file: BinaryIO, name: str, gathered: Gathered) -> None:
    """Adds the ranges of a file. Raises UserError that names it, and the line."""
    lines = None
    try:
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        head = text.readline(MOST_LINE)
        rows = chain([head], iter(lambda: text.readline(MOST_LINE), ""))
        between = "\t" if "\t" in head else ","
        lines = csv.reader(rows, delimiter=between, quoting=csv.QUOTE_MINIMAL if between == "," else csv.QUOTE_NONE)
        _add(lines, between, gathered)
    except (ValueError, csv.Error) as error:
        where = f"{name}, line {lines.line_num}" if lines is not None else name
        raise UserError(f"{where}: {error}.") from error


def _add(lines: Iterator[list[str]], between: str, gathered: Gathered) -> None:
    """Raises ValueError or csv.Error with a sentence that lacks its full stop."""
    count, network_of = None, None
    for fields in lines:
        if not fields:
            continue
        if network_of is None:
            count = len(fields)
            network_of = lru_cache(LATELY)(_layout(between, count))
        if len(fields) != count:
            raise ValueError(f"{count} fields are needed and there are {len(fields)}")
        (family, first), (other, last) = number_of(fields[0]), number_of(fields[1])
        if family != other:
            raise ValueError("the range begins in one family and ends in the other")
        gathered.add(family, first, last, network_of(tuple(fields[2:])))


def _layout(between: str, count: int) -> Callable[[Fields], Network]:
    found = LAYOUTS.get((between, count))
    if found is None:
        raise ValueError(f"a row has {count} fields, and none of the tables that are read here has so many")
    return found


def number_of(text: str) -> tuple[int, int]:
    """The family and the number of an address, which may be written as a number. Raises ValueError."""
    if text.isascii() and text.isdigit() and len(text) < 40 and int(text) < 1 << 128:
        return (4 if int(text) < 1 << 32 else 6), int(text)
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return (6 if ":" in text else 4), int.from_bytes(socket.inet_pton(family, text))
    except (OSError, ValueError):
        raise ValueError(f"{text[:60]!r} is no address") from None
