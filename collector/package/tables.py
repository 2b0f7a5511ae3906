"""The two tables of an export: their columns, with type and meaning, and their rows from the warehouse's.

A column is exported because it stands here; a new column of the warehouse is not, until somebody says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from collector.facts.pseudonyms import Pseudonyms
from collector.warehouse import privacy_floor
from collector.warehouse.tables import CellRow, VerdictRow
from probe.model import HOUR_MS, Json, State

STATES = tuple(state.value for state in State if state not in (State.MIXED, State.UNKNOWN))
COUNTS = ("lines", "counted", *STATES)
OF_OPERATORS = frozenset(
    {"counted", *STATES, "public_state", "public_mechanism", "public_depth", "established", "buckets"}
)


class Column(Struct, frozen=True):
    """A column of a table. `kind` is a type of Table Schema: string, integer, boolean, datetime, date."""

    name: str
    kind: str
    meaning: str


PLACE = (
    Column("target", "string", "what was measured, as service/role"),
    Column("service", "string", "the service, such as whatsapp"),
    Column("role", "string", "its part: chat, call, web or push"),
    Column("country", "string", "ISO 3166-1 alpha-2; ZZ when not known"),
    Column("asn", "integer", "number of the autonomous system; 0 when not known"),
    Column("operator", "string", "name of the network's operator"),
    Column("access", "string", "2g, 3g, 4g, 5g, wifi, adsl, vdsl, fibre, cable, satellite, ethernet or unknown"),
)
SIMULATED = Column("simulated", "boolean", "made by a simulation: says nothing about any real network")
CELLS = (
    Column("day", "date", "UTC day of the hour"),
    Column("hour", "datetime", "start of the hour, UTC"),
    *PLACE,
    Column("state", "string", "state of the cell: one of the states, mixed, or insufficient where lines do not agree"),
    Column("mechanism", "string", "how it was interfered with, where most lines agree; see the method"),
    Column("depth", "string", "relay_answers: of calls nothing is concluded but that the relays of most lines answer"),
    Column("lines", "integer", "lines that were measured; for the public, established ones"),
    Column("counted", "integer", "of these, voices by which something can be concluded, at most two of one source"),
    *(Column(state, "integer", f"lines whose latest verdict is {state}") for state in STATES),
    Column("public_state", "string", "the state by established lines, from three source buckets, without any one"),
    Column("public_mechanism", "string", "the mechanism by established lines"),
    Column("public_depth", "string", "the depth by established lines"),
    Column("established", "integer", "lines that were established"),
    Column("buckets", "integer", "source buckets that these came from"),
    SIMULATED,
)
VERDICTS = (
    Column("day", "date", "UTC day of the start"),
    Column("started", "datetime", "corrected start, UTC; of unknown clocks the time of receipt"),
    *PLACE,
    Column("line", "string", "pseudonym of the line: one probe on one network and access"),
    Column("uid", "string", "the measurement, 32 hex digits"),
    Column("cycle", "string", "the cycle that it was measured in, 32 hex digits"),
    Column("round", "integer", "1, or 2 for the second look at what was silent"),
    Column("declared", "string", "access as the volunteer said it"),
    Column("detected", "string", "access as the device showed it"),
    Column("behind", "string", "the line behind the WiFi or Ethernet, as the volunteer said"),
    Column("state", "string", "the verdict on this line at this time"),
    Column("mechanism", "string", "how it was interfered with; see the method"),
    Column("depth", "string", "of a call: how far the evidence reaches"),
    Column("grade", "string", "what a positive answer proves: transport, bound, marked or crypto"),
    Column("step", "string", "where it failed"),
    Column("rule", "string", "the rule that decided"),
    Column("rules_version", "integer", "of the rules"),
    Column("reason", "string", "the rule's sentence"),
    Column("software", "string", "the probe's"),
    Column("targets", "string", "SHA-256 of the targets file that was measured"),
    Column("is_control", "boolean", "measured by a control, outside the measured networks"),
    SIMULATED,
)
TABLES: Mapping[str, tuple[Column, ...]] = {"cells": CELLS, "verdicts": VERDICTS}
Row = dict[str, Json]


def columns(table: str, full: bool) -> tuple[Column, ...]:
    """The columns of a data set. Not in full, one count is left, as a band, which is text."""
    return tuple(
        Column(each.name, "string", f"{each.meaning}, as a band") if each.name in COUNTS and not full else each
        for each in TABLES[table]
        if full or each.name not in OF_OPERATORS
    )


def cell_row(cell: CellRow, full: bool) -> Row:
    """A cell's row; whether it may be shown at all, the privacy floor says."""
    shown = cell if full else privacy_floor.public(cell)
    special: Row = {state: cell.states.get(state, 0) for state in STATES} | _times(cell.hour * HOUR_MS, "hour")
    if not full:
        special["lines"] = privacy_floor.band(shown.lines)
    names = [each.name for each in columns("cells", full)]
    return {name: special[name] if name in special else getattr(shown, name) for name in names}


def verdict_row(verdict: VerdictRow, pseudonyms: Pseudonyms) -> Row:
    """A verdict's row, with the line's pseudonym for the probe's key."""
    line = pseudonyms.line(verdict.key, verdict.country, verdict.asn, verdict.access)
    special: Row = {"line": line, **_times(verdict.started_ms, "started")}
    return {each.name: special[each.name] if each.name in special else getattr(verdict, each.name) for each in VERDICTS}


def _times(moment_ms: int, name: str) -> Row:
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return {"day": f"{moment:%Y-%m-%d}", name: f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
