"""Techniques: ways to interfere, one entry each, with what must be said of each target that is touched.

Expectations come from what a technique does and from the design's section 4, not from what the program says. Where a
`call` target's relay answers, `insufficient` without a mechanism is its clean state: the call was not exercised.
Baseline targets are nobody's subject and are not named. `not_yet` says what a verdict waits for.

Which seeds are for tuning and which for scoring is said in tests/lab/runs.py.
"""

from __future__ import annotations

from tests.lab.model import Entry
from tests.lab.techniques import bans, dns, flows, ip, lists, places, stun, tls, udp, web

TECHNIQUES: tuple[Entry, ...] = (
    *dns.ENTRIES,
    *ip.ENTRIES,
    *tls.ENTRIES,
    *web.ENTRIES,
    *udp.ENTRIES,
    *stun.ENTRIES,
    *flows.ENTRIES,
    *lists.ENTRIES,
    *places.ENTRIES,
    *bans.ENTRIES,
)
