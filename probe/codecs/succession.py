"""The succession: a volunteer's word that a key takes the place of an earlier one, in one autonomous system.

A volunteer has a key of its own for each network and quarter of a year, so that no collector learns from keys who is at
home, at work and on the way. By a succession the standing of a key carries on from one quarter to the next, and from
nowhere else: it names the autonomous system in which it holds. Both keys sign, in this order,

    b"ringback-succession-1\\n" + old + new (32 bytes each) + ASN + quarter (4 bytes each, the highest first)

`quarter` is that of the new key, counted from the first of 1970, UTC. It stands in the header of batches that one of
the two keys signs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from msgspec.structs import replace

from probe.codecs.ed25519 import verifies
from probe.model import Succession

CONTEXT = b"ringback-succession-1\n"
QUARTERS = 32_000  # until the year 9969; what dates can say
MONTHS = 3
EPOCH = date(1970, 1, 1)

Sign = Callable[[bytes], bytes]


def sign(old: str, new: str, asn: int, quarter: int, by_old: Sign, by_new: Sign) -> Succession:
    """The succession of `new` to `old`, signed by both."""
    unsigned = Succession(old=old, new=new, asn=asn, quarter=quarter, by_old="", by_new="")
    signed = _signed(unsigned)
    return replace(unsigned, by_old=by_old(signed).hex(), by_new=by_new(signed).hex())


def is_genuine(one: Succession) -> bool:
    """Whether two keys said this of each other, and of one autonomous system."""
    try:
        signed = _signed(one)
    except (ValueError, OverflowError):
        return False
    both = verifies(one.old, one.by_old, signed) and verifies(one.new, one.by_new, signed)
    return both and one.old != one.new and one.asn > 0 and one.quarter < QUARTERS


def quarter_of(moment_ms: int) -> int:
    """The quarter in which a moment lies; the nearest that can be said, for clocks say anything."""
    try:
        moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return 0 if moment_ms < 0 else QUARTERS - 1
    return min(max(0, (moment.year - EPOCH.year) * 12 + moment.month - 1), QUARTERS * MONTHS - 1) // MONTHS


def first_day(quarter: int) -> int:
    """The first day of a quarter, in days since 1970."""
    years, months = divmod(min(quarter, QUARTERS - 1) * MONTHS, 12)
    return (date(EPOCH.year + years, months + 1, 1) - EPOCH) // timedelta(days=1)


def _signed(one: Succession) -> bytes:
    """Raises ValueError or OverflowError for what is no succession."""
    return CONTEXT + bytes.fromhex(one.old + one.new) + one.asn.to_bytes(4) + one.quarter.to_bytes(4)
