"""A DNS question (RFC 1035) as it is sent. A cycle asks several resolvers the same, twice: it is made once.

Padded (RFC 8467), its size does not tell which name it asks for.
"""

from __future__ import annotations

from functools import lru_cache

import dns.message
import dns.rrset
from msgspec import Struct

ID_BYTES = 2
PAD = 128  # bytes: a question is padded to a multiple of them
REMEMBERED = 256  # questions: more than a cycle asks


class Query(Struct, frozen=True):
    """The question as dnspython reads one, and the whole message, which begins with its id."""

    question: tuple[dns.rrset.RRset, ...]
    wire: bytes


def query_of(host: str, qtype: str, transaction: int, *, padded: bool = False) -> Query:
    """Asks for a name's records. Raises dns.exception.DNSException for what is no name."""
    question, rest = _unnumbered(host, qtype, padded)
    return Query(question, transaction.to_bytes(ID_BYTES) + rest)


@lru_cache(REMEMBERED)
def _unnumbered(host: str, qtype: str, padded: bool) -> tuple[tuple[dns.rrset.RRset, ...], bytes]:
    """The question, and the message behind its id."""
    plain = dns.message.make_query(host, qtype)
    message = dns.message.make_query(host, qtype, use_edns=0, pad=PAD) if padded else plain
    return tuple(message.question), message.to_wire()[ID_BYTES:]
