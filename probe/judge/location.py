"""Where on the path it dies, as far as the sweeps of a measurement tell; None where they do not.

The first public hop is the first router with a public address that said anything to any packet, failing or neutral; one
with an address between carriers and customers (RFC 6598) is the carrier's as well, and on a device that is itself on a
cellular network any router is. A packet that dies before it, while a neutral one that goes as far draws a word from it
or from a router behind it, counts as stopped at home, and so does one that is answered no further away. Where more than
one private router stands before the first public hop, only what the first of them stops is certainly the home's: the
others may be a campus's, or an operator's own in 10/8. Whose they are tells a device that is itself on a cellular
network, or a public hop before them; until then nobody is accused, and no home named.

A packet that a router of the line's own network was the last to see, beyond that hop, died inside that network, if a
packet to the same address or to another one of its announced prefix was seen further on. A neutral packet to anywhere
else takes another route, on which nothing can be learned of this one: what a service drops at its own door, at the end
of a direct link of silent routers, looks the same. The longest prefixes that the internet carries are a /24 and a /48:
two addresses in one of these are in one announced prefix.

A packet that a router of another country's network has seen got out of the line's own. Whether it was then the service
that kept silent, or somebody who stands on the way back, cannot be told from here; who resets or rejects it out there
is not this network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from probe.addresses import family_of, prefix_of
from probe.failure import CERTIFICATE_FAILURES
from probe.judge.evidence import Evidence
from probe.judge.operators import same_operator
from probe.model import (
    CELLULAR,
    Attempt,
    Hop,
    HopKind,
    Measurement,
    Network,
    Observation,
    ReplyKind,
    Step,
    Sweep,
    Transport,
)
from probe.protocols import comparable_step

PUBLIC_HOPS = frozenset({HopKind.PUBLIC, HopKind.NEAR})
CARRIER_HOPS = PUBLIC_HOPS | {HopKind.SHARED}
ANSWERS = frozenset({ReplyKind.ANSWER, ReplyKind.RESET, ReplyKind.REJECTED})
COMPARED_ALIKE = frozenset({Step.TCP, Step.TLS, Step.HTTP})  # with neutrals that say the same kind of thing
FIRST_ROUTER = 1  # its TTL
ALSO_BY = {Step.TURN: Step.STUN}  # a relay that leaves a Binding unanswered too is followed by that


class FailureLocation(StrEnum):
    HOME = "home"  # at or before the first public hop
    BETWEEN = "between"  # before it too, but behind the first router: the home's or the operator's own
    INSIDE = "inside"  # it is refused where a neutral packet was still in the line's own network, behind the home
    OUTSIDE = "outside"  # a public router has seen it, and what is behind that one is not known
    LEFT = "left"  # it got out of the line's own network, and then nothing came
    BEYOND = "beyond"  # it is answered, wrongly, from beyond that network
    SERVICE = "service"  # the same, from exactly as far away as the service is


def of_attempt(evidence: Evidence, attempt: Attempt, last: Observation | None) -> FailureLocation | None:
    """`last` is what the attempt ended with."""
    if last is None or last.failure is None:
        return None
    sweeps = evidence.measurement.sweeps
    if last.failure in CERTIFICATE_FAILURES:  # who shows it is found by who opens the connection
        return _opened_at_home(evidence, attempt)
    if last.step not in COMPARED_ALIKE and attempt.transport is Transport.TCP and _opened_at_home(evidence, attempt):
        return FailureLocation.HOME
    steps = (last.step, ALSO_BY.get(last.step, last.step))
    found = (sweep for step in steps for sweep in _followed(sweeps, attempt, step))
    return next((_place(each, evidence) for each in found), None)


def _place(sweep: Sweep, evidence: Evidence) -> FailureLocation | None:
    return _at_home(sweep, evidence) or _abroad(sweep, evidence) or _behind_the_home(sweep, evidence)


def dies_beside_a_neighbour(evidence: Evidence, attempt: Attempt, last: Observation | None) -> bool:
    """In the line's own network, where a packet to the same prefix goes on: so no route is lost."""
    if last is None or last.failure is None:
        return False
    steps = dict.fromkeys((last.step, ALSO_BY.get(last.step, last.step)))
    found = [sweep for step in steps for sweep in _followed(evidence.measurement.sweeps, attempt, step)]
    return any(_dies_inside(each, evidence) for each in found)


def _opened_at_home(evidence: Evidence, attempt: Attempt) -> FailureLocation | None:
    """A proxy that accepts every connection may carry TLS, and nothing else: so neutral TLS does not clear it."""
    opened = [_at_home(each, evidence) for each in _followed(evidence.measurement.sweeps, attempt, Step.TCP)]
    return next((place for place in opened if place), None)


def passes_home_over_udp(evidence: Evidence, attempt: Attempt) -> bool:
    """A datagram that is no DNS runs out at or beyond the first public hop, in this attempt's family."""
    family = attempt.address and family_of(attempt.address)
    over = [each for each in evidence.measurement.sweeps if each.transport is Transport.UDP and each.family == family]
    first = _first_hop(evidence.measurement, family) if over and isinstance(family, int) else None
    return first is not None and any(
        max(_exceeded(each), default=0) >= first.ttl for each in over if each.step is not Step.DNS
    )


def of_name(evidence: Evidence, host: str) -> FailureLocation | None:
    """Of a name's resolution: at home, inside the line's own network, or not known."""
    sweeps = [each for each in evidence.measurement.sweeps if each.step is Step.DNS and each.host == host]
    if any(_at_home(each, evidence) for each in sweeps):
        return FailureLocation.HOME
    return FailureLocation.INSIDE if any(_is_answered_inside(each, evidence) for each in sweeps) else None


def _is_answered_inside(sweep: Sweep, evidence: Evidence) -> bool:
    first, answered = _first_hop(evidence.measurement, sweep.family), _answered_at(sweep)
    if sweep.neutral or first is None or answered is None:
        return False
    return first.ttl < answered <= _still_inside(evidence, sweep.family)


def _followed(sweeps: Iterable[Sweep], attempt: Attempt, step: Step) -> list[Sweep]:
    """Another address of the same endpoint may stand for it: one is followed in each family."""
    over = Transport.UDP if attempt.transport is Transport.UDP else Transport.TCP
    place = step, attempt.host, attempt.port, over, attempt.address and family_of(attempt.address)
    same = [each for each in sweeps if (each.step, each.host, each.port, each.transport, each.family) == place]
    return [each for each in same if not each.neutral]


def _at_home(sweep: Sweep, evidence: Evidence) -> FailureLocation | None:
    sweeps = evidence.measurement.sweeps
    first = _first_hop(evidence.measurement, sweep.family)
    if first is None or sweep.neutral:
        return None
    answered, passed = _answered_at(sweep), {ttl for ttl in _neutrals_exceeded(sweep, sweeps) if ttl >= first.ttl}
    if answered is not None:  # a resolver may itself be the first public hop: then it answers neutral questions there
        at_it = answered == first.ttl and first.kind in PUBLIC_HOPS and passed
        return _before(first, answered - 1) if answered < first.ttl else FailureLocation.HOME if at_it else None
    silent = {hop.ttl for hop in sweep.hops if hop.came is ReplyKind.SILENCE}
    last = max(_exceeded(sweep), default=0)
    return _before(first, last) if last < first.ttl and silent & passed else None


def _before(first: Hop, passed: int) -> FailureLocation:
    """`passed`: the last router that surely saw it, and maybe let it go on, before the first public hop."""
    others = first.ttl - 1 > FIRST_ROUTER
    return FailureLocation.BETWEEN if others and passed >= FIRST_ROUTER else FailureLocation.HOME


def _behind_the_home(sweep: Sweep, evidence: Evidence) -> FailureLocation | None:
    first = _first_hop(evidence.measurement, sweep.family)
    if first is None or sweep.neutral or any(hop.came is ReplyKind.ANSWER for hop in sweep.hops):
        return None
    refused = _answered_at(sweep)
    if refused is not None and first.ttl < refused <= _still_inside(evidence, sweep.family):
        return FailureLocation.INSIDE
    return FailureLocation.OUTSIDE if max(_exceeded(sweep), default=0) >= first.ttl else None


def _still_inside(evidence: Evidence, family: int) -> int:
    """The furthest that a neutral packet was seen inside the line's own network; 0 where that is not known."""
    sweeps = [each for each in evidence.measurement.sweeps if each.neutral and each.family == family]
    hops = [hop for sweep in sweeps for hop in _exceeded(sweep).values()]
    own = [hop for hop in hops if same_operator(evidence.networks.get(hop.prefix or "", Network()), evidence.network)]
    return max((hop.ttl for hop in own), default=0)


def _neutrals_exceeded(sweep: Sweep, sweeps: Iterable[Sweep]) -> set[int]:
    """The TTLs at which a neutral packet of the same kind was seen to run out."""
    step = comparable_step(sweep.step, sweep.transport)
    same = [each for each in sweeps if each.neutral and (each.step, each.family) == (step, sweep.family)]
    return {ttl for each in same for ttl in _exceeded(each)}


def _first_hop(measurement: Measurement, family: int) -> Hop | None:
    """That is not the volunteer's, or of a workplace's."""
    sweeps = [each for each in measurement.sweeps if each.family == family]
    hops = [hop for sweep in sweeps for hop in _exceeded(sweep).values() if hop.kind is not None]
    direct = measurement.link.detected in CELLULAR
    return min((hop for hop in hops if direct or hop.kind in CARRIER_HOPS), key=lambda hop: hop.ttl, default=None)


def _abroad(sweep: Sweep, evidence: Evidence) -> FailureLocation | None:
    if any(hop.came is ReplyKind.ANSWER for hop in sweep.hops):
        return None  # by now it gets through
    syn = _syn_beside(sweep, evidence.measurement.sweeps)
    routers = _exceeded(syn or sweep)
    foreign = [ttl for ttl in _exceeded(sweep) if ttl in routers and _is_foreign(routers[ttl], evidence)]
    refused = _answered_at(sweep)
    if not foreign or (refused is not None and refused < min(foreign)):
        return None
    if refused is None:
        return FailureLocation.LEFT
    distance = _answered_at(syn) if syn else None
    return FailureLocation.SERVICE if distance is not None and refused >= distance else FailureLocation.BEYOND


# --- In the line's own network ------------------------------------------------------------------------------------


def _dies_inside(sweep: Sweep, evidence: Evidence) -> bool:
    """Its last router is the own network's, and a packet to the same prefix runs out further on, in no other country.

    An end that answers further on is no router: a cache in this network may be dead beside one that is not.
    """
    first, last = _first_hop(evidence.measurement, sweep.family), _last_router(sweep)
    if first is None or last is None or last < first.ttl:
        return False
    router = _named(last, sweep, evidence)
    if not _is_own(first if router is not None and router.kind is HopKind.PRIVATE else router, evidence):
        return False  # a private router behind the first public hop is that one's network's
    further = {
        ttl
        for other in _neighbours(sweep, evidence.measurement.sweeps)
        for ttl in _exceeded(other)
        if ttl > last and _fails_at(sweep, ttl)
    }
    names = [_named(ttl, sweep, evidence) for ttl in further]
    return any(router is None or not _is_foreign(router, evidence) for router in names)


def _last_router(sweep: Sweep) -> int | None:
    """That spoke of it before it was answered by somebody else; None where it gets through by now."""
    if any(hop.came is ReplyKind.ANSWER for hop in sweep.hops):
        return None
    end = _answered_at(sweep)
    return max((ttl for ttl in _exceeded(sweep) if end is None or ttl < end), default=None)


def _fails_at(sweep: Sweep, ttl: int) -> bool:
    """It is silent there, or answered before it gets there."""
    end = _answered_at(sweep)
    silent = any(hop.ttl == ttl and hop.came is ReplyKind.SILENCE for hop in sweep.hops)
    return silent or (end is not None and end <= ttl)


def _neighbours(sweep: Sweep, sweeps: Iterable[Sweep]) -> list[Sweep]:
    """Other packets to the same address, and those of the same kind to its prefix."""
    over = [each for each in sweeps if each.transport is sweep.transport and each.step is not Step.DNS]
    return [each for each in over if each is not sweep and _is_neighbour(each, sweep)]


def _is_neighbour(other: Sweep, sweep: Sweep) -> bool:
    if other.address is None or sweep.address is None or other.family != sweep.family:
        return False
    if other.address == sweep.address:
        return True
    alike = comparable_step(other.step, other.transport) is comparable_step(sweep.step, sweep.transport)
    return alike and prefix_of(other.address) == prefix_of(sweep.address)


def _named(ttl: int, sweep: Sweep, evidence: Evidence) -> Hop | None:
    """The router at this distance, as this packet, the SYN beside it or any other tells: connections give no name."""
    sweeps = evidence.measurement.sweeps
    others = [each for each in sweeps if each.family == sweep.family]
    told = (_exceeded(each).get(ttl) for each in (sweep, _syn_beside(sweep, sweeps), *others) if each is not None)
    return next((hop for hop in told if hop is not None and hop.kind is not None), None)


def _is_own(router: Hop | None, evidence: Evidence) -> bool:
    """Shown to be of the line's own network; who belongs to nobody that is known does not count."""
    if router is None:
        return False
    if router.kind is HopKind.PRIVATE:
        return evidence.measurement.link.detected in CELLULAR
    own, there = evidence.network, evidence.networks.get(router.prefix or "", Network())
    return router.kind in (HopKind.NEAR, HopKind.SHARED) or same_operator(own, there)


# --- What both need -----------------------------------------------------------------------------------------------


def _syn_beside(sweep: Sweep, sweeps: Iterable[Sweep]) -> Sweep | None:
    """To the same place: it shows the routers, which a packet in a connection does not, and how far it is."""
    place = Step.TCP, sweep.neutral, sweep.host, sweep.port, sweep.address
    same = [each for each in sweeps if (each.step, each.neutral, each.host, each.port, each.address) == place]
    inside = sweep.transport is Transport.TCP and sweep.step is not Step.TCP
    return same[0] if same and inside else None


def _is_foreign(router: Hop, evidence: Evidence) -> bool:
    """In a network of another country: what a neighbour in the same country does is done to its people too."""
    own, there = evidence.network, evidence.networks.get(router.prefix or "", Network())
    known = Network().country not in (own.country, there.country) and 0 not in (own.asn, there.asn)
    return known and own.asn != there.asn and own.country != there.country


def _exceeded(sweep: Sweep) -> Mapping[int, Hop]:
    return {hop.ttl: hop for hop in sweep.hops if hop.came is ReplyKind.EXCEEDED}


def _answered_at(sweep: Sweep) -> int | None:
    """The smallest TTL with which it was answered by anybody but a router that counts."""
    return min((hop.ttl for hop in sweep.hops if hop.came in ANSWERS), default=None)
