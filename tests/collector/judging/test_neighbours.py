"""Neighbours are asked about where the line itself was not answered by the service: elsewhere they bear on nothing."""

from __future__ import annotations

from msgspec.structs import replace

from collector.judging.neighbours import in_doubt
from probe.attempts import BARE_ACCEPT
from probe.model import Grade, Measurement
from tests.collector.judging.evidence import parse, record

TARGET = parse(b"calibrated", "").targets[0]
HERE, THERE = "192.0.2.1", "192.0.2.2"


def dialled(*addresses: str, **fields: object) -> Measurement:
    """At the endpoint, in vain but for what `fields` say."""
    measured = record("m", failing=addresses).measurement
    return replace(measured, attempts=tuple(replace(each, **fields) for each in measured.attempts))


def test_an_address_where_it_failed_is_in_doubt() -> None:
    assert in_doubt(dialled(HERE, THERE), TARGET) == {HERE, THERE}


def test_one_where_the_service_answered_as_itself_is_not() -> None:
    assert in_doubt(dialled(HERE, grade=Grade.BOUND), TARGET) == set()


def test_what_proves_less_leaves_it_in_doubt() -> None:
    """Somebody answered, or accepted a connection; or which endpoint it was meant for is not known."""
    assert in_doubt(dialled(HERE, grade=Grade.TRANSPORT), TARGET) == {HERE}
    assert in_doubt(dialled(HERE, grade=Grade.BOUND, handshake=BARE_ACCEPT), TARGET) == {HERE}
    assert in_doubt(dialled(HERE, grade=Grade.BOUND), None) == {HERE}


def test_one_attempt_that_failed_leaves_it_in_doubt() -> None:
    passed, failed = dialled(HERE, grade=Grade.BOUND), dialled(HERE)
    assert in_doubt(replace(passed, attempts=(*passed.attempts, *failed.attempts)), TARGET) == {HERE}
