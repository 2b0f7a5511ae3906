"""The rules of a name that one of the link's own resolvers failed or forged."""

from __future__ import annotations

from collections.abc import Callable

from probe.judge.evidence import ADD_A_CONTROL, Rule
from probe.judge.in_time import Control
from probe.judge.location import FailureLocation
from probe.judge.name.case import NameCase
from probe.judge.name.resolvers import Owner
from probe.judge.name.view import Trouble
from probe.model import State


def _by_the_network(trouble: Trouble) -> Callable[[NameCase], bool]:
    """By a resolver that is shown to be the network's own."""
    return lambda case: case.trouble is trouble and case.owner is Owner.NETWORK and case.enough_lines


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
        lambda case: case.trouble is Trouble.OURS,
        State.INSUFFICIENT,
        None,
        "this device was interrupted or at fault itself, so nothing is known",
        "Its own doing says nothing of a resolver.",
    ),
    Rule(
        "name_answered_at_home",
        lambda case: case.location is FailureLocation.HOME,
        State.IMPAIRED,
        "local.resolver",
        "what answers or swallows the question stands before the first public router, as a home's or an office's does",
        "The question with a small TTL, beside one for a neutral name; design, section 4.",
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
        "name_injected_elsewhere",
        lambda case: case.injected and not case.on_the_network,
        State.IMPAIRED,
        None,
        "a false DNS answer was injected on the way to a resolver that is not shown to be the network's: by this "
        "network or in another country",
        "What is asked abroad may be answered by a country on the way; only a sweep shows that it was nearer.",
    ),
    Rule(
        "resolver_not_the_networks",
        lambda case: case.owner is not Owner.NETWORK and not case.injected and case.trouble is not Trouble.SILENT,
        State.IMPAIRED,
        "local.resolver",
        "the DNS resolver that says so may be the home's or one set by hand, not the network's own",
        "Pi-hole, family filters and foreign resolvers are the volunteer's, not the operator's.",
    ),
    Rule(
        "resolver_unchecked",
        lambda case: case.truthful is None,
        State.INSUFFICIENT,
        None,
        "whether the DNS resolver that says so tells the truth about neutral names is not known",
        "One that answers every name alike, as behind a bill that is not paid, is aimed at no service.",
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
        "name_awaited",
        lambda case: case.control is Control.AWAITED and not case.proved,
        State.INSUFFICIENT,
        None,
        "its name resolved elsewhere before it failed here, and no control has asked since: wait for a newer control",
        "Else the first minutes in which a name is gone accuse every network. What this line itself meets is alive.",
    ),
    Rule(
        "name_fails_elsewhere",
        lambda case: case.trouble is Trouble.FAILED and case.fails_elsewhere and not case.injected,
        State.IMPAIRED,
        None,
        "resolvers elsewhere fail for its name too: the service's own zone may be broken",
        "A resolver that checks signatures (DNSSEC) refuses what one that does not gives away.",
    ),
    Rule(
        "name_disputed",
        lambda case: case.disputed and case.trouble is not Trouble.FORGED and not case.injected,
        State.IMPAIRED,
        None,
        "elsewhere its name resolves for some and not for others: a fault of the service is not excluded",
        "A name that is being given up is denied by some resolvers before others.",
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
        "name_raced_once",
        lambda case: case.raced and not case.twice and case.others_lied_to and case.other_family,
        State.DEGRADED,
        "partial",
        "it works over one kind of address; for the other, false DNS answers arrive before the true ones",
        "Two resolvers were asked once each, and each time there were two answers, the first of which leads nowhere.",
    ),
    Rule(
        "name_once",
        lambda case: not case.twice,
        State.INSUFFICIENT,
        None,
        "its name did not resolve, or was answered falsely, in the first round; a second round is needed",
        "A resolver that restarts, is busy or has a bad cache fails whoever comes, and once.",
    ),
    Rule(
        "name_injected",
        lambda case: case.raced,
        State.BLOCKED,
        "dns.injected",
        "a false DNS answer was injected before the true one",
        "One query sent once, two replies, the first a denial, impossible or nobody else's: it is no resolver's.",
    ),
    Rule(
        "resolver_of_few_lines",
        lambda case: not case.enough_lines and case.owner is Owner.NETWORK and not case.injected,
        State.INSUFFICIENT,
        None,
        "too few lines use the DNS resolver that says so to tell that it is the network's own",
        "A business has a resolver of its own, at an address of its operator's.",
    ),
    Rule(
        "name_forged",
        _by_the_network(Trouble.FORGED),
        State.BLOCKED,
        "dns.forged",
        "the network's DNS resolver gives an address that is not the service's",
        "An impossible address, or one whose certificate is not the service's, while others give the genuine one.",
    ),
    Rule(
        "name_denied",
        _by_the_network(Trouble.DENIED),
        State.BLOCKED,
        "dns.nxdomain",
        "the network's DNS resolver denies a name that exists",
        "One thing was changed, the resolver, and the service is there: a paired comparison.",
    ),
    Rule(
        "name_told_otherwise",
        lambda case: case.injected,
        State.LIKELY_BLOCKED,
        "dns.injected",
        "in the clear its name is answered falsely, whoever is asked; in TLS the same resolver tells the truth",
        "Whoever answers in the clear is not who was asked, and the address told in TLS was met from here.",
    ),
    Rule(
        "name_servfail",
        _by_the_network(Trouble.FAILED),
        State.LIKELY_BLOCKED,
        "dns.servfail",
        "the network's DNS resolver fails for this name and answers neutral ones",
        "No lie, so no artefact; but it fails this name only, twice.",
    ),
    Rule(
        "name_silent",
        _by_the_network(Trouble.SILENT),
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
