"""The command line of the probe: `ringback check|run|identity|trust|doctor|resend|targets`.

Results go to stdout, progress and logs to stderr. Exit 0 when it ran, 2 for bad usage or files.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from probe import __version__, durable
from probe.addresses import is_address
from probe.codecs.text import speak_plainly
from probe.failure import UserError
from probe.measuring.byte_budget import CYCLE_BYTES
from probe.measuring.session import Settings
from probe.model import Access, Resolver, Targets
from probe.net.vantage import LinkResolver, describe_resolver
from probe.submit.pins import Collector, parse_collector
from probe.targets import COLUMNS, describe, load, packaged, table

if TYPE_CHECKING:
    from probe import daemon

ACCESSES = [access.value for access in Access if access is not Access.UNKNOWN]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    speak_plainly(sys.stdout, sys.stderr)
    options = parser().parse_args(arguments)
    level = logging.DEBUG if options.verbose else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(message)s")
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        with durable.for_the_owner_alone():
            return command(options)
    except UserError as error:
        print(f"ringback: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our results has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes
        return 141


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = argparse.ArgumentParser(prog="ringback", description="Do internet calls get through on this network?")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="measure once, print the verdicts")
    _add_measuring(check)
    check.set_defaults(command=_check)
    run = commands.add_parser("run", help="measure on schedule until stopped")
    _add_measuring(run)
    run.add_argument(
        "--interval", type=_positive, default=30.0, metavar="MINUTES", help="minutes between cycles (default 30)"
    )
    run.set_defaults(command=_run)
    identity = commands.add_parser("identity", help="print the public key with which a control signs (--one-key)")
    _add_common(identity)
    identity.set_defaults(command=_identity)
    _add_keeping(commands)
    _add_targets(commands.add_parser("targets", help="list or validate the targets"))
    return top


def _add_keeping(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands about what is kept for a collector, and for whom."""
    trust = commands.add_parser("trust", help="accept another key of a collector from now on")
    _add_common(trust)
    trust.add_argument("url", type=_collector, metavar="URL")
    trust.add_argument("key", metavar="KEY", help="64 hex digits, as the collector's operator says")
    trust.set_defaults(command=_trust)
    doctor = commands.add_parser(
        "doctor", help="say what is unsent, and whether each collector still has the known key"
    )
    _add_common(doctor)
    doctor.set_defaults(command=_doctor)
    resend = commands.add_parser("resend", help="send the last week's batches again, to a collector that lost them")
    _add_common(resend)
    resend.set_defaults(command=_resend)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data-dir",
        type=Path,
        default=default_data_dir(),
        metavar="DIR",
        help="where the key and unsent results are kept (default %(default)s)",
    )
    command.add_argument("-v", "--verbose", action="store_true", help="print every check, and log what is done")


def _add_measuring(command: argparse.ArgumentParser) -> None:
    _add_common(command)
    command.add_argument("--targets", type=Path, metavar="FILE", help="what to measure (default: the file shipped)")
    command.add_argument(
        "--services",
        type=_words,
        default=(),
        metavar="NAME,…",
        help="measure these only, or `all` (default: all but those on request, see `ringback targets list`)",
    )
    command.add_argument(
        "--max-bytes",
        type=_whole,
        metavar="N",
        help=f"limit on payload bytes per cycle; 0 means none (default: {CYCLE_BYTES} without --services)",
    )
    _add_sending(command)
    command.add_argument(
        "--control", action="append", default=[], metavar="FILE|URL", help="results from elsewhere to compare with"
    )
    command.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="FILE|URL",
        help="also dial the addresses at which another check (FILE) or a collector's probes (URL) failed",
    )
    command.add_argument("--format", choices=("text", "table", "json"), default="text", help="format of the results")
    _add_line(command)
    command.add_argument(
        "--timeout-scale", type=_positive, default=1.0, metavar="X", help="multiply every timeout by X"
    )
    command.add_argument("--seed", type=int, metavar="N", help="make order and transaction ids reproducible")


def _add_sending(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--collector",
        type=_collector,
        metavar="URL",
        help="where to send results: https://…, or ringback:KEY@HOST",
    )
    command.add_argument("--no-upload", action="store_true", help="keep results in the data directory")
    command.add_argument(
        "--one-key",
        action="store_true",
        help="for a control: sign with the key that `ringback identity` prints, on every network",
    )


def _add_line(command: argparse.ArgumentParser) -> None:
    """What is said of the line, and whom it asks and trusts."""
    command.add_argument(
        "--resolver",
        action="append",
        default=[],
        metavar="IP[:PORT]",
        help="ask this resolver instead of those in resolv.conf",
    )
    command.add_argument("--ca-file", metavar="FILE", help="trust these certificate authorities too (PEM)")
    command.add_argument(
        "--access",
        choices=ACCESSES,
        default="unknown",
        metavar="KIND",
        help=f"the line's access: {', '.join(ACCESSES)}",
    )
    command.add_argument(
        "--behind",
        choices=ACCESSES,
        default="unknown",
        metavar="KIND",
        help="the line behind the WiFi or Ethernet: adsl, fibre, 4g …",
    )


def _add_targets(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="what is measured, how, and since when that is known")
    listing.add_argument("--targets", type=Path, metavar="FILE")
    listing.set_defaults(command=_list_targets, verbose=False)
    validate = actions.add_parser("validate", help="check a targets file")
    validate.add_argument("file", type=Path, nargs="?", metavar="FILE")
    validate.set_defaults(command=_validate_targets, verbose=False)


def default_data_dir() -> Path:
    """XDG's place for state."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "ringback"


def _check(arguments: argparse.Namespace) -> int:
    from probe import daemon

    return _until_stopped(daemon.check(_options(arguments, interval_s=0.0)), stopped=130)


def _run(arguments: argparse.Namespace) -> int:
    from probe import daemon

    return _until_stopped(daemon.run(_options(arguments, interval_s=arguments.interval * 60)), stopped=0)


def _until_stopped(work: Coroutine[None, None, None], stopped: int) -> int:
    """Runs it; SIGINT and SIGTERM cancel it, and then the exit code is `stopped`."""

    async def supervised() -> int:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return stopped
        return 0

    return asyncio.run(supervised())


def _options(arguments: argparse.Namespace, interval_s: float) -> daemon.Options:
    from probe import daemon

    targets = _targets(arguments.targets)
    seeded = random.SystemRandom() if arguments.seed is None else random.Random(arguments.seed)
    return daemon.Options(
        targets=targets,
        follow=arguments.targets is None,
        ca_file=arguments.ca_file,
        settings=Settings(
            declared=Access(arguments.access),
            behind=Access(arguments.behind),
            max_bytes=_limit(arguments),
            resolvers=tuple(parse_resolver(text, targets.resolvers) for text in arguments.resolver),
        ),
        data_dir=arguments.data_dir,
        collector=arguments.collector,
        upload=not arguments.no_upload,
        one_key=arguments.one_key,
        controls=tuple(arguments.control),
        also=tuple(arguments.also),
        format=arguments.format,
        verbose=arguments.verbose,
        services=arguments.services,
        scale=arguments.timeout_scale,
        interval_s=interval_s,
        random_bytes=seeded.randbytes,
        secret_bytes=secrets.token_bytes,
    )


def _identity(arguments: argparse.Namespace) -> int:
    from probe.submit.identity import load_or_create

    print(load_or_create(arguments.data_dir, secrets.token_bytes).fixed.key)
    return 0


def _trust(arguments: argparse.Namespace) -> int:
    from probe.submit.doctor import trust

    trust(arguments.data_dir, arguments.url, arguments.key)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from probe.submit.doctor import examine

    for line in asyncio.run(examine(arguments.data_dir)):
        print(line)
    return 0


def _resend(arguments: argparse.Namespace) -> int:
    from probe.submit.doctor import resend

    print(f"{resend(arguments.data_dir)} batches wait to be sent again.")
    return 0


def _list_targets(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    listing = Table()
    for column in COLUMNS:
        listing.add_column(column, overflow="fold")
    for row in table(_targets(arguments.targets)):
        listing.add_row(*row)
    Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 200).print(listing)
    return 0


def _validate_targets(arguments: argparse.Namespace) -> int:
    print(describe(_targets(arguments.file)))
    return 0


def _targets(path: Path | None) -> Targets:
    return packaged() if path is None else load(path)


def parse_resolver(text: str, known: Sequence[Resolver]) -> LinkResolver:
    """`1.2.3.4`, `1.2.3.4:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. Raises UserError."""
    host, _, port = text.rpartition(":") if text.count(":") == 1 or text.startswith("[") else (text, "", "53")
    address = host.strip("[]")
    if text.endswith("]"):
        address, port = text.strip("[]"), "53"
    if not is_address(address) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"--resolver {text} is not IP or IP:PORT; give for example 9.9.9.9 or [2620:fe::fe]:53.")
    return describe_resolver(address, int(port), known)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return value


def _limit(arguments: argparse.Namespace) -> int | None:
    """A volunteer's data plan is spared unless somebody chose what to measure."""
    if arguments.max_bytes is None:
        return None if arguments.services else CYCLE_BYTES
    return arguments.max_bytes or None


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"give a whole number, 0 or more, not {text!r}")
    return int(text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _collector(text: str) -> Collector:
    try:
        return parse_collector(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
