"""Settings of an InfluxDB: options, and environment for what a compose file sets. Tokens never stand
on a command line, where everybody on the machine can read them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from yarl import URL

from collector.influx.client import APIS, Server
from probe.codecs.text import utf8
from probe.failure import UserError

URL_VARIABLE, TOKEN_VARIABLE, ORG_VARIABLE = "RINGBACK_INFLUX_URL", "RINGBACK_INFLUX_TOKEN", "RINGBACK_INFLUX_ORG"
DATABASE = "ringback"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--influx", metavar="URL", help=f"the InfluxDB for Grafana (or in {URL_VARIABLE})")
    parser.add_argument(
        "--influx-token-file",
        metavar="FILE",
        type=Path,
        help=f"file with a token, for 1.x user:password; or in {TOKEN_VARIABLE}",
    )
    parser.add_argument("--influx-org", metavar="ORG", help=f"InfluxDB 2 only, or in {ORG_VARIABLE}")
    parser.add_argument("--influx-api", choices=tuple(APIS), default="v2", help="v2 for 1.8 and later, v1 for older")
    parser.add_argument(
        "--influx-database",
        metavar="NAME",
        default=DATABASE,
        help=f"database (default: {DATABASE}); totals go to NAME_rollup",
    )


def server(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Server | None:
    """The InfluxDB that was named; None where none was. Raises UserError."""
    url = arguments.influx or environment.get(URL_VARIABLE)
    if not url:
        return None
    if not _NAME.fullmatch(arguments.influx_database):
        raise UserError("--influx-database takes up to 60 letters, digits, _ and -.")
    return Server(
        url=_checked(url),
        api=arguments.influx_api,
        token=_token(arguments.influx_token_file, environment),
        org=arguments.influx_org or environment.get(ORG_VARIABLE, ""),
        database=arguments.influx_database,
    )


def _checked(text: str) -> str:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise UserError("--influx takes an address such as http://127.0.0.1:8086.")
    if url.user or url.password:
        raise UserError("--influx takes an address without a password: put user:password into --influx-token-file.")
    return str(url).rstrip("/")


def _token(path: Path | None, environment: Mapping[str, str]) -> str | None:
    token = environment.get(TOKEN_VARIABLE, "")
    if path is not None:
        token = read_secret(path, "--influx-token-file")
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise UserError("The token of InfluxDB is one line of plain characters; this one is not.")
    return token or None


def read_secret(path: Path, option: str) -> str:
    """The text of a file that an option names. Raises UserError."""
    try:
        text = utf8(path.read_bytes()).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The file of {option}, {path}, cannot be read: {error}.") from error
    if not text:
        raise UserError(f"The file of {option}, {path}, is empty.")
    return text
