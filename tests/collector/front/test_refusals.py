"""One way to say an error, and when to come back."""

from __future__ import annotations

import json

import pytest

from collector.front.refusals import refusal, retry_after_s


@pytest.mark.parametrize(("status", "later"), [(400, False), (403, False), (429, True), (503, True)])
def test_what_passes_says_when_to_come_back(status: int, later: bool) -> None:
    response = refusal(status, "word", "A sentence.", {"Allow": "GET"})
    assert (response.status, response.headers["Allow"]) == (status, "GET")
    assert json.loads(response.text or "") == {"error": "word", "message": "A sentence."}
    assert ("Retry-After" in response.headers) is later


def test_not_all_come_back_at_once() -> None:
    assert [retry_after_s(chance) for chance in (lambda: 0.0, lambda: 0.5, lambda: 0.999)] == [30, 60, 90]
    assert len({refusal(503, "busy", "Later.").headers["Retry-After"] for _ in range(100)}) > 10
