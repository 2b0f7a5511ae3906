"""What is asked of others: only what a verdict rests on, so that nothing else can change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from probe.failure import NXDOMAIN, RESET, TIMEOUT
from probe.judge import Evidence, judge
from probe.judge.controls import Controls
from probe.judge.evidence import Neighbours
from probe.model import Attempt, Target
from tests.probe.judge.evidence import (
    BOGON,
    CALL,
    CHAT,
    FORGED,
    HERE,
    V6,
    evidence,
    says,
    tcp_fails,
    tls_fails,
    tls_ok,
)


class Noting(Mapping[str, Any]):
    """Lines, and of what they were asked."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said, self.asked = said, set[str]()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return self.said[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("each is asked by its name")

    def __len__(self) -> int:
        raise AssertionError("how many there are bears on nothing")


class Reached(frozenset[str]):
    """Addresses that must not be asked for."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("nobody had to know")


def lazily(given: Evidence) -> Evidence:
    """The same evidence, that notes what it is asked for."""
    return replace(
        given,
        controls=Controls.when_asked(lambda: given.controls),
        calibrating=Controls.when_asked(lambda: given.calibrating),
        neighbours=Noting(given.neighbours),
        resolver_lines=None if given.resolver_lines is None else Noting(given.resolver_lines),
    )


UNCALIBRATED = replace(CHAT, endpoints=(replace(CHAT.endpoints[0], uncalibrated=True),))
PASSING = [
    pytest.param(CHAT, (tls_ok(),), (), id="an answer"),
    pytest.param(UNCALIBRATED, (tls_ok(),), (), id="an answer that was only inferred"),
    pytest.param(CHAT, (tls_ok(),), (says(HERE), says(failure="dns_no_answer", qtype="AAAA")), id="one family"),
    pytest.param(CHAT, (tls_ok(),), (says(HERE, FORGED), says(V6, qtype="AAAA")), id="addresses nobody dialled"),
]


@pytest.mark.parametrize(("target", "attempts", "resolutions"), PASSING)
def test_a_measurement_that_passes_asks_nobody(
    target: Target, attempts: tuple[Attempt, ...], resolutions: tuple[Any, ...]
) -> None:
    given = replace(lazily(evidence(target, *attempts, resolutions=resolutions)), reached=Reached())
    assert judge(given).state == "ok"
    assert not given.controls.is_asked
    assert not given.calibrating.is_asked
    assert isinstance(given.neighbours, Noting)
    assert given.neighbours.asked == set()


@pytest.mark.parametrize(
    ("attempts", "resolutions"),
    [((tcp_fails(TIMEOUT),), ()), ((tls_fails(RESET),), ()), ((), (says(failure=NXDOMAIN),)), ((), (says(BOGON),))],
)
def test_one_that_fails_asks_controls(attempts: tuple[Attempt, ...], resolutions: tuple[Any, ...]) -> None:
    given = lazily(evidence(CHAT, *attempts, rounds=2, resolutions=resolutions))
    assert judge(given) == judge(evidence(CHAT, *attempts, rounds=2, resolutions=resolutions))
    assert given.controls.is_asked


def test_neighbours_are_asked_about_the_address_that_failed() -> None:
    others = {HERE: Neighbours(reached=2), V6: Neighbours(reached=2)}
    given = lazily(evidence(CHAT, tcp_fails(TIMEOUT), tls_ok(address=V6), rounds=2, neighbours=others))
    judge(given)
    assert isinstance(given.neighbours, Noting)
    assert given.neighbours.asked == {HERE}


def test_what_is_void_asks_nobody() -> None:
    failing = evidence(CALL, tls_fails(RESET))
    given = replace(lazily(failing), clock_known=False)
    assert judge(given).rule == "clock_unknown"
    assert not given.controls.is_asked


def test_controls_are_found_once_when_first_asked() -> None:
    found: list[int] = []

    def find() -> Controls:
        found.append(1)
        return Controls()

    asked = Controls.when_asked(find)
    assert (asked.is_asked, found) == (False, [])
    assert list(asked) == []
    assert len(asked.between(0, 1)) == 0
    assert (asked.is_asked, found) == (True, [1])
