"""`ringback-collector`: its commands. A mistake of the user's is one sentence on stderr and exit code 2."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from collector import replay
from collector.commands import export as exporting
from collector.commands import local
from collector.echo import sip
from collector.front.access import TOKEN_FILE
from collector.influx import settings, setup, upkeep
from collector.influx.client import Misconfigured
from collector.instance import Options, address_of, listening, now_ms, open_socket, opened, require_log, signalled
from collector.judging.hours import Rules
from collector.package.source import Wanted
from collector.package.writing import FORMATS
from collector.replay import instance
from collector.warehouse.store import Warehouse
from probe.failure import UserError
from probe.judge.cells import access_of, cell
from probe.judge.verdict import RULES_VERSION, judge

RULES = Rules(judge=judge, cell=cell, access_of=access_of, version=RULES_VERSION)
LOCAL_PORT = 8321
DATA_HELP = "where everything is kept"
EXIT_USER_ERROR = 2


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    arguments, rest = _parser().parse_known_args(words)
    if rest and arguments.command != "local":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    level = logging.WARNING if arguments.command == "local" else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    command: Callable[[argparse.Namespace, list[str]], int] = COMMANDS[arguments.command]
    try:
        return command(arguments, rest)
    except UserError as error:
        print(error, file=sys.stderr)
        return EXIT_USER_ERROR


def serve(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Receive batches until Ctrl-C or SIGTERM."""

    async def until_signalled() -> None:
        with open_socket(*_host_and_port(arguments.listen)) as sock:
            async with listening(parts, options, sock), signalled() as stopped:
                print(f"Listening on {address_of(sock)}. Admin token: {options.data / TOKEN_FILE}", flush=True)
                await stopped.wait()

    options = _options(arguments)
    with opened(options, RULES) as parts:
        asyncio.run(until_signalled())
    return 0


def rebuild(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Judge the whole log again, into a new warehouse that takes the place of the old one."""
    require_log(arguments.data)
    with opened(_options(arguments), RULES) as parts:
        parts.projector.rebuild()
        print(f"Judged again, up to batch {parts.warehouse.cursor()}.")
    return 0


def local_(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Measure one's own line and look at the result, all on this machine."""
    options = _options(arguments)
    run = local.Local(options=options, once=arguments.once, port=arguments.port, probe=tuple(rest))
    with opened(options, RULES) as parts:
        return asyncio.run(local.run(run, parts, _say))


def replay_(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Play a simulated episode, such as morocco-2016, through a collector: everything it sends is marked simulated."""
    episode = replay.load(arguments.episode)
    secret = instance.prepare(arguments.data, episode)
    when = replay.moments(episode, arguments.every, arguments.since, arguments.until)
    if arguments.prepare or not when:
        print(instance.serve_words(arguments.data, episode, secret) if when else "Nothing is told in this interval.")
        return 0
    pace = replay.Pace(speed=arguments.speed)
    if arguments.collector is not None:
        played = asyncio.run(instance.send(episode, when, arguments.collector, secret, pace))
        print(f"{played.measurements} simulated measurements sent: {episode.title}.")
        return 0
    clock = instance.StoryClock(when[0])
    options = instance.options_for(_options(arguments), episode, secret)
    with opened(options, RULES, clock.now_ms) as parts:
        told = instance.Telling(episode=episode, when=when, secret=secret, pace=pace, port=arguments.port)
        asyncio.run(instance.run(told, parts, options, clock, _say))
    return 0


def export_(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Write what was measured as a data package: OONI's format, Parquet, CSV or JSON Lines.

    Without --admin-token it is what everybody may see: cells that pass the privacy floor, with counts in bands.
    """
    token = None if arguments.admin_token is None else exporting.read_token(arguments.admin_token)
    order = exporting.Order(
        out=arguments.out,
        format=arguments.format,
        wanted=_wanted(arguments, full=token is not None),
        publisher=arguments.publisher,
        now_ms=now_ms(),
    )
    asyncio.run(exporting.export_from(order, arguments.data, arguments.collector, token, RULES, _say_aside))
    return 0


def influx_(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Care for an InfluxDB: make its databases (setup), see whether it takes points (check), have all that --data
    holds written again (refill), list the points that it refused (refused).
    """
    if arguments.action in ("refill", "refused"):
        if arguments.data is None:
            raise UserError(f"`influx {arguments.action}` needs --data, of a collector that does not run.")
        require_log(arguments.data)
        with opened(_options(arguments), RULES) as parts:
            for sentence in KEPT_FOR_INFLUX[arguments.action](parts.warehouse):
                print(sentence)
        return 0
    server = settings.server(arguments, os.environ)
    if server is None:
        raise UserError(f"Say which InfluxDB: --influx URL, or {settings.URL_VARIABLE}.")
    try:
        doing = setup.setup(server, arguments.raw_days) if arguments.action == "setup" else setup.check(server)
        for sentence in asyncio.run(doing):
            print(sentence)
    except Misconfigured as error:
        raise UserError(str(error)) from error
    return 0


def sip_echo_(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Answer SIP with what reached us, byte for byte, for the probes' handshake sip-echo: over UDP and TCP."""

    async def until_signalled() -> None:
        async with sip.listening(*_host_and_port(arguments.listen)) as address, signalled() as stopped:
            print(f"Answering SIP on {address}, over UDP and TCP.", flush=True)
            await stopped.wait()

    asyncio.run(until_signalled())
    return 0


KEPT_FOR_INFLUX: dict[str, Callable[[Warehouse], list[str]]] = {"refill": upkeep.refill, "refused": upkeep.refused}
COMMANDS = {
    "serve": serve,
    "rebuild": rebuild,
    "local": local_,
    "replay": replay_,
    "export": export_,
    "influx": influx_,
    "sip-echo": sip_echo_,
}


def _wanted(arguments: argparse.Namespace, *, full: bool) -> Wanted:
    """Raises UserError."""
    country, until_ms = arguments.country, arguments.until or now_ms() + 1
    if country is not None and not (
        len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()
    ):
        raise UserError(f"--country takes two capital letters, such as MA, not {country!r}.")
    if arguments.since >= until_ms:
        raise UserError(f"{'--until' if arguments.until else 'Now'} must be later than --since.")
    return Wanted(
        since_ms=arguments.since, until_ms=until_ms, country=country, simulated=arguments.simulated, full=full
    )


def _say_aside(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ringback-collector", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {
        name: commands.add_parser(name, help=command.__doc__, description=command.__doc__, allow_abbrev=False)
        for name, command in COMMANDS.items()
    }
    for name in ("serve", "local", "replay", "influx"):
        settings.add_arguments(parsers[name])
    parsers["influx"].add_argument("action", choices=("setup", "check", *KEPT_FOR_INFLUX))
    parsers["influx"].add_argument(
        "--raw-days", metavar="DAYS", type=_days, default=setup.RAW_DAYS, help="how long single verdicts are kept (90)"
    )
    parsers["sip-echo"].add_argument("--listen", metavar="HOST:PORT", default="0.0.0.0:5060")
    for name, one in parsers.items():
        if name == "sip-echo":  # which keeps nothing
            continue
        optional = name in ("export", "influx")
        one.add_argument("--data", metavar="DIR", type=Path, required=not optional, help=DATA_HELP)
        if name not in ("export", "influx"):  # which read what is judged already
            one.add_argument("--targets", metavar="FILE", type=Path, help="what probes are told to measure")
        if name not in ("export", "replay", "influx"):  # a replay's networks and controls are the episode's
            _add_outside(one)
    parsers["serve"].add_argument("--listen", metavar="HOST:PORT", required=True)
    parsers["serve"].add_argument(
        "--trusted-proxy", metavar="CIDR", action="append", default=[], help="believe X-Forwarded-For of these"
    )
    parsers["local"].add_argument("--once", action="store_true", help="measure once, write the page, and end")
    parsers["local"].add_argument("--port", type=int, default=LOCAL_PORT, help=f"{LOCAL_PORT}, or the next free one")
    parsers["local"].epilog = "Other options are the probe's: see `ringback run --help`."
    _add_replay(parsers["replay"])
    _add_export(parsers["export"])
    return parser


def _add_outside(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--networks", metavar="FILE", type=Path, help="CSV prefix,asn,country,operator, or an MMDB")
    parser.add_argument("--control-key", metavar="KEY", action="append", default=[], help="public key of a control")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("episode", metavar="EPISODE", help=f"{', '.join(replay.packaged())}, or a YAML file")
    parser.add_argument("--collector", metavar="URL", help="one that --prepare told how to start; else one of its own")
    parser.add_argument("--prepare", action="store_true", help="only say how to start a collector for --collector")
    parser.add_argument("--port", type=int, help="keep the page of its own collector on 127.0.0.1:PORT until Ctrl-C")
    parser.add_argument("--every", metavar="HOURS", type=_hours, default=24, help="how often lines measure (24)")
    parser.add_argument("--since", metavar="DATE", type=_moment, help="of the episode, such as 2016-02-20")
    parser.add_argument("--until", metavar="DATE", type=_moment)
    parser.add_argument(
        "--speed", metavar="X", type=_speed, help="seconds of the story in one; else as fast as it goes"
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=tuple(FORMATS), required=True)
    parser.add_argument("--since", metavar="DATE", type=_moment, required=True, help="such as 2026-02-26, UTC")
    parser.add_argument("--until", metavar="DATE", type=_moment, help="not included; now")
    parser.add_argument("--country", metavar="CC", help="such as MA; all of them")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="to be made")
    parser.add_argument("--collector", metavar="URL", help="from the one that runs there, instead of --data")
    parser.add_argument("--admin-token", metavar="FILE", type=Path, help="single lines and exact counts too")
    parser.add_argument("--simulated", action="store_true", help="what was simulated, instead of what was measured")
    parser.add_argument("--publisher", metavar="NAME", default="Ringback", help="whom to cite")


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 7 <= int(text) <= 36_500):
        raise argparse.ArgumentTypeError(f"give a whole number of days from 7 on, not {text!r}")
    return int(text)


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


def _moment(text: str) -> int:
    try:
        return replay.moment_ms(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"give a date such as 2016-02-20, or 2016-02-20T16:00, not {text!r}") from None


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        data=arguments.data,
        networks=getattr(arguments, "networks", None),
        targets=getattr(arguments, "targets", None),
        control_keys=tuple(getattr(arguments, "control_key", ())),
        trusted_proxies=tuple(getattr(arguments, "trusted_proxy", ())),
        influx=settings.server(arguments, os.environ) if "influx" in arguments else None,
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        raise UserError(f"--listen takes HOST:PORT, such as 127.0.0.1:8321, not {text!r}.")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    sys.exit(main())
