"""What a story says before it begins, and what it leaves on the charts: each phase with who told of it."""

from __future__ import annotations

from collector.influx.events import told_lines
from collector.replay import load, moment_ms, story
from tests.collector.replay.stories import small


def test_it_begins_with_what_it_will_show() -> None:
    episode = small()
    assert list(story.begins(episode, episode.since_ms, episode.stands_ms)) == [
        "A small ban. Everything in it is simulated: it says nothing about any real network.",
        "  2016-01-10 to 2016-01-20  Calls of Viber stop on 4G",
        "It ends on 2016-01-12; --until 2016-02-01 goes on to the end of the story.",
    ]


def test_only_phases_that_are_told_are_announced() -> None:
    episode = small()
    later, ended = moment_ms("2016-01-05"), moment_ms("2016-01-20")
    assert len(list(story.begins(episode, episode.since_ms, later))) == 2
    assert len(list(story.begins(episode, episode.since_ms, episode.until_ms))) == 2
    assert len(list(story.begins(episode, ended - 1, episode.until_ms))) == 2
    assert len(list(story.begins(episode, ended, episode.until_ms))) == 1


def test_the_shipped_ban_stands_in_the_ban() -> None:
    episode = load("morocco-2016")
    line = next(line for line in episode.lines if line.access == "adsl")
    assert episode.technique(line, "viber/call", episode.stands_ms - 1) is not None
    assert episode.stands_ms < episode.until_ms


def test_each_phase_is_an_event_at_its_beginning_and_its_end() -> None:
    began, ended = told_lines(story.events(small()))
    assert began.startswith("event,country=MA,kind=episode title=")
    assert "Calls of Viber stop on 4G (begins)" in began
    assert "Calls of Viber stop on 4G (ends)" in ended
    assert 'text="Simulated. Source: nobody, it is a test."' in began
    assert "simulated=1i" in began
    assert int(began.rpartition(" ")[2]) // 1_000_000 == moment_ms("2016-01-10")
    assert int(ended.rpartition(" ")[2]) // 1_000_000 == moment_ms("2016-01-20")


def test_all_events_of_an_episode_are_told_apart() -> None:
    lines = list(told_lines(story.events(load("morocco-2016"))))
    assert len({line.rpartition(" ")[2] for line in lines}) == len(lines) == 14
