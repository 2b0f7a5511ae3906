"""What every query of every panel gives in the small world (world.py), counted by hand.

Series are lists of the four hours 0 to 3 (shorter ones go on without data); tables are sets of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probe.model import Step
from tests.grafana.interpolation import ALL, Value
from tests.grafana.world import STATES, STRANGE

N = None
MT = "Maroc Telecom"
SMALL = "other"  # small networks together, of which only strangers are told
EVERYWHERE: Mapping[str, Value] = {"country": ALL, "operator": ALL, "access": ALL, "service": ALL, "per": "1h"}
MOROCCO: Mapping[str, Value] = {**EVERYWHERE, "country": "MA"}

CHOSEN: dict[str, Mapping[str, Value]] = {
    "map": {**EVERYWHERE, "role": "call"},
    "country": MOROCCO,
    "service": {**MOROCCO, "service": "whatsapp"},
    "operator": {**MOROCCO, "operator": MT, "role": "call"},
    "breaks": {**MOROCCO, "role": ALL},
    "quality": MOROCCO,
    "coverage": EVERYWHERE,
    "collector": {},
    "public": {},
}


def seen(*found: tuple[Any, ...], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of a table: the values of the tags, then how many were interfered with, judged, and measured."""
    return [
        {**dict(zip(by, row, strict=False)), "share": row[-3] / row[-1], "interfered": row[-3], "judged": row[-2],
         "n": row[-1]}
        for row in found
    ]  # fmt: skip


def shares(*found: tuple[object, ...], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of a table of shares: the values of the tags, then the share and its n."""
    return [{**dict(zip(by, row, strict=False)), "share": row[-2], "n": row[-1]} for row in found]


def counts(*found: tuple[object, ...], by: tuple[str, ...], of: tuple[str, ...]) -> list[dict[str, Any]]:
    return [dict(zip((*by, *of), row, strict=True)) for row in found]


ROWS = ("country", "operator", "access")
CALLS_ON_3G = ["blocked", N, "ok", N]
CALLS_ON_ADSL = ["relay_answers", N, "mixed", N]
CALLS_ELSEWHERE = ["degraded", N, N, N]
STEPPED = ("service", "role", "step")

MAP = {
    (1, "A"): {"cell_1h.simulated": [6]},
    (3, "A"): seen(("MA", 3, 4, 5), ("FR", 0, 1, 1), by=("country",)),
    (3, "B"): [],
    (4, "A"): seen(("MA", 3, 4, 5), ("FR", 0, 1, 1), by=("country",)),
    (4, "B"): counts(("MA", 5), ("FR", 1), by=("country",), of=("n",)),
    (5, "A"): seen(
        ("MA", MT, "3g", 1, 2, 2), ("MA", MT, "adsl", 1, 1, 2), ("MA", STRANGE, "4g", 1, 1, 1),
        ("FR", "Orange", "fibre", 0, 1, 1), by=ROWS,
    ),
    (5, "B"): counts(
        ("MA", MT, "3g", 2), ("MA", MT, "adsl", 2), ("MA", STRANGE, "4g", 1), ("FR", "Orange", "fibre", 1),
        by=ROWS, of=("n",),
    ),
}  # fmt: skip
COUNTRY: dict[tuple[int, str], Any] = {
    (1, "A"): {"cell_1h.simulated": [0]},
    (3, "A"): {
        f"{MT} · 3g · whatsapp": CALLS_ON_3G,
        f"{MT} · adsl · whatsapp": CALLS_ON_ADSL,
        f"{STRANGE} · 4g · viber": CALLS_ELSEWHERE,
    },
    (4, "A"): {f"{MT} · 3g · whatsapp": ["ok", N, "ok", N]},
    (5, "A"): {},
    (6, "A"): {"○ no interference seen": [1, 2]},
    (6, "B"): {"◐ degraded": [1]},
    (6, "C"): {"✕ blocked": [1]},
    (6, "D"): {},
    (6, "E"): {},
    (6, "F"): {},
    (6, "G"): {},
    (6, "H"): {"≠ mixed: lines differ": [1]},
    (6, "I"): {"◔ relay reached, call not exercised": [1]},
    (7, "A"): {f"{MT} · 3g": [5, N, 5, N], f"{MT} · adsl": [2, N, 5, N], f"{STRANGE} · 4g": [3, N, N, N]},
    (7, "B"): {"controls": [2, N, 2, N]},
    (10, "A"): {
        f"{MT} · 3g · whatsapp · calls": ["likely_blocked", N, N, N],
        "other · adsl · whatsapp · calls": ["blocked", N, N, "ok"],
    },
    **{(10, letter): {} for letter in "BCD"},
    (9, "A"): [
        {**dict.fromkeys(STATES, 0), "operator": operator, "access": access, **states, "n": sum(states.values())}
        for operator, access, states in (
            (MT, "3g", {"ok": 13, "blocked": 4, "insufficient": 1}),
            (MT, "adsl", {"ok": 2, "blocked": 2, "insufficient": 3}),
            (STRANGE, "4g", {"degraded": 3}),
        )
    ],
    (8, "A"): [
        {"operator": operator, "access": access, "service": service, "role": "call", "state": state, "uid": uid,
         "mechanism": "udp.port.drop", "step": "stun", "rule": "a_rule", "depth": "", "simulated": 0}
        for operator, access, service, state, uid in (
            (STRANGE, "4g", "viber", "degraded", "d" * 32),
            (MT, "3g", "whatsapp", "blocked", "a" * 32),
        )
    ],
}  # fmt: skip
SERVICE = {
    (1, "A"): {"cell_1h.simulated": [0]},
    (3, "A"): {f"{MT} · 3g": CALLS_ON_3G, f"{MT} · adsl": CALLS_ON_ADSL},
    (4, "A"): {f"{MT} · 3g": ["ok", N, "ok", N]},
    (5, "A"): seen(
        (MT, "3g", "call", 4, 9, 10), (MT, "3g", "chat", 0, 8, 8), (MT, "adsl", "call", 2, 4, 7),
        by=("operator", "access", "role"),
    ),
    (6, "A"): {f"{MT} · 3g · calls": ["udp.port.drop"]},
    **{(6, letter): {} for letter in "BCD"},
}  # fmt: skip
OPERATOR = {
    (1, "A"): {"cell_1h.simulated": [0]},
    (3, "A"): {"3g · whatsapp · calls": CALLS_ON_3G, "adsl · whatsapp · calls": CALLS_ON_ADSL},
    **{(3, letter): {} for letter in "BCD"},
    (4, "A"): seen(("3g", "call", 4, 9, 10), ("adsl", "call", 2, 4, 7), by=("access", "role")),
    (5, "A"): {
        "3g share": [0.8, N, 0, N],
        "3g n": [5, N, 5, N],
        "adsl share": [N, N, 0.4, N],
        "adsl n": [N, N, 5, N],
    },
    (6, "A"): {"adsl: interference seen": [N, N, 2, N]},
    (6, "B"): {"adsl: no interference seen": [N, N, 3, N]},
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STEPS = [step.value for step in Step if step is not Step.UNKNOWN]  # a query each, in the order of the stack
TAKEN: dict[str, tuple[tuple[object, ...], ...]] = {
    "dns": (("dns", 0, 10),),
    "tcp": (("tcp", 1 / 6, 6),),
    "tls": (("tls", 0, 5),),
    "http": (("http", 0.25, 4),),
    "stun": (("stun", 0.2, 10),),
    "turn": (("turn", 3 / 8, 8),),
}
BREAKS = {
    (1, "A"): {"cell_1h.simulated": [0]},
    **{(3, letter): shares(*TAKEN.get(step, ()), by=("step",)) for letter, step in zip(LETTERS, STEPS, strict=False)},
    (4, "A"): shares(
        ("whatsapp", "call", "dns", 0, 10), ("whatsapp", "call", "stun", 0.2, 10),
        ("whatsapp", "call", "turn", 3 / 8, 8),
        ("whatsapp", "chat", "tcp", 1 / 6, 6), ("whatsapp", "chat", "tls", 0, 5), ("whatsapp", "web", "http", 0.25, 4),
        by=STEPPED,
    ),
    (5, "A"): {
        "dns share": [0], "dns n": [10], "stun share": [0.2], "stun n": [10], "turn share": [0.75, N, 0, N],
        "turn n": [4, N, 4, N], "tcp share": [1 / 6], "tcp n": [6], "tls share": [0], "tls n": [5],
        "http share": [0.25], "http n": [4],
    },
}  # fmt: skip
QUALITY = {
    (1, "A"): {"cell_1h.simulated": [0]},
    (3, "A"): {f"{MT} · 3g app": [0.2], f"{MT} · 3g twin": [0.01], f"{MT} · 3g n": [4]},
    (4, "A"): {f"{MT} · 3g app": [30], f"{MT} · 3g twin": [8], f"{MT} · 3g n": [4]},
    (5, "A"): {f"{MT} · 3g MOS": [2.5], f"{MT} · 3g n": [4]},
    (6, "A"): {"whatsapp": [4]},
}
COVERAGE = {
    (1, "A"): {"cell_1h.simulated": [6]},
    (3, "A"): {"MA · 3g": [5, N, 5, N], "FR · fibre": [6]},
    (4, "A"): {"MA": [50, N, 41, N], "FR": [60]},
    (5, "A"): {
        "MA median": [60_000, N, 60_002],
        "MA p95": [600_000, N, 600_000],
        "FR median": [60_000],
        "FR p95": [600_000],
    },
    (6, "A"): shares(("MA", "ringback/1.0", 3 / 8, 8), ("MA", "ringback/1.1", 0, 2), by=("country", "software")),
    (7, "A"): shares(("whatsapp", "call", 5 / 8, 8), ("whatsapp", "chat", 0, 3), by=("service", "role")),
    (8, "A"): {f"MA · {MT} share": [N, N, 0.005], f"MA · {MT} n": [N, N, 200]},
}
COLLECTOR = {
    (1, "A"): {"cell_1d.simulated": [6]},
    (3, "A"): {"batches not judged yet": [2]},
    (4, "A"): {"points not written yet": [7]},
    (5, "A"): {"points dropped": [1]},
    (6, "A"): {"age of the targets file": [3]},
    (10, "A"): {"age of the networks": [5]},
    (7, "A"): {"accepted": [100, 101, 102], "refused": [2, 2, 2]},
    (8, "A"): {"log": [50, 51, 52], "judged": [50, 50, 50]},
    (9, "A"): {"written": [900, 901, 902], "waiting": [7, 7, 7], "dropped": [1, 1, 1]},
}
PUBLIC = {
    (1, "A"): {"country_1d.simulated": [6]},
    (3, "A"): seen(("MA", 2, 5, 6), ("FR", 0, 1, 1), by=("country",)),
    (3, "B"): counts(("TN", 2), by=("country",), of=("n",)),
    (4, "A"): seen(
        ("MA", "whatsapp", "call", 2, 3, 4), ("MA", "whatsapp", "chat", 0, 2, 2), ("FR", "whatsapp", "call", 0, 1, 1),
        by=("country", "service", "role"),
    ),
    (4, "B"): counts(
        ("MA", "whatsapp", "call", 4, "3-5"), ("MA", "whatsapp", "chat", 2, "3-5"),
        ("FR", "whatsapp", "call", 1, "6-10"), ("TN", "whatsapp", "call", 2, "3-5"),
        by=("country", "service", "role"), of=("n", "lines"),
    ),
    (5, "A"): {"calls share": [2 / 7], "calls n": [7]},
    (5, "B"): {"messages share": [0], "messages n": [2]},
    (5, "C"): {},
}  # fmt: skip

Known = dict[tuple[int, str], Any]
KNOWN: dict[str, Known] = {
    "map": MAP,
    "country": COUNTRY,
    "service": SERVICE,
    "operator": OPERATOR,
    "breaks": BREAKS,
    "quality": QUALITY,
    "coverage": COVERAGE,
    "collector": COLLECTOR,
    "public": PUBLIC,
}

EACH: dict[str, list[str]] = {  # every value that there is
    "country": ["FR", "MA"],
    "operator": [STRANGE, MT, "Orange", SMALL],
    "access": ["3g", "4g", "adsl", "fibre"],
    "service": ["baseline", "viber", "whatsapp"],
}
IN_MOROCCO = {
    "country": {"FR", "MA"},
    "operator": {MT, STRANGE, SMALL},
    "access": {"3g", "4g", "adsl"},
    "service": {"whatsapp", "viber", "baseline"},
}
VARIABLES: dict[str, dict[str, set[str]]] = {  # what is offered where Morocco is chosen, and what CHOSEN has besides
    "service": {**IN_MOROCCO, "operator": {MT, SMALL}, "access": {"3g", "adsl"}},
    "operator": {**IN_MOROCCO, "access": {"3g", "adsl"}, "service": {"whatsapp", "baseline"}},
}

STRANGE_ONLY: dict[tuple[str, int, str], Any] = {  # where the operator with the strange name is chosen
    ("map", 5, "A"): seen(("MA", STRANGE, "4g", 1, 1, 1), by=ROWS),
    ("map", 5, "B"): counts(("MA", STRANGE, "4g", 1), by=ROWS, of=("n",)),
    ("country", 3, "A"): {f"{STRANGE} · 4g · viber": CALLS_ELSEWHERE},
    ("country", 8, "A"): COUNTRY[8, "A"][:1],
    ("operator", 3, "A"): {"4g · viber · calls": CALLS_ELSEWHERE},
}
