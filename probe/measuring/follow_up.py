"""Follow-up experiments: after a failure, change one thing and ask again.

A relay that does not answer an Allocate is asked in the second round for a Binding as well: same address, same port,
same size, another method. If that is answered, it is the Allocate that somebody drops, and not the address. Our own
server that does not answer SIP is asked again with every bit inverted. A server that does not answer QUIC, or TLS, is
asked with a neutral name too: if that is answered, it is the service's name that is dropped; one that does not answer
DTLS, with another program's hello. Where the link's resolver led to addresses at which a service was not met, and
another's led to it, the first are asked for a certificate as well: a messenger's own protocol has nothing that an
impostor must forge.

What has failed for good is sent again with small TTLs (probe.path.sweeps); here is said which failures those are.
Silence must have repeated; a reset, a foreign certificate or a resolver's denial need not.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from probe.addresses import family_of, is_address, is_private
from probe.attempts import is_met, is_of
from probe.failure import (
    ANOTHERS_CERTIFICATE,
    BROKEN_OFF,
    CERTIFICATE_FAILURES,
    REFUSED,
    UNEXPECTED_STATUS,
    is_in_clear,
    is_transient,
    is_unanswered,
)
from probe.grades import shows_certificate
from probe.measuring.measurer import Findings
from probe.model import Attempt, Endpoint, Expect, Observation, Step, Target, Transport, Via
from probe.protocols import ALLOCATING, FOLLOW_UPS, OTHER_NAME, alpn_of

FOREIGN_ANSWERS = BROKEN_OFF | CERTIFICATE_FAILURES | {REFUSED}
HTTPS_PORT = 443
Identity = tuple[str, int, str, str]


def second_round(target: Target, findings: Findings | None = None) -> Target:
    """The target with the experiments of the second round, some of which depend on what the first one found.

    They are no paths: only the target's own endpoints are.
    """
    known = {identity(endpoint) for endpoint in target.endpoints}
    others = [
        replace(endpoint, handshake=FOLLOW_UPS[endpoint.handshake], expect=Expect())
        for endpoint in target.endpoints
        if endpoint.handshake in FOLLOW_UPS
    ]
    others += [_with_another_name(each) for each in target.endpoints if findings and _fails_in_tls(each, findings)]
    astray = led_astray(target, findings) if findings else []
    others += [Endpoint(host=host, port=HTTPS_PORT, transport=Transport.TCP, handshake="tls") for host in astray]
    return replace(target, endpoints=(*target.endpoints, *(each for each in others if identity(each) not in known)))


def _with_another_name(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, handshake=OTHER_NAME, expect=Expect(alpn=alpn_of(endpoint)))


def _fails_in_tls(endpoint: Endpoint, findings: Findings) -> bool:
    """Its name was said, and was not answered or the connection was broken off."""
    named = not is_address(endpoint.server_name or endpoint.host)
    ends = (each.observations[-1] for each in findings.attempts if each.observations and is_of(each, endpoint))
    return named and any(each.step is Step.TLS and is_transient(each) for each in ends)


def shows_a_stranger(attempt: Attempt) -> bool:
    """Another's certificate, a block page, or in clear a page that is not the expected one: once is nothing.

    What it may accuse by has to repeat, also where the service answers at other addresses.
    """
    return any(
        each.failure in ANOTHERS_CERTIFICATE
        or (each.http is not None and each.http.fingerprint is not None)
        or (each.failure == UNEXPECTED_STATUS and attempt.transport is Transport.TCP)
        for each in attempt.observations
    )


def led_astray(target: Target, findings: Findings) -> list[str]:
    """Hosts without TLS of their own that were met where another resolver led, and not where the link's own did."""
    met = {(each.host, each.via) for each in findings.attempts if is_met(each)}
    missed = {each.host for each in findings.attempts if each.via is Via.SYSTEM}
    certified = {each.host for each in target.endpoints if shows_certificate(each)}
    return [
        host
        for host in dict.fromkeys(endpoint.host for endpoint in target.endpoints)
        if host in missed - certified and (host, Via.INDEPENDENT) in met and (host, Via.SYSTEM) not in met
    ]


def identity(dialled: Endpoint | Attempt) -> Identity:
    return dialled.host, dialled.port, dialled.transport, dialled.handshake


def app_attempts(findings: Findings) -> list[Attempt]:
    """Without those that no app here would make: where the link's resolver gave addresses, or was silent about them."""
    own = {attempt.host for attempt in findings.attempts if attempt.via is Via.SYSTEM}
    own |= {each.host for each in findings.resolutions if is_unanswered(each.observation) and is_in_clear(each)}
    return [
        attempt
        for attempt in findings.attempts
        if attempt.via is not Via.ALSO and not (attempt.via is Via.INDEPENDENT and attempt.host in own)
    ]


def failed_for_good(endpoints: Sequence[Endpoint], findings: Findings, round_: int) -> list[Attempt]:
    """One for each endpoint and family of which no public address got through."""
    known = {identity(endpoint) for endpoint in endpoints}
    groups: dict[tuple[Identity, int], list[Attempt]] = {}
    for attempt in app_attempts(findings):
        if identity(attempt) in known and attempt.address is not None and not is_private(attempt.address):
            groups.setdefault((identity(attempt), family_of(attempt.address)), []).append(attempt)
    chosen = (_first_for_good(group, round_) for group in groups.values())
    return list(dict.fromkeys(_weakest(attempt, findings) for attempt in chosen if attempt is not None))


def _first_for_good(group: Sequence[Attempt], round_: int) -> Attempt | None:
    if any(attempt.grade for attempt in group):
        return None
    return next((each for each in group if each.observations and _is_for_good(each.observations[-1], round_)), None)


def _weakest(attempt: Attempt, findings: Findings) -> Attempt:
    """A relay that leaves a plain Binding unanswered too need not be asked for another Allocate."""
    if attempt.handshake not in ALLOCATING & FOLLOW_UPS.keys():
        return attempt
    place = identity(replace(attempt, handshake=FOLLOW_UPS[attempt.handshake]))
    asked = [each for each in findings.attempts if (identity(each), each.address) == (place, attempt.address)]
    return asked[0] if asked and not any(each.grade for each in asked) else attempt


def _is_for_good(last: Observation, round_: int) -> bool:
    return round_ > 1 if is_unanswered(last) else last.failure in FOREIGN_ANSWERS
