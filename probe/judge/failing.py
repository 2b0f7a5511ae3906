"""At which addresses a service failed, for controls to dial: if it answers there, no fault of a region explains it.

Where DNS gives every country other addresses, nobody else would ever try the one that fails.
"""

from __future__ import annotations

from probe.addresses import is_address, is_public
from probe.judge.controls import is_of
from probe.model import AlsoDial, Attempt, Endpoint, Measurement, Step, Via

NEVER = frozenset({Step.DNS, Step.UNKNOWN})  # steps that no other address would mend
GIVEN_BY = frozenset({Via.SYSTEM, Via.LITERAL})  # an app on this line would have dialled it


def failing(measurement: Measurement) -> tuple[AlsoDial, ...]:
    """Each once, as tried. None of a void cycle, and none of what was simulated: real controls would dial it."""
    link = measurement.link
    if measurement.simulated or not link.up or link.void is not None:
        return ()
    return tuple(
        dict.fromkeys(
            AlsoDial(
                target=measurement.target,
                host=attempt.host,
                port=attempt.port,
                transport=attempt.transport,
                handshake=attempt.handshake,
                address=attempt.address,
            )
            for attempt in measurement.attempts
            if attempt.address is not None and is_public(attempt.address) and _failed(attempt)
        )
    )


def is_at(dial: AlsoDial, endpoint: Endpoint) -> bool:
    """It asks for this endpoint, at an address that the endpoint may have: one given as an address has only that."""
    may_have_it = not is_address(dial.host) or dial.address == dial.host
    return is_of(dial, endpoint) and is_public(dial.address) and may_have_it


def _failed(attempt: Attempt) -> bool:
    last = attempt.observations[-1] if attempt.observations else None
    return attempt.via in GIVEN_BY and last is not None and last.failure is not None and last.step not in NEVER
