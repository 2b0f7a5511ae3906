"""Replies to a DNS question (RFC 1035), read as far as they can be: what is broken behind our transaction is an answer.

Resolvers cut replies inside a record, send a broken OPT, or leave the question out; apps' stubs take what there is. The
id alone makes a reply ours: it is random, and so is the port that it came to. A denial is in the header, and stands
whatever follows. Only our own bytes, sent back, say nothing.
"""

from __future__ import annotations

import struct

import dns.exception
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype

from probe.codecs.dns_query import ID_BYTES, Query

ADDRESS_TYPES = [(dns.rdataclass.IN, kind) for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)]
HEADER_BYTES = 12
MOST_BYTES = 4096  # of which more is read: addresses of one name take a few hundred
LEAST_RECORD = 11  # bytes


def reply_to(query: Query, data: bytes) -> dns.message.Message | None:
    """The reply in `data` to our query, as far as it can be read; None where it is none.

    Raises ValueError where it carries our transaction and nothing can be taken from it.
    """
    if data[:ID_BYTES] != query.wire[:ID_BYTES] or data == query.wire:
        return None
    reply = _parsed(data[:MOST_BYTES])
    if not reply.flags & dns.flags.QR:
        raise ValueError("A reply says that it is one.")
    if reply.question and tuple(reply.question) != query.question:
        raise ValueError("It carries our id, and answers another question.")
    if reply.errors and not says_something(reply):
        raise ValueError("Nothing of the reply can be read but its header.")
    return reply


def says_something(reply: dns.message.Message) -> bool:
    """The reply denies, gives addresses, or says that there is more of it over TCP."""
    return bool(reply.rcode() or reply.flags & dns.flags.TC or address_sets(reply))


def address_sets(reply: dns.message.Message) -> list[dns.rrset.RRset]:
    return [rrset for rrset in reply.answer if (rrset.rdclass, rrset.rdtype) in ADDRESS_TYPES]


def _parsed(data: bytes) -> dns.message.Message:
    try:
        return dns.message.from_wire(_bounded(data), ignore_trailing=True, continue_on_error=True)
    except (dns.exception.DNSException, ValueError, OverflowError, struct.error) as error:
        raise ValueError("This is no DNS message.") from error


def _bounded(data: bytes) -> bytes:
    """The reply with no more records promised in its header than it has room for: each missing one costs time."""
    if len(data) < HEADER_BYTES:
        return data
    most = len(data) // LEAST_RECORD + 1
    counts = [min(count, most) for count in struct.unpack_from("!4H", data, 4)]
    return data[:4] + struct.pack("!4H", *counts) + data[HEADER_BYTES:]
