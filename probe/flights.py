"""Flights: how often the other end has to speak, one time after another, until a step is done; and what was said again.

A line that loses much, or a NAT that gives a flow another port in between, lets one question and its answer through
and kills a dialogue of three. So a dialogue that began and did not finish is compared with one as long.
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.model import Observation, Step

# DTLS 1.2: a HelloVerifyRequest, the server's hello and keys, its Finished. Of QUIC and TLS 1.3 the client is done with
# the server's first; what apps ask is answered at once.
FLIGHTS = {Step.DTLS: 3}
SYN_AGAIN_US = 1_000_000  # RFC 6298: a SYN that was answered only then was sent twice


def flights(observations: Iterable[Observation]) -> int:
    """How many the steps take, if they are done."""
    return sum(FLIGHTS.get(each.step, 1) for each in observations)


def sends(observations: Iterable[Observation]) -> int:
    """How often something of it was said at least until it was answered. QUIC counts datagrams, which tell nothing."""
    return max(map(_sends, observations), default=1)


def _sends(observation: Observation) -> int:
    facts = (observation.stun, observation.hello, observation.sip, observation.dns)
    syns = 2 if observation.step is Step.TCP and observation.took_us >= SYN_AGAIN_US else 1
    return max([syns, *(each.sends for each in facts if each is not None)])
