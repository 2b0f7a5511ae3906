"""The rules of a name that the link's own resolvers failed or forged."""

from __future__ import annotations

from collections.abc import Callable

from probe.failure import DNS_MISBEHAVING, DNS_REFUSED, NO_ANSWER, NXDOMAIN, SERVFAIL, TIMEOUT, is_own
from probe.judge.controls import Control
from probe.judge.evidence import ADD_A_CONTROL, Rule
from probe.judge.name.case import NameCase
from probe.model import State


def _answered_with(*failures: str) -> Callable[[NameCase], bool]:
    return lambda case: case.outcome in failures


NAME_RULES: tuple[Rule[NameCase], ...] = (
    Rule(
        "name_retired",
        lambda case: case.legacy and not case.exists,
        State.INSUFFICIENT,
        None,
        "the service has closed, and its name does not resolve elsewhere either",
        "A name that nobody keeps says nothing about this line.",
    ),
    Rule(
        "name_gone",
        lambda case: not case.exists and case.control is Control.DOWN,
        State.DOWN,
        None,
        "its name does not exist anywhere",
        "At least two controls in different networks cannot resolve it either.",
    ),
    Rule(
        "name_not_listened",
        lambda case: is_own(case.outcome),
        State.INSUFFICIENT,
        None,
        "this device was interrupted or at fault itself, so nothing is known",
        "Its own doing says nothing of a resolver.",
    ),
    Rule(
        "name_answered_at_home",
        lambda case: case.at_home,
        State.IMPAIRED,
        "local.resolver",
        "what answers or swallows the question stands before the first public router, as a home's or an office's does",
        "The question with a small TTL, beside one for a neutral name; design, section 4.",
    ),
    Rule(
        "name_injected",
        lambda case: case.injected and case.proved,
        State.BLOCKED,
        "dns.injected",
        "a false DNS answer was injected before the true one",
        "One query sent once, two replies, the first impossible or a denial: no resolver does that by itself.",
    ),
    Rule(
        "resolver_untruthful",
        lambda case: case.truthful is False,
        State.IMPAIRED,
        "local.resolver",
        "the DNS resolver of this link fails neutral names too",
        "What alters neutral names is not aimed at the service.",
    ),
    Rule(
        "resolver_not_the_networks",
        lambda case: not case.own_resolver and case.outcome != TIMEOUT,
        State.IMPAIRED,
        "local.resolver",
        "the DNS resolver that says so may be the home's or one set by hand, not the network's own",
        "Pi-hole, family filters and foreign resolvers are the volunteer's, not the operator's.",
    ),
    Rule(
        "name_unknown",
        lambda case: not case.exists,
        State.INSUFFICIENT,
        None,
        "its name does not resolve here, and nobody else's answer is known; " + ADD_A_CONTROL,
        "Without another answer a denial may be the truth.",
    ),
    Rule(
        "name_unproved",
        lambda case: not case.proved,
        State.INSUFFICIENT,
        None,
        "its name does not resolve here, and whether the service is alive is not known; " + ADD_A_CONTROL,
        "Somebody else gives addresses, but nothing has answered there.",
    ),
    Rule(
        "name_forged",
        _answered_with("forged"),
        State.BLOCKED,
        "dns.forged",
        "the network's DNS resolver gives an address that is not the service's",
        "An impossible address, or one whose certificate is not the service's, while others give the genuine one.",
    ),
    Rule(
        "name_disputed",
        lambda case: case.control is Control.DISAGREE,
        State.IMPAIRED,
        None,
        "elsewhere its name resolves for some and not for others: a fault of the service is not excluded",
        "A name that is being given up is denied by some resolvers before others.",
    ),
    Rule(
        "name_denied",
        _answered_with(NXDOMAIN, NO_ANSWER),
        State.BLOCKED,
        "dns.nxdomain",
        "the network's DNS resolver denies a name that exists",
        "One thing was changed, the resolver, and the service is there: a paired comparison.",
    ),
    Rule(
        "name_servfail",
        _answered_with(SERVFAIL, DNS_REFUSED, DNS_MISBEHAVING),
        State.LIKELY_BLOCKED,
        "dns.servfail",
        "the network's DNS resolver fails for this name and answers neutral ones",
        "No lie, so no artefact; but it fails this name only.",
    ),
    Rule(
        "name_silent",
        lambda case: case.outcome == TIMEOUT and case.silent_twice and case.truthful is True and case.own_resolver,
        State.LIKELY_BLOCKED,
        "dns.silent",
        "DNS queries for this name stay unanswered, twice, while neutral names are answered",
        "Silence counts only when it repeats and a neutral of the same kind passed.",
    ),
    Rule(
        "name_failed",
        lambda case: True,
        State.INSUFFICIENT,
        None,
        "its name could not be resolved here, in a way that proves nothing",
        "Last: what no rule above explains accuses nobody.",
    ),
)
