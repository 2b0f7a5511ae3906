"""The rules of a whole measurement: what makes all of it inconclusive."""

from __future__ import annotations

from collections.abc import Callable

from probe.failure import TLS_CERTIFICATE
from probe.judge.evidence import Evidence, Rule
from probe.model import Measurement, NotAttempted, State, Void


def _is_void(void: Void) -> Callable[[Evidence], bool]:
    return lambda evidence: evidence.measurement.link.void is void


def _not_attempted(reason: NotAttempted) -> Callable[[Evidence], bool]:
    return lambda evidence: evidence.measurement.not_attempted is reason


def _finds_every_certificate_out_of_date(measurement: Measurement) -> bool:
    """At a time that nobody could check: it is the device that is out of date."""
    failures = {each.failure for each in measurement.link.neutrals if each.handshake == "tls"}
    return measurement.clock_offset_ms is None and failures == {TLS_CERTIFICATE}


MEASUREMENT_RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "targets_unknown",
        lambda evidence: evidence.target is None,
        State.INSUFFICIENT,
        None,
        "the list of targets that this was measured with is not known here",
        "A measurement is judged with its own targets file or not at all.",
    ),
    Rule(
        "clock_unknown",
        lambda evidence: not evidence.clock_known,
        State.INSUFFICIENT,
        None,
        "this device's clock is wrong or unknown, so the result cannot be placed in time",
        "design, section 1: unknown with a skew of more than 30 minutes, or in the future.",
    ),
    Rule(
        "not_measurable",
        _not_attempted(NotAttempted.NOT_MEASURABLE),
        State.INSUFFICIENT,
        None,
        "not measurable yet: no handshake is known that this service answers without an account",
        "Listed, so that nobody takes its absence for a good sign.",
    ),
    Rule(
        "portal",
        _is_void(Void.PORTAL),
        State.INSUFFICIENT,
        "local.portal",
        "a captive portal answers in place of the internet: log in there and measure again",
        "Neutral HTTP is answered by somebody else and no neutral certificate verifies.",
    ),
    Rule(
        "no_link",
        lambda evidence: evidence.measurement.not_attempted is not None or not evidence.measurement.link.up,
        State.INSUFFICIENT,
        None,
        "this link has no internet: nothing can be concluded",
        "No baseline target completed a handshake, so nothing else was dialled.",
    ),
    Rule(
        "clock_out_of_date",
        lambda evidence: _finds_every_certificate_out_of_date(evidence.measurement),
        State.INSUFFICIENT,
        None,
        "this device finds even neutral certificates out of date, and its time could not be checked: set its clock",
        "design, section 3: a wrong clock voids the cycle.",
    ),
    Rule(
        "vpn",
        _is_void(Void.VPN),
        State.INSUFFICIENT,
        None,
        "a VPN carries the traffic, so the result is not about this line: switch it off and measure again",
        "The default route leads into a tunnel device.",
    ),
    Rule(
        "proxy",
        _is_void(Void.PROXY),
        State.INSUFFICIENT,
        None,
        "a proxy speaks for every server on this line, so the result is not about the line: measure without it",
        "Neutral names lead to addresses that are nobody's, and whoever is asked for is met there.",
    ),
    Rule(
        "starved",
        _is_void(Void.STARVED),
        State.INSUFFICIENT,
        None,
        "this device was too busy, or asleep, to hear answers in time",
        "A process that does not get its turn takes its own silence for the network's.",
    ),
    Rule(
        "clock_changed",
        _is_void(Void.CLOCK),
        State.INSUFFICIENT,
        None,
        "the clock was set while measuring, or the device slept",
        "Wall and monotonic clock parted: how long anything took, and when it was, is not known.",
    ),
    Rule(
        "network_changed",
        lambda evidence: evidence.measurement.link.void is not None,
        State.INSUFFICIENT,
        None,
        "the network changed while measuring",
        "Before and after are two lines; what failed may have failed in between.",
    ),
)
