"""A small world in InfluxDB whose answers can be counted by hand: four hours of one day, two countries.

Morocco, hours 0 to 3 (hour 1 is without data everywhere), Maroc Telecom:
    3g    whatsapp call  hour 0 blocked (4 of 5 lines, 1 insufficient), hour 2 ok (5), hour 3 emptied
    3g    whatsapp chat  hours 0 and 2 ok (4)
    adsl  whatsapp call  hour 0 insufficient (2 lines, whose relays answer), hour 2 mixed (2 ok, 2
                         blocked, 1 whom a relay answers)
    3g    baseline dns   hour 0 ok (5)
and an operator with a name that tries everything, 4g viber call, hour 0 degraded (3).
France, Orange, fibre, whatsapp call: hour 0 ok (6), simulated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from collector.influx import schema
from collector.influx.line import Value, line
from tests.grafana.asking import Stores

T0_MS = 1_451_952_000_000  # 5 January 2016, 00:00 UTC
HOUR_MS = 3_600_000
STRANGE = '2degrees (NZ) O\'Brien/Télé|"a.b*c" $x, y=z'
TELECOM = {"country": "MA", "asn": "36903", "operator": "Maroc Telecom"}
OTHER = {"country": "MA", "asn": "64500", "operator": STRANGE}
ORANGE = {"country": "FR", "asn": "3215", "operator": "Orange"}
STATES = [state.value for state in schema.STATES]
INTERFERED = ("blocked", "likely_blocked", "degraded", "mixed")
FLOWS: Mapping[str, Value] = {
    "flows": 4, "loss": 0.2, "twin_loss": 0.01, "jitter_ms": 30.0, "twin_jitter_ms": 8.0, "mos": 2.5
}  # fmt: skip


def fill(stores: Stores) -> None:
    """Makes both databases and writes the world into them."""
    for database in (stores.raw, stores.rollup):
        stores.server.create(database)
    stores.server.write(stores.raw, "\n".join([*verdicts(), *collector()]))
    stores.server.write(
        stores.rollup, "\n".join([*cells(), *countries(), *steps(), *coverage(), *controls(), *events()])
    )


def at(hour: int) -> int:
    return (T0_MS + hour * HOUR_MS) * 1_000_000


def lines_by(**states: int) -> dict[str, Value]:
    """The counters of a point, from the lines in each state that has any."""
    total = sum(states.values())
    return {"lines": total, "measurements": 2 * total, "controls": 2, **dict.fromkeys(STATES, 0), **states}


def cell(state: str, mechanism: str = "", simulated: int = 0, **states: int) -> dict[str, Value]:
    counters = lines_by(**states)
    judged = state not in ("insufficient", "none")
    return {
        **counters,
        "state": state,
        "look": state,
        "mechanism": mechanism,
        "answered": 0,
        "judged": int(judged),
        "interfered": int(state in INTERFERED),
        "simulated": simulated,
        "flows": 0,
    }


def placed(place: Mapping[str, str], access: str, target: str) -> dict[str, str]:
    service, _, role = target.partition("/")
    return {**place, "access": access, "service": service, "role": role}


def cells() -> Iterator[str]:
    mobile = placed(TELECOM, "3g", "whatsapp/call")
    chat = placed(TELECOM, "3g", "whatsapp/chat")
    fixed = placed(TELECOM, "adsl", "whatsapp/call")
    neutral = placed(TELECOM, "3g", "baseline/dns")
    strange = placed(OTHER, "4g", "viber/call")
    abroad = placed(ORANGE, "fibre", "whatsapp/call")
    small = placed({**TELECOM, "asn": "0", "operator": "other"}, "adsl", "whatsapp/call")  # networks, for strangers
    blocked = cell("blocked", "udp.port.drop", blocked=4, insufficient=1)
    mixed = {**cell("mixed", "", ok=2, blocked=2, insufficient=1), "answered": 1}
    hourly = [
        (mobile, 0, {**blocked, **FLOWS, **told("likely_blocked")}),
        (mobile, 2, {**cell("ok", ok=5), **told("none")}),
        (small, 0, {**cell("none"), **told("blocked")}),
        (small, 3, {**cell("none"), **told("ok")}),
        (mobile, 3, cell("none")),
        (chat, 0, cell("ok", ok=4)),
        (chat, 2, cell("ok", ok=4)),
        (fixed, 0, {**cell("insufficient", insufficient=2), "look": "relay_answers"}),
        (fixed, 2, mixed),
        (neutral, 0, cell("ok", ok=5)),
        (strange, 0, cell("degraded", "forced_fallback", degraded=3)),
        (abroad, 0, cell("ok", simulated=6, ok=6)),
    ]
    daily = [
        (mobile, cell("ok", ok=5)),
        (chat, cell("ok", ok=4)),
        (fixed, mixed),
        (neutral, cell("ok", ok=5)),
        (strange, cell("degraded", "forced_fallback", degraded=3)),
        (abroad, cell("ok", simulated=6, ok=6)),
    ]
    yield from (line(schema.CELL_1H, tags, fields, at(hour)) for tags, hour, fields in hourly)
    yield from (line(schema.CELL_1D, tags, fields, at(0)) for tags, fields in daily)


def told(state: str) -> dict[str, Value]:
    """What strangers are told of a cell."""
    look: dict[str, Value] = {"public_look": state, "public_mechanism": ""}
    return {"public_shown": int(state != "none"), "public_state": state, **look}


def countries() -> Iterator[str]:
    """Of each, what the public is told; what operators are told says other numbers. Of one country and service
    strangers are told nothing, whatever many fresh keys say; of another there are too few lines for anybody.
    """
    rows: list[tuple[str, str, dict[str, Value]]] = [
        ("MA", "whatsapp/call", public(4, 3, 2, "3-5")),
        ("MA", "whatsapp/chat", public(2, 2, 0, "3-5")),
        ("MA", "baseline/dns", public(1, 1, 0, "3-5")),
        ("MA", "imo/call", {**public(0, 0, 0, ""), "shown": 0, "cells": 0, "judged": 0, "interfered": 0, "band": ""}),
        ("MA", "viber/call", public(0, 0, 0, "")),
        ("FR", "whatsapp/call", {**public(1, 1, 0, "6-10"), "simulated": 6}),
        ("TN", "whatsapp/call", public(2, 0, 0, "3-5")),
    ]
    for country, target, fields in rows:
        service, _, role = target.partition("/")
        tags = {"country": country, "service": service, "role": role}
        yield line(schema.COUNTRY_1D, tags, {**lines_by(blocked=40), **fields}, at(0))


def public(cells: int, judged: int, interfered: int, band: str) -> dict[str, Value]:
    """What strangers are told of a country, beside what operators are told, of more lines."""
    told: dict[str, Value] = {"public_judged": judged, "public_interfered": interfered, "public_band": band}
    operators: dict[str, Value] = {"shown": 1, "cells": 9, "judged": 9, "interfered": 9, "band": ">10", "simulated": 0}
    return {**operators, **told, "public_shown": int(cells > 0), "public_cells": cells}


def steps() -> Iterator[str]:
    call = placed(TELECOM, "3g", "whatsapp/call")
    counted = [
        (call, "dns", 0, 10, 0),
        (call, "stun", 0, 8, 2),
        (call, "turn", 0, 1, 3),
        (call, "turn", 2, 4, 0),
        (call, "turn", 3, 0, 0),  # emptied
        (placed(TELECOM, "3g", "whatsapp/chat"), "tcp", 0, 5, 1),
        (placed(TELECOM, "3g", "whatsapp/chat"), "tls", 0, 5, 0),
        (placed(TELECOM, "3g", "whatsapp/web"), "http", 0, 3, 1),
    ]
    for tags, step, hour, passed, failed in counted:
        fields: dict[str, Value] = {"passed": passed, "failed": failed}
        yield line(schema.STEP_1H, {**tags, "step": step}, fields, at(hour))


def coverage() -> Iterator[str]:
    counted: list[tuple[Mapping[str, str], str, str, int, dict[str, Value]]] = [
        (TELECOM, "3g", "ringback/1.0", 0, {"lines": 5, "measurements": 40, "judged": 4, "interfered": 3}),
        (TELECOM, "3g", "ringback/1.1", 0, {"lines": 2, "measurements": 10, "judged": 2, "interfered": 0}),
        (TELECOM, "3g", "ringback/1.0", 2, {"lines": 5, "measurements": 41, "judged": 4, "interfered": 0,
                                            "aa_pairs": 200, "aa_discordant": 1}),
        (ORANGE, "fibre", "ringback/1.0", 0, {"lines": 6, "measurements": 60, "judged": 0, "interfered": 0}),
    ]  # fmt: skip
    for place, access, software, hour, fields in counted:
        lag: dict[str, Value] = {"lag_ms_p50": 60_000 + hour, "lag_ms_p95": 600_000}
        yield line(schema.COVERAGE_1H, {**place, "access": access, "software": software}, {**fields, **lag}, at(hour))


def controls() -> Iterator[str]:
    for hour, role, controls, failed in ((0, "call", 4, 1), (2, "call", 4, 4), (0, "chat", 3, 0)):
        fields: dict[str, Value] = {"controls": controls, "answered": controls - failed, "failed": failed}
        yield line(schema.CONTROL_1H, {"service": "whatsapp", "role": role}, fields, at(hour))


def events() -> Iterator[str]:
    told = [
        ({"kind": "release"}, 0, "Ringback 1.1"),
        ({"kind": "episode", "country": "MA"}, 0, "Calls banned"),
        ({"kind": "episode", "country": "FR"}, 0, "Nothing of note"),
    ]
    for tags, hour, title in told:
        yield line(schema.EVENT, tags, {"title": title, "text": f"{title}.", "simulated": 0}, at(hour))


def verdicts() -> Iterator[str]:
    judged = [
        (placed(TELECOM, "3g", "whatsapp/call"), 0, "blocked", 1, 0, "a" * 32),
        (placed(TELECOM, "3g", "whatsapp/call"), 0, "blocked", 1, 1, "b" * 32),  # by a control
        (placed(TELECOM, "3g", "whatsapp/chat"), 0, "ok", 0, 0, "c" * 32),
        (placed(OTHER, "4g", "viber/call"), 0, "degraded", 1, 0, "d" * 32),
    ]
    for i, (tags, hour, state, interfered, control, uid) in enumerate(judged):
        words: dict[str, Value] = {"state": state, "mechanism": "udp.port.drop", "step": "stun", "rule": "a_rule"}
        more: dict[str, Value] = {"depth": "", "round": 1, "interfered": interfered, "simulated": 0}
        kept: dict[str, Value] = {"control": control, "uid": uid, "line": "k"}
        yield line(schema.VERDICT, tags, {**words, **more, **kept}, at(hour) + i)


def collector() -> Iterator[str]:
    for minute in range(3):
        fields: dict[str, Value] = {
            "accepted": 100 + minute, "refused": 2, "log_cursor": 50 + minute, "projected_cursor": 50, "lag": minute,
            "outbox": 7, "dead_letters": 1, "influx_written": 900 + minute, "targets_age_days": 3,
            "networks_age_days": 5,
        }  # fmt: skip
        yield line(schema.COLLECTOR, {}, fields, at(0) + minute * 60_000_000_000)
