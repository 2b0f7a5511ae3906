"""A neutral page inside TLS is no neutral for one in clear: a home may answer all plain HTTP, and let TLS through."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from probe.judge import judge
from probe.model import Endpoint, HttpFacts, Plane, State, Step, Target, Transport
from tests.probe.judge.evidence import HOST, LINK, attempt, control, evidence, measurement, neutral, says, seen

PAGE = Endpoint(host=HOST, port=80, transport=Transport.TCP, handshake="http")
WEB = Target(id="service/web", plane=Plane.WEB, endpoints=(PAGE,))
NEUTRAL_TLS = neutral("tls")
INSIDE_TLS = replace(neutral("http"), transport=Transport.TLS)


@pytest.mark.parametrize("failure", ["connection_reset", "generic_timeout_error", "eof_error"])
@pytest.mark.parametrize("beside", [(), (INSIDE_TLS,)])
def test_plain_http_that_fails_everywhere_is_the_homes(failure: str, beside: tuple) -> None:  # type: ignore[type-arg]
    link = replace(LINK, neutrals=(NEUTRAL_TLS, neutral("http", failure, port=80), *beside))
    good = attempt(PAGE, seen(Step.TCP), seen(Step.HTTP, http=HttpFacts(status=200)), grade="transport")
    well = control(measurement(WEB, good, resolutions=(says("198.51.100.10"),)))
    bad = attempt(PAGE, seen(Step.TCP), seen(Step.HTTP, failure))
    given = evidence(WEB, bad, rounds=2, link=link, controls=(well,), resolutions=(says("198.51.100.10"),))
    assert judge(given).state not in (State.BLOCKED, State.LIKELY_BLOCKED)
