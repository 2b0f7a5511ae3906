"""Before `likely_blocked`: what an address that answers abroad does not exclude, and what does.

That a control reaches the address excludes a dead service, no more: a route may be lost, a service may keep a country
out, one site of an anycast address may be down. One of three things excludes these too. The failure follows the bytes,
the name or the transport at that very address. A sweep shows it die inside the line's own network, where a neighbour of
its prefix goes on. Or another operator of the country reaches the address, and this line another one of its prefix.

Where all operators of a country fare alike and nothing leaves an artefact, a decision of the service and one of the
state cannot be told apart, and the verdict says so.
"""

from __future__ import annotations

from probe.judge.attempt.app_protocols import APP_PROTOCOLS
from probe.judge.attempt.case import AttemptCase
from probe.judge.attempt.predicates import follows_the_bytes, others_reach_it
from probe.judge.attempt.tcp_tls import TCP_TLS
from probe.judge.evidence import Rule, first_match
from probe.model import State

ACCUSING: tuple[Rule[AttemptCase], ...] = (*TCP_TLS, *APP_PROTOCOLS)


def is_accused(case: AttemptCase) -> bool:
    """The first rule that explains the failure calls it `likely_blocked`."""
    rule = first_match(ACCUSING, case)
    return rule is not None and rule.state is State.LIKELY_BLOCKED


def follows_what_was_changed(case: AttemptCase) -> bool:
    """The same address answers this line when one thing is changed: bytes, name or transport."""
    return follows_the_bytes(case) or case.other_transport_passed


def is_reached_around(case: AttemptCase) -> bool:
    """By others in the country, while this line has a route to the prefix."""
    return others_reach_it(case) and case.prefix_reached


def is_told_apart(case: AttemptCase) -> bool:
    return follows_what_was_changed(case) or case.dies_beside_a_neighbour or is_reached_around(case)


ROUTING: tuple[Rule[AttemptCase], ...] = (
    Rule(
        "unreachable_in_country",
        lambda case: (
            is_accused(case) and not is_told_apart(case) and case.neighbours.failed > case.neighbours.reached == 0
        ),
        State.IMPAIRED,
        None,
        "unreachable from all networks measured in {country}; a decision of the service or of the state is not told "
        "apart",
        "Lines of other operators fail there too and none gets through, without an artefact of anybody's.",
    ),
    Rule(
        "routing_or_service_not_excluded",
        lambda case: is_accused(case) and not is_told_apart(case),
        State.IMPAIRED,
        None,
        "it answers elsewhere and not here, and neither a lost route nor a decision of the service is excluded",
        "design, section 4: before `likely_blocked`, one of the three.",
    ),
)
