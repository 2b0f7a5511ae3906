"""Exceptions to failure strings, and text from the wire made fit to keep."""

from __future__ import annotations

import asyncio
import errno

import pytest

from probe import failure
from probe.failure import Failed, classify, is_transient, is_unanswered
from probe.model import Step
from tests.probe.builders import observation


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ECONNREFUSED, "x"), "connection_refused"),
        (OSError(errno.ECONNRESET, "x"), "connection_reset"),
        (OSError(errno.EPIPE, "x"), "connection_reset"),
        (OSError(errno.EHOSTUNREACH, "x"), "host_unreachable"),
        (OSError(errno.ENETUNREACH, "x"), "network_unreachable"),
        (OSError(errno.ETIMEDOUT, "x"), "generic_timeout_error"),
        (TimeoutError(), "generic_timeout_error"),
        (asyncio.IncompleteReadError(b"", 1), "eof_error"),
        (EOFError(), "eof_error"),
        (Failed("ssl_failed_handshake"), "ssl_failed_handshake"),
    ],
)
def test_errors_have_the_fields_words(error: BaseException, expected: str) -> None:
    assert classify(error) == expected


def test_an_unknown_error_gives_its_class_and_not_its_text() -> None:
    assert classify(ValueError("198.51.100.7")) == "unknown_failure: ValueError"
    assert classify(OSError(errno.EINVAL, "198.51.100.7")) == "unknown_failure: OSError"


def test_errnos_are_all_words_without_spaces() -> None:
    assert all(word == word.lower() and " " not in word for word in failure.ERRNOS.values())


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
    assert is_transient(observation(step, failure)) is passes
