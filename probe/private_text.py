"""Text from the wire, without what names a person: addresses however they are written, MACs, subscribers' numbers.

Block pages, redirects and SIP servers repeat the visitor's address, and operators write it into host names
(`adsl-203-0-113-7`, `pcb007107.dip0`): with dots or dashes, forwards or backwards, in decimal, octal or hexadecimal,
whole or in groups. What has that shape is dropped, so now and then something harmless is; the rest stays readable.
"""

from __future__ import annotations

import re
import string

LONGEST = 100  # characters that are kept,
READ = 1_000  # and of which they are taken
DROPPED = "[…]"

ENCODED = re.compile(r"%2[eE]|%3[aA]|%2[dD]|&#(?:x2[dDeE]|x3[aA]|4[56]|58);|[。．｡]")  # a dot, a dash, a colon
SIGN = {"2e": ".", "2d": "-", "3a": ":", "46": ".", "45": "-", "58": ":"}

IN_ADDRESSES = string.ascii_letters + string.digits + ".:-_%&#;"
SEPARATOR = r"[^0-9A-Za-z\s]"
HEX = r"(?:0[xX])?[0-9a-fA-F]"
PRIVATE = re.compile(
    r"(?:(?<![0-9A-Za-z])|(?<![0-9a-fA-F])(?=[0-9]))"  # IPv6 in a host name, shortened where there are two dashes
    r"[0-9a-fA-F]{1,4}(?:[-_][0-9a-fA-F]{1,4}){0,6}(?:--|__)(?:[0-9a-fA-F]{1,4}(?:[-_][0-9a-fA-F]{1,4}){0,6})?"
    rf"|(?<!\d)\d{{1,4}}({SEPARATOR}|\s)\d{{1,4}}(?:\1\d{{1,4}}){{2,}}"  # IPv4 in groups, decimal or octal
    rf"|(?<![0-9A-Za-z]){HEX}{{1,4}}({SEPARATOR}){HEX}{{1,4}}(?:\2{HEX}{{1,4}}){{2,}}(?![0-9A-Za-z])"  # in hexadecimal
    r"|(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"  # MAC
    r"|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}"  # MAC, as some routers write it
    r"|(?:[0-9a-fA-F]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4})"  # IPv6, also with IPv4 at its end
    r"|(?<![0-9a-fA-F])(?=[0-9])[0-9a-fA-F]{1,4}(?:([-_])[0-9a-fA-F]{1,4})(?:\3[0-9a-fA-F]{1,4}){6}"  # and in full
    r"|0[xX][0-9a-fA-F]+"
    r"|(?=[a-fA-F]{0,31}[0-9])[0-9a-fA-F]{7,}"  # an address in one piece, of 32 digits at most; a subscriber's number
    r"|[a-fA-F]{8}"
    r"|(?<![\d.])\d{1,3}\.(?:\d{1,3}\.\d{4,5}|\d{5,8})(?![\d.])"  # IPv4 of two or three parts
)


def clean_text(text: str) -> str:
    """Fit to keep: at most 100 characters, on one line."""
    line = " ".join(_decoded(_beginning(text)).split())
    return PRIVATE.sub(DROPPED, line)[:LONGEST]


def _beginning(text: str) -> str:
    """Enough of it, and no word that is cut: half an address no longer looks like one."""
    return text if len(text) <= READ else text[:READ].rstrip(IN_ADDRESSES)


def _decoded(text: str) -> str:
    return ENCODED.sub(lambda found: SIGN.get(found[0].strip("%&#x;").lower(), "."), text)
