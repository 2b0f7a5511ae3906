"""What is settled before failures are compared: answers, artefacts, and where nothing can be said.

Of these only a block page and a foreign certificate accuse: either proves itself.
"""

from __future__ import annotations

from probe.failure import CERTIFICATE_FAILURES, PERMISSION_DENIED, TLS_CERTIFICATE, is_own
from probe.judge.attempt.case import AttemptCase
from probe.judge.attempt.predicates import (
    blockpage_before,
    contradicted,
    is_strangers,
    is_unanswered,
    of_another,
    self_made,
    shown_before,
    shows_blockpage,
)
from probe.judge.evidence import ADD_A_CONTROL, Rule
from probe.judge.in_time import Control
from probe.judge.location import FailureLocation
from probe.model import State
from probe.protocols import FACTS_ONLY

ARTEFACTS: tuple[Rule[AttemptCase], ...] = (
    Rule(
        "not_attempted",
        lambda case: case.attempt.not_attempted is not None or case.last is None,
        State.INSUFFICIENT,
        None,
        "not tried",
        "What was not tried has not failed; it is left out where anything else was tried.",
    ),
    Rule(
        "fact_only",
        lambda case: case.attempt.handshake in FACTS_ONLY,
        State.INSUFFICIENT,
        None,
        "how this endpoint answers strangers is not known: a fact, from which nothing is concluded",
        "Neither does its answer make anything measurable, nor does its silence accuse; it is left out.",
    ),
    Rule(
        "sip_rewritten",
        lambda case: bool(case.last and case.last.sip and case.last.sip.altered),
        State.IMPAIRED,
        "sip.rewrite",
        "call signalling (SIP) does not arrive as it was sent; a home router does that as well as an operator",
        "Our own server said what reached it. Before `complete`: it did answer.",
    ),
    Rule(
        "blockpage",
        lambda case: shows_blockpage(case) and blockpage_before(case),
        State.BLOCKED,
        "http.blockpage",
        "a known block page answered, twice",
        "A fingerprint with a source in the targets file settles it alone, also with the status that was expected.",
    ),
    Rule(
        "blockpage_once",
        shows_blockpage,
        State.INSUFFICIENT,
        None,
        "a known block page answered in the first round; a second round is needed",
        "Once is nothing, for whatever accuses.",
    ),
    Rule(
        "complete",
        lambda case: case.complete,
        State.OK,
        None,
        "no interference seen",
        "The service answered as itself, at the grade that its endpoint can have.",
    ),
    Rule(
        "uncalibrated",
        lambda case: not case.calibrated,
        State.INSUFFICIENT,
        None,
        "how this endpoint answers is not proven: no control got its answer in the last 24 hours",
        "An inferred handshake may fail everywhere.",
    ),
    Rule(
        "other_mark",
        lambda case: case.failure is None,
        State.INSUFFICIENT,
        None,
        "something answered, but without the mark that the service is known to send",
        "An impostor, or a service that changed: neither a success nor an accusation.",
    ),
    Rule(
        "family_unusable",
        lambda case: not case.family_usable,
        State.INSUFFICIENT,
        None,
        "this link's IPv4 or IPv6 does not work for neutral services either",
        "Broken IPv6 at the volunteer's looks like a ban of every IPv6 address.",
    ),
    Rule(
        "local_firewall",
        lambda case: case.failure == PERMISSION_DENIED,
        State.IMPAIRED,
        "local.firewall",
        "a firewall on this device refuses it",
        "The kernel said so before anything left the device.",
    ),
    Rule(
        "not_listened",
        lambda case: is_own(case.failure),
        State.INSUFFICIENT,
        None,
        "this device was interrupted or at fault itself, so nothing is known",
        "Frozen, starved of the processor, out of sockets: its own doing says nothing of anybody else's.",
    ),
    Rule(
        "retired",
        lambda case: case.legacy and (case.control is Control.DOWN or is_unanswered(case)),
        State.INSUFFICIENT,
        None,
        "the service has closed: that nothing answers says nothing about this line",
        "Its name still shows a ban that was never taken back, by a forged answer, a block page or a reset.",
    ),
    Rule(
        "down",
        lambda case: case.control is Control.DOWN,
        State.DOWN,
        None,
        "it does not answer elsewhere either",
        "Of at least two controls in different networks, nearest in time, all failed.",
    ),
    Rule(
        "clock_unmeasured",
        lambda case: case.failure == TLS_CERTIFICATE and not case.clock_measured,
        State.INSUFFICIENT,
        None,
        "the certificate is not valid at this device's time, and that time could not be checked",
        "A device that is years off finds every certificate invalid.",
    ),
    Rule(
        "tls_altered_for_all",
        lambda case: case.failure in CERTIFICATE_FAILURES and case.neutral_altered,
        State.IMPAIRED,
        "local.tls",
        "certificates of neutral services are replaced on this link too",
        "An antivirus or a company's proxy.",
    ),
    Rule(
        "same_certificate_elsewhere",
        lambda case: case.failure in CERTIFICATE_FAILURES and case.same_leaf_elsewhere,
        State.IMPAIRED,
        None,
        "the service shows the same certificate elsewhere: the fault is its own",
        "Expired, misconfigured, or signed by an authority that we do not know yet.",
    ),
    Rule(
        "family_without_control",
        lambda case: case.control is Control.UNKNOWN and not case.family_controlled,
        State.INSUFFICIENT,
        None,
        "no control tried it in this family, IPv4 or IPv6: only the other family can be compared",
        "Left out where the other family tells: a control without IPv6 must not hide a ban of IPv4.",
    ),
    Rule(
        "no_control",
        lambda case: case.control is Control.UNKNOWN,
        State.INSUFFICIENT,
        None,
        "it failed here, and whether it works elsewhere is not known; " + ADD_A_CONTROL,
        "Nobody measured it elsewhere in the same hour, or one control alone, which failed.",
    ),
    Rule(
        "tls_read_at_home",
        lambda case: case.location is FailureLocation.HOME and case.failure in CERTIFICATE_FAILURES,
        State.IMPAIRED,
        "local.tls",
        "who shows another certificate stands before the first public router, as a home's or an office's proxy does",
        "An antivirus or a company's proxy that spares the neutral services: the connection opens with a small TTL.",
    ),
    Rule(
        "stopped_at_home",
        lambda case: case.location is FailureLocation.HOME,
        State.IMPAIRED,
        "local.firewall",
        "it is stopped before the first public router, as a home's or an office's firewall does",
        "The same packet with a small TTL, beside a neutral one that passes there; design, section 4.",
    ),
    Rule(
        "stopped_between",
        lambda case: case.location is FailureLocation.BETWEEN,
        State.IMPAIRED,
        None,
        "it is stopped between the first router and the first public one: at home, on a campus, or by the operator",
        "Private addresses, 10/8 among them, are homes' and campuses' as well as operators' own: a device that is on a "
        "cellular network itself, or a public hop before them, would tell.",
    ),
    Rule(
        "certificate_expired",
        lambda case: case.failure == TLS_CERTIFICATE,
        State.IMPAIRED,
        None,
        "a certificate of the service's is out of date here: the fault may well be its own",
        "Its chain ends in a root that we trust: nobody but the service had it issued.",
    ),
    Rule(
        "leaf_differs",
        lambda case: of_another(case) and case.same_issuer_elsewhere and not contradicted(case),
        State.IMPAIRED,
        None,
        "another certificate than elsewhere, of the same issuer: an edge of the service's own may well show it",
        "Each edge of a CDN has its own, and one that is set up wrongly another customer's, or half a chain. Who only "
        "copies the issuer's name is told by the signature, where that issuer's own came along or is a root of ours.",
    ),
    Rule(
        "trust_store_old",
        lambda case: self_made(case) and case.trust_store_old and not contradicted(case),
        State.INSUFFICIENT,
        None,
        "the certificate's authority is not known here, and the list of authorities may be older than it",
        "A list from 18 months before, or without a date, takes a new authority for a forger: update the program.",
    ),
    Rule(
        "anothers_certificate_once",
        lambda case: is_strangers(case) and not shown_before(case),
        State.INSUFFICIENT,
        None,
        "somebody else's certificate was presented in the first round; a second round is needed",
        "Once is nothing, for whatever accuses.",
    ),
    Rule(
        "tls_mitm",
        is_strangers,
        State.BLOCKED,
        "tls.mitm",
        "somebody else's certificate is presented in the service's name, twice",
        "Signed by nobody whom we trust, or for another name, or by another root than the one that the service has had "
        "pinned, at an address that is the service's elsewhere. A certificate by a root that we trust, for the right "
        "name, is `complete`, whatever controls were shown: services change their authorities and have several at "
        "once, so that difference alone tells nothing, unless the service's own authority is pinned: `other_mark`.",
    ),
)
