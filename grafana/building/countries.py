"""Names of countries, by their codes of ISO 3166-1: countries.tsv is made of Debian's package iso-codes.

A test compares the two where the package is there, and says how to make the file again.
"""

from __future__ import annotations

from pathlib import Path

from probe.model import Network

TABLE = Path(__file__).with_name("countries.tsv")
# In the reader's order, where ISO has a register's; and codes that are not of ISO.
SHORT = {
    "CD": "DR Congo",
    "FM": "Micronesia",
    "PS": "Palestine",
    "VG": "British Virgin Islands",
    "VI": "US Virgin Islands",
    "XK": "Kosovo",
    Network().country: "not known",
}


def names() -> dict[str, str]:
    """Code → name."""
    rows = [line.partition("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    return {code: name for code, _, name in rows} | SHORT
