"""Progress: a line that is written again on a terminal, few lines in a file or in a log of CI."""

from __future__ import annotations

import io

from tests.lab import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line() -> None:
    out = Terminal()
    tell = progress.told_on(out)
    for done in (1, 2, 3):
        tell(done, 3)
    assert out.getvalue() == "\r1/3 runs \r2/3 runs \r3/3 runs \n"


def test_a_file_gets_lines_some_seconds_apart_and_the_last() -> None:
    out, now = io.StringIO(), [100.0]
    tell = progress.told_on(out, lambda: now[0])
    for done in range(1, 101):
        now[0] += 0.5
        tell(done, 100)
    told = [line.partition(" runs after ") for line in out.getvalue().splitlines()]
    assert [(done, after) for done, _, after in told] == [
        ("1/100", "0 s"),
        ("31/100", "16 s"),
        ("61/100", "30 s"),
        ("91/100", "46 s"),
        ("100/100", "50 s"),
    ]
