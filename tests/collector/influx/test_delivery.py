"""Of a batch that is rejected all is written that can be, in its order, and the rest is named with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.influx.client import Rejected, Unavailable
from collector.influx.delivery import deliver


class Picky:
    """Rejects whatever has a line that begins with `bad`."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.requests = 0

    def write(self, lines: Sequence[str]) -> None:
        self.requests += 1
        for line in lines:
            if line.startswith("bad"):
                raise Rejected(400, f"do not want {line}")
        self.kept += lines


@given(st.lists(st.booleans(), max_size=60))
def test_what_is_good_is_written_and_what_is_bad_is_named(good: list[bool]) -> None:
    lines = [f"{'good' if one else 'bad'}{number}" for number, one in enumerate(good)]
    server = Picky()
    delivered = deliver(server.write, lines)
    bad = [line for line in lines if line.startswith("bad")]
    assert server.kept == [line for line in lines if line.startswith("good")]
    assert [(one.line, one.status, one.reason) for one in delivered.refused] == [
        (line, 400, f"do not want {line}") for line in bad
    ]
    assert delivered.written == len(lines) - len(bad)


def test_one_bad_line_costs_few_requests() -> None:
    server = Picky()
    delivered = deliver(server.write, [f"good{n}" for n in range(4999)] + ["bad"])
    assert len(server.kept) == 4999
    assert [one.line for one in delivered.refused] == ["bad"]
    assert server.requests <= 27


def test_a_server_that_wants_nothing_is_not_asked_for_ever() -> None:
    server = Picky()
    delivered = deliver(server.write, [f"bad{n}" for n in range(5000)], most=100)
    assert server.requests < 130
    assert len(delivered.refused) == 5000


def test_what_may_pass_is_not_for_here() -> None:
    def write(lines: Sequence[str]) -> None:
        raise Unavailable("no")

    with pytest.raises(Unavailable):
        deliver(write, ["a"])
    assert deliver(write, []).written == 0
