"""Attempts beside one another: at the same endpoint, in another dialect, primary or secondary; and which failed. Pure.

Measuring asks it to decide what to dial next, and the judge to decide what an attempt means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from probe import protocols
from probe.addresses import is_address, is_public
from probe.failure import ANSWERED, is_own
from probe.model import AlsoDial, Attempt, AttemptVerdict, Endpoint, Measurement, Neutral, Step, Via

P = TypeVar("P", AttemptVerdict, Attempt)

BARE_ACCEPT = "tcp"  # the handshake that is done as soon as a connection was accepted
NEVER = frozenset({Step.DNS, Step.UNKNOWN})  # steps that no other address would mend
GIVEN_BY = frozenset({Via.SYSTEM, Via.LITERAL})  # an app on this line would have dialled it


def is_of(dialled: Attempt | AlsoDial, endpoint: Endpoint) -> bool:
    """It was, or is to be, dialled at this endpoint, at whatever address."""
    return (dialled.host, dialled.port, dialled.transport, dialled.handshake) == (
        endpoint.host,
        endpoint.port,
        endpoint.transport,
        endpoint.handshake,
    )


def is_at(dial: AlsoDial, endpoint: Endpoint) -> bool:
    """It asks for this endpoint, at an address that the endpoint may have: one given as an address has only that."""
    may_have_it = not is_address(dial.host) or dial.address == dial.host
    return is_of(dial, endpoint) and is_public(dial.address) and may_have_it


def is_met(attempt: Attempt) -> bool:
    """Somebody answered there. Who only accepts a connection may be any box on the way."""
    return attempt.grade is not None and attempt.handshake != BARE_ACCEPT


def is_answered(neutral: Neutral) -> bool:
    """By somebody, rightly or not; a bare accept is no answer."""
    return neutral.failure in ANSWERED and neutral.handshake != BARE_ACCEPT


def in_other_dialects(attempt: Attempt, others: Iterable[Attempt]) -> list[Attempt]:
    """The others that asked for the same in another dialect, at the same address and port.

    One thing is changed, and only on the wire: address, port, request and answer are the same.
    """
    return [
        other
        for other in others
        if (other.address, other.port, other.transport) == (attempt.address, attempt.port, attempt.transport)
        and protocols.are_dialects(other.handshake, attempt.handshake)
    ]


def is_by_us(attempt: Attempt) -> bool:
    """It ended by this device's own doing: whoever was dialled has not failed."""
    return bool(attempt.observations) and is_own(attempt.observations[-1].failure)


def primary_of(attempts: Iterable[P]) -> list[P]:
    """The attempts that are not secondary; where all are, all."""
    every = list(attempts)
    return [each for each in every if not protocols.is_secondary(each.handshake, each.transport)] or every


def failing_addresses(measurement: Measurement) -> tuple[AlsoDial, ...]:
    """Addresses at which a service failed, for controls to dial, each once, as tried.

    If the service answers there, no fault of a region explains the failure; and where DNS gives every country other
    addresses, nobody else would ever try the one that fails. A void cycle has none, and neither has what was
    simulated: real controls would dial it.
    """
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


def _failed(attempt: Attempt) -> bool:
    last = attempt.observations[-1] if attempt.observations else None
    if last is None or last.failure is None or is_own(last.failure):
        return False
    return attempt.via in GIVEN_BY and last.step not in NEVER
