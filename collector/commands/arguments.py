"""Arguments that several commands take, what they mean as values, and how a command speaks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from collector.facts.networks_file import NO_TABLE
from collector.influx import settings
from collector.instance import Options, Parts
from collector.judging.retention import DAYS, LEAST_DAYS
from collector.moments import moment_ms
from probe.failure import UserError


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument("--data", metavar="DIR", type=Path, required=required, help="the collector's directory")


def add_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--targets", metavar="FILE", type=Path, help="the targets file that probes are given (default: the one shipped)"
    )


def add_outside(parser: argparse.ArgumentParser) -> None:
    """What the collector knows of the world outside: whose a prefix is, and who is a control."""
    parser.add_argument(
        "--networks",
        metavar="FILE",
        type=Path,
        help="CSV prefix,asn,country,operator[,cgn], or an MMDB; else what `networks update` made",
    )
    parser.add_argument(
        "--control-key",
        metavar="KEY",
        action="append",
        default=[],
        help="trust this probe as a control (its public key)",
    )


def add_trust_clock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust-clock", action="store_true", help="trust this machine's clock again after it was ahead"
    )


def add_keep_bodies(parser: argparse.ArgumentParser) -> None:
    words = f"how long to keep what was received (default: {DAYS}; 0: for ever); conclusions stay"
    parser.add_argument("--keep-bodies", metavar="DAYS", type=_days, default=DAYS, help=words)


def _days(text: str) -> int:
    if text.isascii() and text.isdigit() and (int(text) >= LEAST_DAYS or int(text) == 0):
        return int(text)
    raise argparse.ArgumentTypeError(f"give a number of days, {LEAST_DAYS} or more, or 0 for ever, not {text!r}")


def moment(text: str) -> int:
    """A date, or a date and a time, in UTC: milliseconds since 1970."""
    try:
        return moment_ms(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"give a date such as 2016-02-20, or 2016-02-20T16:00, not {text!r}") from None


def host_and_port(text: str) -> tuple[str, int]:
    """The address to listen on. Raises UserError."""
    host, colon, port = text.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        raise UserError(f"--listen takes HOST:PORT, such as 127.0.0.1:8321, not {text!r}.")
    return host.strip("[]"), int(port)


def options(arguments: argparse.Namespace) -> Options:
    """The options of an instance; what a command does not take is not given."""
    return Options(
        data=arguments.data,
        networks=getattr(arguments, "networks", None),
        targets=getattr(arguments, "targets", None),
        control_keys=tuple(getattr(arguments, "control_key", ())),
        trusted_proxies=tuple(getattr(arguments, "trusted_proxy", ())),
        trust_clock=getattr(arguments, "trust_clock", False),
        keep_bodies=getattr(arguments, "keep_bodies", 0) or None,
        simulated=getattr(arguments, "simulated", False),
        influx=settings.server(arguments, os.environ) if "influx" in arguments else None,
    )


def tell_of_networks(parts: Parts, given: Options) -> None:
    """Says what to run where there is no table of networks."""
    if not parts.networks.is_there:
        say_aside(NO_TABLE.format(given.data))


def say(sentence: str) -> None:
    """A result, on stdout."""
    print(sentence, flush=True)


def say_aside(sentence: str) -> None:
    """How far it is, on stderr."""
    print(sentence, file=sys.stderr, flush=True)
