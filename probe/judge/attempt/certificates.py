"""Certificates that did not verify: what controls were shown, and how old the roots are by which it was tried.

A service has as many certificates as it has edges, and changes its authority now and then. Another leaf of the issuer
that controls saw is no stranger's, unless its chain contradicts that issuer; and roots from before an authority began
cannot tell that authority from a forger.
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.judge import controls
from probe.model import ControlMeasurement, Endpoint, Measurement, Observation

MAX_STORE_AGE_MS = 548 * 86_400_000  # 18 months: a new authority is in every store, and long in use, by then


def issuer_of(observation: Observation | None) -> str | None:
    """The hash of the issuer's name, of the certificate that was shown in this step over TLS, DTLS or QUIC.

    Inside Noise the key is pinned: a chain of the same issuer that does not verify is a forgery.
    """
    facts = observation.tls if observation is not None else None
    return facts.issuer_sha256 if facts else None


def issuers_seen(endpoint: Endpoint, seen: Iterable[ControlMeasurement]) -> set[str]:
    """The issuers of the certificates with which controls got through at this endpoint."""
    issuers = {
        issuer_of(observation)
        for control in controls.usable(seen)
        for attempt in controls.attempts_at(endpoint, control)
        for observation in attempt.observations
        if attempt.grade is not None
    }
    return {issuer for issuer in issuers if issuer}


def may_be_too_old(measurement: Measurement) -> bool:
    """More than 18 months before the measurement; a store without a date may be of any age."""
    as_of_ms = measurement.link.trust_store_ms
    now_ms = measurement.started_ms + (measurement.clock_offset_ms or 0)
    return as_of_ms is None or now_ms - as_of_ms > MAX_STORE_AGE_MS
