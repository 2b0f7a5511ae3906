"""Episodes are read strictly: what is wrong is told with its line."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.replay import load, moment_ms, moments, packaged
from collector.replay.episode import Episode, parse
from probe import targets as targets_file
from probe.failure import UserError
from tests.collector.replay.stories import SMALL, small

DAY_MS = 24 * 3_600_000


def hit(episode: Episode, moment: str, target: str = "viber/call") -> set[str]:
    return {line.name for line in episode.lines if episode.technique(line, target, moment_ms(moment))}


def test_a_phase_hits_its_lines_in_its_time() -> None:
    episode = small()
    assert len(episode.lines) == 2 * 2 * 3 + 1
    assert hit(episode, "2016-01-15") == {"iam-4g-1", "iam-4g-2", "iam-4g-3"}
    assert hit(episode, "2016-01-10") == hit(episode, "2016-01-19T23:59") == hit(episode, "2016-01-15")
    assert hit(episode, "2016-01-09T23:59") == hit(episode, "2016-01-20") == set()
    assert hit(episode, "2016-01-15", "whatsapp/chat") == set()


def test_coverage_is_a_share_of_the_lines_and_venues_are_exempt() -> None:
    text = SMALL.replace("lines: 3\n", "lines: 10\n").replace("    technique", "    coverage: 30\n    technique")
    assert len(hit(small(text), "2016-01-15")) == 3
    wide = SMALL.replace("[iam]", "[iam, inwi]").replace("    accesses: [4g]", "    accesses: [4g, wifi]")
    assert "inwi-hotel-1" in hit(small(wide), "2016-01-15")
    assert "inwi-hotel-1" not in hit(small(wide + "    exempt: [hotel]\n"), "2016-01-15")


def test_of_two_phases_the_first_counts() -> None:
    again = SMALL.partition("phases:\n")[2].replace("mobile", "later").replace("silence", "reject")
    episode = small(SMALL + again)
    assert {episode.technique(line, "viber/call", moment_ms("2016-01-15")) for line in episode.lines} == {
        "silence",
        None,
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title:", "titel:", "no key `titel`; write `title`"),
        ("[iam]", "[iamm]", "`iamm` is no known operators; write `iam`"),
        ("technique: silence", "technique: silense", "write `silence`"),
        ("targets: [viber/call]", "targets: [vibre/call]", "write `viber/call`"),
        ("accesses: [4g]", "accesses: [4gg]", "`4gg` is no known accesses"),
        ('until: "2016-01-20T00:00"', 'until: "2016-01-01T00:00"', "`until` must be later than `since`"),
        ('since: "2016-01-10T00:00"', 'since: "10 January"', "must be a time such as"),
        ('since: "2016-01-10T00:00"', 'since: "2016-01-10T00:00+01:00"', "must be a time such as"),
        ("198.18.0.0/17", "198.18.0.0/30", "room for lines"),
        ("198.18.0.0/17", "198.18.0.1/17", "must be one such as"),
        ("lost: 5", "lost: 500", "whole number from 1 to 100"),
        (
            'stands: "2016-01-12T00:00"',
            'stands: "2016-03-01T00:00"',
            "`stands` must be later than `since`, and not later",
        ),
        (
            'stands: "2016-01-12T00:00"',
            'stands: "2016-01-01T00:00"',
            "`stands` must be later than `since`, and not later",
        ),
    ],
)
def test_a_slip_is_told_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(UserError) as told:
        small(SMALL.replace(old, new))
    assert f"small.yaml, line {SMALL[: SMALL.index(old)].count(chr(10)) + 1}:" in str(told.value)
    assert said in str(told.value)


@given(st.integers(0, len(SMALL) - 1), st.text(max_size=3), st.integers(0, 20))
def test_whatever_is_written_a_user_error_is_the_worst(at: int, text: str, drop: int) -> None:
    try:
        parse((SMALL[:at] + text + SMALL[at + drop :]).encode(errors="replace"), "x", "x.yaml")
    except UserError:
        return


def test_an_episode_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UserError, match="morocco-2016"):
        load("marocco-2016")


@pytest.mark.parametrize("name", packaged())
def test_what_is_shipped_can_be_told(name: str) -> None:
    """It measures targets that exist, every phase has a time in the episode, and no real network is touched."""
    episode = load(name)
    known = {target.id for target in targets_file.packaged().targets}
    assert set(episode.targets) <= known
    assert len(episode.controls) >= 2
    assert all(phase.words != phase.name and phase.source for phase in episode.phases)
    for phase in episode.phases:
        assert episode.since_ms <= phase.since_ms < phase.until_ms <= episode.until_ms
    benchmarks = ipaddress.ip_network("198.18.0.0/15")
    assert all(ipaddress.ip_address(line.address) in benchmarks for line in (*episode.controls, *episode.lines))
    prefixes = [place.prefix for place in episode.places()]
    assert not any(a.overlaps(b) for a in prefixes for b in prefixes if a is not b)  # type: ignore[arg-type]


@given(st.integers(1, 24 * 40), st.integers(0, 40), st.integers(0, 40))
def test_moments_are_hours_in_the_interval_in_order(every_h: int, first: int, last: int) -> None:
    episode = small()
    since, until = (episode.since_ms + day * DAY_MS for day in (first, last))
    found = moments(episode, every_h, since, until)
    assert found == sorted(set(found))
    assert all(each % 3_600_000 == 0 and since <= each < min(until, episode.until_ms) for each in found)
