"""What `serve` is told on its command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.commands import grammar
from collector.commands.arguments import options
from collector.replay.instance import serve_words
from tests.collector.replay.stories import small


@pytest.mark.parametrize("words", [[], ["--simulated"]])
def test_only_who_says_so_gets_a_collector_of_what_is_simulated(words: list[str]) -> None:
    given, _ = grammar().parse_known_args(["serve", "--data", "x", "--listen", "127.0.0.1:0", *words])
    assert options(given).simulated is bool(words)


def test_what_a_replay_says_starts_a_collector_that_takes_it() -> None:
    """With its controls and networks."""
    program, *words = serve_words(Path("sim"), small(), b"s" * 32).split()
    given, rest = grammar().parse_known_args(words)
    assert (program, given.command, rest) == ("ringback-collector", "serve", [])
    assert options(given).simulated
    assert len(options(given).control_keys) == len(small().controls)
    assert options(given).networks == Path("sim/networks.csv")
