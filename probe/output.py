"""What `ringback check` and `run` print on stdout: a table for people, JSON lines for programs."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import msgspec
from msgspec import Struct

from probe.cycle import Cycle
from probe.explain import DEPTH_WORDS, STEP_WORDS, mechanism_words, state_words
from probe.judge.evidence import ADD_A_CONTROL
from probe.model import Json, Observation, State, Targets, Transport, Verdict, Void
from probe.summary import advice, summary

if TYPE_CHECKING:
    from rich.table import Table

NO_INTERNET = "this link has no internet: nothing can be concluded"
VOIDED = {
    Void.PORTAL: "a captive portal answers in place of the internet: nothing can be concluded",
    Void.VPN: "a VPN carries the traffic: nothing can be concluded about this line",
    Void.PROXY: "a proxy speaks for every server here: nothing can be concluded about this line",
    Void.STARVED: "this device was too busy, or asleep, to hear answers in time: nothing can be concluded",
    Void.CLOCK: "the clock was set while measuring, or the device slept: nothing can be concluded",
    Void.CHANGED: "the network changed while measuring: nothing can be concluded",
    Void.UNKNOWN: "the cycle is void: nothing can be concluded",
}
PIPED_WIDTH = 100
STYLES = {
    State.OK: "green",
    State.DEGRADED: "yellow",
    State.BLOCKED: "bold red",
    State.LIKELY_BLOCKED: "red",
    State.IMPAIRED: "magenta",
    State.DOWN: "blue",
    State.INSUFFICIENT: "dim",
}


class ByteUsage(Struct, frozen=True, kw_only=True):
    """Of the payload of UDP and TCP; the headers below come on top, some 40 bytes a packet."""

    times: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


def headline(cycle: Cycle) -> str:
    """What the self-check says of the whole cycle, in a sentence; "" when it stands."""
    if cycle.link.void is not None:
        return VOIDED[cycle.link.void]
    return "" if cycle.link.up else NO_INTERNET


def write_json(
    out: TextIO, cycle: Cycle, verdicts: Sequence[Verdict], latest: Sequence[Verdict], targets: Targets, software: str
) -> None:
    """One object a line: measurements as submitted, verdicts, one summary."""
    for measurement in cycle.measurements:
        _write(out, "measurement", measurement)
    for verdict in verdicts:
        _write(out, "verdict", verdict, provisional=True)
    summary = {
        "cycle": cycle.uid,
        "started_ms": cycle.started_ms,
        "clock_offset_ms": cycle.clock_offset_ms,
        "link": cycle.link,
        "conclusion": headline(cycle) or None,
        "states": dict(Counter(str(verdict.state) for verdict in latest)),
        "bytes": sum(each.bytes_sent + each.bytes_received for each in byte_usage(cycle).values()),
        "handshakes": byte_usage(cycle),
        "software": software,
        "targets": targets.digest,
    }
    _write(out, "summary", summary)
    out.flush()


def write_summary(out: TextIO, cycle: Cycle, latest: Sequence[Verdict]) -> None:
    """A few lines for people: what matters first, and what is the same for several said once."""
    width = shutil.get_terminal_size().columns if out.isatty() else PIPED_WIDTH
    for line in summary(headline(cycle), latest):
        out.write(textwrap.fill(line, width, subsequent_indent="    ", break_on_hyphens=False) + "\n")
    out.flush()


def write_table(out: TextIO, cycle: Cycle, latest: Sequence[Verdict], *, with_bytes: bool = False) -> None:
    """One row per target: service, role, state, what was seen in words, the failing step, the time.

    `with_bytes`: and one per handshake, what it took.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(file=out, highlight=False, markup=False, emoji=False, width=None if out.isatty() else 140)
    if headline(cycle):
        console.print(headline(cycle)[0].upper() + headline(cycle)[1:] + ".", style="bold")
    table = Table("service", "role", "state", "what was seen", "failed at", "time (UTC)", title="On this link")
    times = {measurement.uid: measurement.started_ms for measurement in cycle.measurements}
    for verdict in latest:
        service, _, role = verdict.target.partition("/")
        table.add_row(
            service,
            role,
            state_words(verdict),
            seen(verdict),
            STEP_WORDS[verdict.step] if verdict.step else "",
            datetime.fromtimestamp(times[verdict.uid] / 1000, UTC).strftime("%H:%M:%S"),
            style=STYLES.get(verdict.state, ""),
        )
    console.print(table)
    if with_bytes:
        console.print(_byte_table(cycle))
    if advice(latest):
        console.print(advice(latest))


def seen(verdict: Verdict) -> str:
    """The grade of a success, the depth of a call, the mechanism in words, or why nothing is concluded."""
    if verdict.state is State.OK:
        return f"answered (grade: {verdict.grade})"
    if verdict.depth is not None:
        return DEPTH_WORDS[verdict.depth]
    return mechanism_words(verdict.mechanism) or verdict.reason.partition(f"; {ADD_A_CONTROL}")[0]


def _write(out: TextIO, kind: str, value: object, **more: Json) -> None:
    fields = {"type": kind, **msgspec.to_builtins(value), **more}
    out.write(_encodable(msgspec.json.encode(fields).decode(), out) + "\n")


def _encodable(text: str, out: TextIO) -> str:
    """The same JSON; escaped where `out` has no character for it, since a near one would be another value."""
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(json.loads(text), separators=(",", ":"))
    return text


def byte_usage(cycle: Cycle) -> dict[str, ByteUsage]:
    """What each handshake over each transport took in the whole cycle; `dns` is the lookup of names as well."""
    totals: dict[str, ByteUsage] = {}
    for measurement in cycle.measurements:
        for resolution in measurement.resolutions:
            facts = resolution.observation.dns
            _add(totals, f"dns {facts.transport if facts else Transport.UDP}", (resolution.observation,))
        for attempt in measurement.attempts:
            if attempt.observations:
                _add(totals, f"{attempt.handshake} {attempt.transport}", attempt.observations)
    return dict(sorted(totals.items()))


def _add(totals: dict[str, ByteUsage], name: str, observations: Sequence[Observation]) -> None:
    before = totals.get(name, ByteUsage())
    totals[name] = ByteUsage(
        times=before.times + 1,
        bytes_sent=before.bytes_sent + sum(each.bytes_sent for each in observations),
        bytes_received=before.bytes_received + sum(each.bytes_received for each in observations),
    )


def _byte_table(cycle: Cycle) -> Table:
    from rich.table import Table

    rows = byte_usage(cycle)
    total = sum(each.bytes_sent + each.bytes_received for each in rows.values())
    title = f"{total / 1000:.1f} kB of payload in this cycle"
    table = Table("handshake", "times", "bytes sent", "bytes received", "each", title=title)
    for name, each in rows.items():
        mean = round((each.bytes_sent + each.bytes_received) / each.times)
        table.add_row(name, *map(str, (each.times, each.bytes_sent, each.bytes_received, mean)))
    return table
