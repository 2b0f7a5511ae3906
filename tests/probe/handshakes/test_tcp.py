"""TCP: accepted or not, and nothing said."""

from __future__ import annotations

import pytest

from probe.model import Grade, Operation, Step
from tests.probe.builders import endpoint, scripted_shake
from tests.scripted import ScriptedDialer, Tcp

HOST = "203.0.113.4"
SERVER = endpoint("tcp", HOST, 443)


def test_a_connection_that_is_accepted_is_a_transport() -> None:
    dialer = ScriptedDialer({("tcp", HOST, 443): Tcp()})
    seen = scripted_shake(dialer, SERVER)
    assert (seen.grade, seen.last.step, seen.failure) == (Grade.TRANSPORT, Step.TCP, None)
    assert dialer.sent == []
    assert dialer.still_open == []


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(111, "x"), "connection_refused"),
        (ConnectionResetError(104, "x"), "connection_reset"),
        (OSError(113, "x"), "host_unreachable"),
        (TimeoutError(110, "x"), "generic_timeout_error"),
    ],
)
def test_a_connection_that_is_not(error: OSError, failure: str) -> None:
    seen = scripted_shake(ScriptedDialer({("tcp", HOST, 443): Tcp(refuses=error)}), SERVER)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, Operation.CONNECT)


def test_silence_lasts_ten_seconds() -> None:
    seen = scripted_shake(ScriptedDialer({("tcp", HOST, 443): Tcp(hangs=True)}), SERVER)
    assert (seen.failure, seen.last.took_us) == ("generic_timeout_error", 10_000_000)
