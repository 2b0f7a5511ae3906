"""`--also`: addresses to dial besides those that DNS gives here, because a service failed another probe there.

A file of another `ringback check`, or a collector. Neither is believed further than it must be: dialled are only
public addresses, only at endpoints by name that this probe's own targets file has, by those endpoints' handshakes,
and only a few. So a list of somebody else's makes no probe knock on many doors, nor with anything but a greeting.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from probe.addresses import family_of, is_address
from probe.attempts import failing_addresses, is_at
from probe.codecs.text import utf8
from probe.failure import UserError
from probe.measuring.self_check import is_baseline
from probe.model import AlsoDial, Measurement, Targets
from probe.submit.fetch import fetch_lines, is_url
from probe.submit.signing import Authorize

PER_ENDPOINT = 4  # and family
PER_CYCLE = 64
FILE_BYTES = 20_000_000  # of a file or an answer

logger = logging.getLogger(__name__)


class Line(Struct):
    """What tells the lines apart."""

    type: str = ""
    address: str = ""


def read_files(sources: Sequence[str]) -> list[AlsoDial]:
    """What the files among these hold. Raises UserError."""
    return [dial for source in sources if not is_url(source) for dial in read_file(source)]


async def fetch_all(sources: Sequence[str], authorize: Authorize | None = None) -> list[AlsoDial]:
    """What the URLs among these hold; one that cannot be had is told and left out. `authorize` signs what it knows."""
    found: list[AlsoDial] = []
    for url in filter(is_url, sources):
        try:
            found += await fetch(url, authorize)
        except UserError as error:
            logger.warning("%s", error)
    return found


def chosen(dials: Iterable[AlsoDial], targets: Targets) -> tuple[AlsoDial, ...]:
    """Those to dial: the first 4 of each endpoint and family, 64 in all."""
    by_id = {target.id: target for target in targets.targets if not is_baseline(target)}
    taken: Counter[tuple[object, ...]] = Counter()
    kept = []
    for dial in dict.fromkeys(dials):
        target = by_id.get(dial.target)
        if target is None or is_address(dial.host) or not any(is_at(dial, each) for each in target.endpoints):
            continue  # what is given as an address is dialled anyway
        place = (dial.target, dial.host, dial.port, dial.transport, dial.handshake, family_of(dial.address))
        taken[place] += 1
        if taken[place] <= PER_ENDPOINT:
            kept.append(dial)
    return tuple(kept[:PER_CYCLE])


def read_file(path: str) -> list[AlsoDial]:
    """Where the measurements in a file failed, or the addresses that it lists. Raises UserError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise UserError(f"Cannot read the file {path} of --also: {error.strerror}.") from error
    if len(data) > FILE_BYTES:
        raise UserError(f"The file {path} of --also is larger than {FILE_BYTES} bytes: give the results of one check.")
    if not data.strip():
        raise UserError(f"The file {path} of --also is empty: make it with `ringback check --format json`.")
    return parse(utf8(data).splitlines(), path)


async def fetch(url: str, authorize: Authorize | None = None) -> list[AlsoDial]:
    """What a collector's probes found failing lately, as far as it shows that to who asks. Raises UserError."""
    lines = await fetch_lines(url, "/v1/addresses", {}, what="addresses", limit=FILE_BYTES, authorize=authorize)
    return parse(lines, url)


def parse(lines: Iterable[bytes], name: str) -> list[AlsoDial]:
    """Of the output of `ringback check --format json`, or of a collector's /v1/addresses. Raises UserError."""
    found: list[AlsoDial] = []
    for at, line in enumerate(lines, start=1):
        try:
            found += _parse_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"{name}, line {at}, is no line of another check or of addresses: {error}.") from error
    return found


def _parse_line(line: bytes) -> Sequence[AlsoDial]:
    kind = msgspec.json.decode(line, type=Line)
    if kind.type == "measurement":
        return failing_addresses(msgspec.json.decode(line, type=Measurement))
    if kind.type and not kind.address:  # a verdict, the summary
        return ()
    return [msgspec.json.decode(line, type=AlsoDial)]
