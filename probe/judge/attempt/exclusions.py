"""What excuses a failure: the service itself, the line, the home, chance, or somebody beyond this network."""

from __future__ import annotations

from probe.failure import BROKEN_OFF, REFUSED
from probe.judge.attempt.case import AttemptCase
from probe.judge.attempt.predicates import (
    READABLE_STEPS,
    began,
    dies_over_udp,
    follows_the_bytes,
    hears_strangers,
    in_a_session,
    is_let_in,
    is_udp,
    is_unanswered,
    others_reach_it,
    refused_under_its_address,
    speaks_stun,
)
from probe.judge.evidence import Rule
from probe.judge.in_time import Control
from probe.judge.location import FailureLocation
from probe.judge.refusals import is_refused_in_words, is_refused_inside
from probe.model import State
from probe.protocols import PAYLOAD_STEPS

# Where a refusal comes from that may be the service's: a router of another country has seen the packet.
AS_FAR_AS_THE_SERVICE = (FailureLocation.SERVICE, FailureLocation.BEYOND)

EXCLUSIONS: tuple[Rule[AttemptCase], ...] = (
    Rule(
        "outage_reported",
        lambda case: case.outage_reported,
        State.IMPAIRED,
        None,
        "the service itself reports an outage in this hour",
        "As a control was told; what this line is told does not count, for whoever forged it could excuse a ban.",
    ),
    Rule(
        "controls_disagree",
        lambda case: case.control is Control.DISAGREE,
        State.IMPAIRED,
        None,
        "elsewhere it works for some and not for others: a fault of the service is not excluded",
        "A control that got through shows that it is alive, and as many that did not show that it is unsteady.",
    ),
    Rule(
        "control_awaited",
        lambda case: case.control is Control.AWAITED and not follows_the_bytes(case),
        State.INSUFFICIENT,
        None,
        "it answered elsewhere before it failed here, and no control has tried it since: wait for a newer control",
        "Else the first minutes of a worldwide outage accuse every network. What answers other bytes is alive.",
    ),
    Rule(
        "service_refusal",
        lambda case: is_refused_in_words(case.attempt),
        State.IMPAIRED,
        "service.refusal",
        "the service answered, and refused in the words of its own protocol",
        "An error of MTProto's, XMPP's, TURN's, DTLS' or QUIC's own is an answer, and a refusal no interference. In "
        "clear somebody else may have said it: neither does that accuse, nor is it `ok`.",
    ),
    Rule(
        "session_refusal",
        lambda case: is_refused_inside(case.attempt),
        State.IMPAIRED,
        "service.refusal",
        "the service itself answered, inside a verified session, otherwise than it is known to",
        "403 and 451 among others: who holds the service's certificate is the service.",
    ),
    Rule(
        "session_broken_off",
        lambda case: in_a_session(case) and case.step in PAYLOAD_STEPS and case.failure in BROKEN_OFF,
        State.IMPAIRED,
        None,
        "it is broken off inside a verified session, by the service or by somebody who cannot read what is said there",
        "Servers hang up on whom they do not serve; nobody else knows what was asked.",
    ),
    Rule(
        "refused_by_target",
        lambda case: refused_under_its_address(case) and case.location in AS_FAR_AS_THE_SERVICE,
        State.IMPAIRED,
        "service.refusal",
        "the service's own address refused it by ICMP, from beyond this network",
        "An ICMP error from the target itself shows that the path is open; that it is the target's the sweep shows, "
        "for whoever drops a packet can write any sender (Linux' own reject on a bridge writes the target).",
    ),
    Rule(
        "refused_under_its_address",
        lambda case: refused_under_its_address(case) and case.location is not FailureLocation.INSIDE,
        State.IMPAIRED,
        None,
        "it is refused by ICMP under the service's address: by the service, or by somebody on the way in its name",
        "Without a sweep that shows from how far it comes, neither is named. One that comes from inside this network "
        "is judged as any other device's.",
    ),
    Rule(
        "regional_fault_not_excluded",
        lambda case: not case.answered_elsewhere,
        State.IMPAIRED,
        None,
        "this address was not reached from elsewhere: a fault of the service in this region is not excluded",
        "design, section 4: before `likely_blocked`, the failing address itself must have answered somebody.",
    ),
    Rule(
        "port_dead_behind_the_home",
        lambda case: case.neutral_port_dead and is_udp(case) and case.location is FailureLocation.OUTSIDE,
        State.IMPAIRED,
        "udp.port.drop",
        "neutral services on this port do not answer either, on other ports they do; it is stopped behind the home",
        "The network drops this port, whoever is meant: networks do so against amplification, too. That calls on it "
        "die is said; that a service is meant is not, of one line: what all services share is for a cell to say.",
    ),
    Rule(
        "port_dead_for_neutrals",
        lambda case: case.neutral_port_dead and is_udp(case),
        State.IMPAIRED,
        "udp.port.drop",
        "neutral services on this port do not answer either, on other ports they do",
        "A home router or a workplace does this as well as an operator.",
    ),
    Rule(
        "ports_closed_for_all",
        lambda case: case.ports_closed,
        State.IMPAIRED,
        None,
        "neutral services do not answer on such a port either: this link lets only some ports out",
        "Hotels, schools and offices open the web's ports alone. What passes there clears no messenger's port.",
    ),
    Rule(
        "tls_read_for_all",
        lambda case: case.step in READABLE_STEPS and not is_udp(case) and case.neutral_altered,
        State.IMPAIRED,
        "local.tls",
        "somebody reads all TLS on this link, neutral services' too, and broke this connection off",
        "A company's inspection with application control; and what is no TLS, on TLS's port, is not understood.",
    ),
    Rule(
        "unmatched_replies",
        lambda case: hears_strangers(case) and case.failed_twice,
        State.IMPAIRED,
        None,
        "its address is not silent: what comes from there answers nothing that was asked",
        "Counted and not read: a server that changed, a box on the way, or damage. Only plain silence is a drop.",
    ),
    Rule(
        "udp_dead_beyond_home",
        lambda case: dies_over_udp(case) and case.udp_dead and case.udp_beyond_home,
        State.IMPAIRED,
        "udp.all.drop",
        "all UDP but DNS is dead on this link, for neutral services too, and is seen to get out of the home",
        "At least three such lines make a cell `likely_blocked`: direct UDP calls of every service.",
    ),
    Rule(
        "udp_dead",
        lambda case: dies_over_udp(case) and case.udp_dead,
        State.IMPAIRED,
        "udp.all.drop",
        "all UDP but DNS is dead on this link, for neutral services too: a home's or an office's firewall does that",
        "The plainest ban of calls there is looks like that as well; where it dies is not known.",
    ),
    Rule(
        "stun_dead",
        lambda case: dies_over_udp(case) and case.stun_dead and speaks_stun(case),
        State.IMPAIRED,
        None,
        "no STUN server answers on this link, neutral ones neither, while other UDP passes: calls cannot be set up",
        "Whether requests or replies are dropped, by the cookie or the ports, at home or further on, is not told.",
    ),
    Rule(
        "neutral_failed",
        lambda case: not case.neutral_passed,
        State.INSUFFICIENT,
        None,
        "no neutral service of the same kind answered on this link, so there is nothing to compare with",
        "What fails for everybody is not aimed at the service.",
    ),
    Rule(
        "silence_once",
        lambda case: is_unanswered(case) and not case.failed_twice,
        State.INSUFFICIENT,
        None,
        "no answer in the first round; a second round is needed",
        "A timeout alone is at most `insufficient` in one round; an ICMP error, which a failing line sends, too.",
    ),
    Rule(
        "broken_off_once",
        lambda case: case.failure in BROKEN_OFF | {REFUSED} and not case.failed_twice,
        State.INSUFFICIENT,
        None,
        "refused or broken off in the first round; a second round is needed",
        "A server that is too busy, or restarts, does that to whoever comes.",
    ),
    Rule(
        "begun_without_equal",
        lambda case: is_udp(case) and began(case) and not case.equal_passed,
        State.INSUFFICIENT,
        None,
        "the handshake began and was not finished, and no neutral one of as many steps was finished on this link",
        "One answer that comes does not show that three in a row do: bursts of loss, or a NAT that moves a flow to "
        "another port, stop whatever takes longer than the neutral that passed.",
    ),
    Rule(
        "begun_on_a_lossy_link",
        lambda case: began(case) and case.loss_seen,
        State.INSUFFICIENT,
        None,
        "the handshake began and was not finished, and neutral services show that this link loses packets",
        "Something neutral had to be said again, or passed in one round and not in the other.",
    ),
    Rule(
        "refused_at_the_service",
        lambda case: case.location is FailureLocation.SERVICE,
        State.IMPAIRED,
        "service.refusal",
        "it is broken off from exactly as far away as the service is, beyond this network",
        "What is said first draws a reset only with a TTL that takes it to where the connection is accepted.",
    ),
    Rule(
        "refused_beyond",
        lambda case: case.location is FailureLocation.BEYOND,
        State.IMPAIRED,
        None,
        "it is refused from beyond this network: by the service, or on the way in another country",
        "A router of another country's network has seen the packet before anybody refused it.",
    ),
    Rule(
        "left_unanswered",
        lambda case: case.location is FailureLocation.LEFT and not others_reach_it(case) and not is_let_in(case),
        State.IMPAIRED,
        None,
        "it leaves this network towards the service, and nothing comes back: whose doing that is cannot be told",
        "A service that keeps a country out looks like replies that are dropped on their way in, unless another "
        "network of the country reaches it.",
    ),
)
