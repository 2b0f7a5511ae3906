"""What must repeat before it counts."""

from __future__ import annotations

import pytest

from probe.model import Step
from probe.silence import is_unanswered, may_pass
from tests.probe.builders import observation


@pytest.mark.parametrize(
    ("step", "failure", "unanswered"),
    [
        (Step.STUN, "generic_timeout_error", True),
        (Step.DNS, "generic_timeout_error", True),
        (Step.TCP, "host_unreachable", True),
        (Step.TURN, "network_unreachable", True),
        (Step.TCP, "administratively_prohibited", True),
        (Step.TURN, "connection_refused", True),  # an ICMP error
        (Step.TCP, "connection_refused", False),  # a reset: somebody answered
        (Step.TLS, "connection_reset", False),
        (Step.DNS, "dns_nxdomain_error", False),
        (Step.STUN, None, False),
    ],
)
def test_unanswered(step: Step, failure: str | None, unanswered: bool) -> None:
    assert is_unanswered(observation(step, failure)) is unanswered


@pytest.mark.parametrize(
    ("step", "failure", "passes"),
    [
        (Step.TLS, "connection_reset", True),
        (Step.NOISE, "eof_error", True),
        (Step.TCP, "connection_refused", True),
        (Step.TCP, "generic_timeout_error", True),
        (Step.TLS, "ssl_unknown_authority", False),
        (Step.MTPROTO, "unexpected_reply", False),
        (Step.DNS, "dns_nxdomain_error", False),
        (Step.TLS, None, False),
    ],
)
def test_what_may_pass_by_itself(step: Step, failure: str | None, passes: bool) -> None:
    assert may_pass(observation(step, failure)) is passes
