"""Dialogues of several flights: what must have passed beside one that began and did not finish, for it to accuse.

Over UDP nobody repairs a loss but the two ends, so a neutral that was done with one answer does not show that three get
through: one that finished as many flights does. Over TCP the kernel says again what got lost, and a neutral of the same
kind is enough. Either way, a line that is seen to lose what neutrals say explains a dialogue that stops half-way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from probe.addresses import family_of
from probe.failure import ANSWERED
from probe.flights import flights
from probe.judge.evidence import Evidence
from probe.model import Attempt, Measurement, Neutral, Observation, Transport

Compared = Callable[[Measurement, Attempt, Observation | None], Sequence[Neutral]]


def equal_passed(measurement: Measurement, attempt: Attempt) -> bool:
    """Some neutral over the same carrier, in the same family, finished as many flights."""
    over_udp = attempt.transport is Transport.UDP
    same = [each for each in _of_family(measurement, attempt) if (each.transport is Transport.UDP) == over_udp]
    return any(each.failure is None and each.flights >= flights(attempt.observations) for each in same)


def loss_seen(evidence: Evidence, attempt: Attempt, compared: Compared) -> bool:
    """Any neutral had to say something again, or one of the same kind failed in one round and passed in the other.

    One that fails in both is blocked, or out of order: that is no loss, and hides no ban.
    """
    last = attempt.observations[-1] if attempt.observations else None
    each_round = [each for each in (evidence.measurement, evidence.earlier) if each is not None]
    failures = [_failures(compared(each, attempt, last)) for each in each_round]
    unsteady = any(each != failures[0] for each in failures)
    return unsteady or any(_said_again(_of_family(each, attempt)) for each in each_round)


def _failures(neutrals: Iterable[Neutral]) -> Counter[tuple[str, str, int]]:
    failed = (each for each in neutrals if each.failure not in ANSWERED)
    return Counter((each.target, each.handshake, each.port) for each in failed)


def _said_again(neutrals: Iterable[Neutral]) -> bool:
    return any(each.failure in ANSWERED and each.sends > 1 for each in neutrals)


def _of_family(measurement: Measurement, attempt: Attempt) -> list[Neutral]:
    family = family_of(attempt.address) if attempt.address else None
    return [each for each in measurement.link.neutrals if each.family == family]
