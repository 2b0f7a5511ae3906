"""Rounds: what the first one saw at the same place. Once is nothing, for whatever accuses."""

from __future__ import annotations

from msgspec import Struct

from probe.addresses import family_of
from probe.attempts import in_other_dialects
from probe.grades import is_positive
from probe.judge.evidence import Evidence
from probe.model import Attempt, Endpoint, Measurement, Transport, Via


class Place(Struct, frozen=True):
    """An endpoint in one family: a service has several addresses, and a resolver gives now these, now those."""

    host: str
    port: int
    transport: Transport
    handshake: str
    family: int | None


def place_of(attempt: Attempt) -> Place:
    family = family_of(attempt.address) if attempt.address else None
    return Place(attempt.host, attempt.port, attempt.transport, attempt.handshake, family)


def before(evidence: Evidence, attempt: Attempt) -> tuple[Attempt, ...]:
    """Round 1's attempts there, as an app would have made them; none where this is round 1."""
    earlier = evidence.earlier.attempts if evidence.earlier else ()
    return tuple(each for each in earlier if each.via is not Via.ALSO and place_of(each) == place_of(attempt))


def passed_in_a_dialect(measurement: Measurement | None, attempt: Attempt, endpoint: Endpoint) -> bool:
    """The same request in other bytes was answered properly, in that round, at the same address and port."""
    others = measurement.attempts if measurement else ()
    return any(is_positive(each, endpoint) for each in in_other_dialects(attempt, others))
