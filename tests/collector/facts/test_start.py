from __future__ import annotations

import pytest

from collector.facts.start import MAX_AHEAD_MS, MAX_SKEW_MS, Start, corrected_start

RECEIVED = 1_772_000_000_000
MINUTE = 60_000


@pytest.mark.parametrize(
    ("started", "offset", "sealed", "expected"),
    [
        pytest.param(RECEIVED - 5, 0, RECEIVED, Start(RECEIVED - 5, True), id="right-clock"),
        pytest.param(RECEIVED - 70 * MINUTE, 60 * MINUTE, 0, Start(RECEIVED - 10 * MINUTE, True), id="measured"),
        pytest.param(
            RECEIVED - 100 * 24 * 60 * MINUTE,
            0,
            RECEIVED - MINUTE,
            Start(RECEIVED - 100 * 24 * 60 * MINUTE, True),
            id="kept-for-months-on-a-right-clock",
        ),
        pytest.param(
            RECEIVED - 21 * MINUTE, None, RECEIVED - 20 * MINUTE, Start(RECEIVED - MINUTE, True), id="slow-clock"
        ),
        pytest.param(
            RECEIVED + 20 * MINUTE, None, RECEIVED + 25 * MINUTE, Start(RECEIVED - 5 * MINUTE, True), id="fast-clock"
        ),
        pytest.param(
            RECEIVED - MAX_SKEW_MS, None, RECEIVED - MAX_SKEW_MS, Start(RECEIVED, True), id="largest-difference"
        ),
        pytest.param(
            RECEIVED - MAX_SKEW_MS - 1, None, RECEIVED - MAX_SKEW_MS - 1, Start(RECEIVED, False), id="too-large"
        ),
        pytest.param(RECEIVED, None, RECEIVED + MAX_SKEW_MS + 1, Start(RECEIVED, False), id="too-far-ahead"),
        pytest.param(
            RECEIVED, MAX_AHEAD_MS, RECEIVED, Start(RECEIVED + MAX_AHEAD_MS, True), id="a-little-in-the-future"
        ),
        pytest.param(RECEIVED, MAX_AHEAD_MS + 1, RECEIVED, Start(RECEIVED, False), id="in-the-future"),
        pytest.param(
            RECEIVED - 2 * MINUTE,
            -120 * MINUTE,
            RECEIVED - MINUTE,
            Start(RECEIVED - MINUTE, True),
            id="of-a-cached-page",
        ),
        pytest.param(
            RECEIVED - 300 * MINUTE,
            -120 * MINUTE,
            RECEIVED - MINUTE,
            Start(RECEIVED - 299 * MINUTE, True),
            id="of-a-cached-page-after-hours-in-the-spool",
        ),
        pytest.param(
            RECEIVED + 118 * MINUTE,
            -120 * MINUTE,
            RECEIVED + 119 * MINUTE,
            Start(RECEIVED - 2 * MINUTE, True),
            id="really-two-hours-fast",
        ),
        pytest.param(
            RECEIVED - 302 * MINUTE,
            300 * MINUTE,
            RECEIVED - MINUTE,
            Start(RECEIVED - 2 * MINUTE, True),
            id="set-right-before-sealing",
        ),
        pytest.param(
            RECEIVED - 200 * MINUTE,
            -120 * MINUTE,
            RECEIVED - 190 * MINUTE,
            Start(RECEIVED - 320 * MINUTE, True),
            id="a-late-delivery-contradicts-nothing",
        ),
        pytest.param(-1, 0, RECEIVED, Start(RECEIVED, False), id="before-1970"),
        pytest.param(2**53 - 1, 2**53 - 1, RECEIVED, Start(RECEIVED, False), id="the-largest-integers"),
    ],
)
def test_corrected_start(started: int, offset: int | None, sealed: int, expected: Start) -> None:
    assert corrected_start(started, offset, sealed, RECEIVED) == expected
