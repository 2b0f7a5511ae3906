"""`ringback-collector replay`: a simulated episode, played through a collector."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from collector import replay
from collector.commands.arguments import add_data, add_targets, moment, options, say
from collector.influx import settings
from collector.instance import opened
from collector.judging.rules import RULES
from collector.replay import instance, story


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_arguments(parser)
    add_data(parser)
    add_targets(parser)
    parser.add_argument("episode", metavar="EPISODE", help=f"{', '.join(replay.packaged())}, or a YAML file")
    parser.add_argument("--collector", metavar="URL", help="a collector started as --prepare says (default: its own)")
    parser.add_argument("--prepare", action="store_true", help="only print how to start a collector for --collector")
    parser.add_argument("--port", type=int, help="keep the page of its own collector on 127.0.0.1:PORT until Ctrl-C")
    parser.add_argument(
        "--every", metavar="HOURS", type=_hours, default=24, help="how often lines measure (default 24)"
    )
    parser.add_argument(
        "--since", metavar="DATE", type=moment, help="start, such as 2016-02-20 (default: where the episode begins)"
    )
    parser.add_argument(
        "--until", metavar="DATE", type=moment, help="end, exclusive (default: the moment that the episode names)"
    )
    parser.add_argument(
        "--speed", metavar="X", type=_speed, help="seconds of the story per second (default: as fast as it goes)"
    )


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Play a simulated episode, such as morocco-2016, through a collector: everything it sends is marked simulated."""
    episode = replay.load(arguments.episode)
    secret = instance.prepare(arguments.data, episode)
    until_ms = arguments.until or episode.stands_ms
    when = replay.moments(episode, arguments.every, arguments.since, until_ms)
    if arguments.prepare or not when:
        say(
            instance.serve_words(arguments.data, episode, secret)
            if when
            else "The episode has nothing in this interval."
        )
        return 0
    playback = instance.Playback(
        episode=episode,
        when=when,
        secret=secret,
        pace=replay.Pace(speed=arguments.speed),
        port=arguments.port,
        until_ms=until_ms,
    )
    if arguments.collector is None:
        _into_its_own(playback, arguments)
    else:
        played = asyncio.run(instance.send(episode, when, arguments.collector, secret, playback.pace))
        say(f"{played.measurements} simulated measurements sent: {episode.title}.")
    return 0


def _into_its_own(playback: instance.Playback, arguments: argparse.Namespace) -> None:
    clock = instance.StoryClock(playback.when[0])
    given = instance.options_for(options(arguments), playback.episode, playback.secret)
    with opened(given, RULES, clock.now_ms, tuple(story.events(playback.episode)), apart=True) as parts:
        asyncio.run(instance.run(playback, parts, given, clock, say))


def _hours(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 24 * 366):
        raise argparse.ArgumentTypeError(f"give a whole number of hours, not {text!r}")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"give a number above 0, such as 86400 for a day in a second, not {text!r}")
    return speed
