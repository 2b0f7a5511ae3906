"""The ticket: a collector's word that it saw a key come from a network, had before a cycle and sealed into its batches.

What is sent later, through a relay or by hand comes from anywhere; so measurements belong to the network of their own
cycle's ticket, and to none without one. Signed are, in this order,

    b"ringback-ticket-1\\n" + by + key (32 bytes each) + nonce + bucket + bucket_before (16 bytes each)
    + minute in 8 bytes + family in 1 + ASN in 4, the highest byte first + country + "\\n" + operator, in UTF-8
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache

from msgspec.structs import replace

from probe.codecs.ed25519 import verifies
from probe.model import Context, Network, Ticket

CONTEXT = b"ringback-ticket-1\n"
MINUTE_MS = 60_000
CYCLE_MS = 60 * MINUTE_MS  # from a ticket to the last start of its cycle
EARLY_MS = 5 * MINUTE_MS  # by which a start may seem to lie before its ticket: clocks differ
DAY_MS = 24 * 60 * MINUTE_MS
REMEMBERED = 1_024  # tickets


def sign(ticket: Ticket, signer: Callable[[bytes], bytes]) -> Ticket:
    """The ticket with the collector's signature, instead of whichever it had."""
    return replace(ticket, signature=signer(_signed(ticket)).hex())


def is_genuine(ticket: Ticket, signers: Collection[str]) -> bool:
    """Whether one of these collector's keys signed the ticket."""
    return ticket.by in signers and _is_signed(ticket)


@lru_cache(REMEMBERED)  # a ticket is asked about for each end of its cycle, and for other batches of it
def _is_signed(ticket: Ticket) -> bool:
    try:
        return verifies(ticket.by, ticket.signature, _signed(ticket))
    except (ValueError, OverflowError):
        return False


def network_of(context: Context, key: str, started_ms: int, signers: Collection[str]) -> Network | None:
    """The network of what this key measured then; None when nothing in the context says it.

    By the cycle's own ticket; else by the last before it, less than a day old, and the first after it, which agree.
    """
    genuine = [each for each in (context.ticket, context.before, context.after) if each is not None]
    if any(each.key != key or not is_genuine(each, signers) for each in genuine):
        return None
    own, before, after = context.ticket, context.before, context.after
    if own is not None:
        return own.network if -EARLY_MS <= started_ms - own.minute * MINUTE_MS <= CYCLE_MS else None
    if before is None or after is None or before.network != after.network:
        return None
    waited = started_ms - before.minute * MINUTE_MS
    followed = after.minute * MINUTE_MS >= started_ms - EARLY_MS
    return before.network if -EARLY_MS <= waited <= DAY_MS and followed else None


def _signed(ticket: Ticket) -> bytes:
    """Raises ValueError or OverflowError for what is no ticket."""
    keys = (ticket.by, ticket.key, ticket.nonce, ticket.bucket, ticket.bucket_before)
    numbers = ticket.minute.to_bytes(8) + ticket.family.to_bytes(1) + ticket.network.asn.to_bytes(4)
    names = f"{ticket.network.country}\n{ticket.network.operator}".encode()
    return CONTEXT + b"".join(map(bytes.fromhex, keys)) + numbers + names
