"""Certificates that did not verify: what controls were shown, and how old the roots are by which it was tried.

A service has as many certificates as it has edges, and changes its authority now and then. Another leaf of the issuer
that controls saw is no stranger's, unless its chain contradicts that issuer; and roots from before an authority began
cannot tell that authority from a forger.
"""

from __future__ import annotations

from probe.model import Measurement

MAX_STORE_AGE_MS = 548 * 86_400_000  # 18 months: a new authority is in every store, and long in use, by then


def may_be_too_old(measurement: Measurement) -> bool:
    """More than 18 months before the measurement; a store without a date may be of any age."""
    as_of_ms = measurement.link.trust_store_ms
    now_ms = measurement.started_ms + (measurement.clock_offset_ms or 0)
    return as_of_ms is None or now_ms - as_of_ms > MAX_STORE_AGE_MS
