"""Who may import whom: the rules of the design, as a table. Walks every import of the product.

A handshake stands at five places: its codec (`probe.codecs`), its module (`probe.handshakes`), its row
(`probe.protocols`), its name in `HANDSHAKES`, and its server and vectors (`tests.servers`, `tests.data`).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.source import Import, Module, imports, modules

# What a pure function cannot need: clocks, chance, the network, the disk.
IMPURE = frozenset(
    [
        "asyncio",
        "socket",
        "ssl",
        "time",
        "random",
        "secrets",
        "select",
        "selectors",
        "threading",
        "subprocess",
        "os",
        "shutil",
        "tempfile",
        "sqlite3",
        "urllib",
        "http",
        "aiohttp",
        "duckdb",
        "h11",
        "OpenSSL",
    ]
)
COLLECTOR_ONLY = frozenset(["duckdb", "influxdb_client", "jinja2", "altair", "maxminddb", "prometheus_client"])
SHARED = (
    *("model", "targets", "strict_yaml", "addresses", "protocols", "grades", "attempts", "failure", "durable"),
    *("judge", "codecs", "flows", "explain"),
)
WORDS = ("probe.model", "probe.failure", "probe.addresses")
FACTS = (*WORDS, "probe.protocols", "probe.grades", "probe.attempts", "probe.flights")
MEASURING = (
    *("probe.net", "probe.secure", "probe.handshakes", "probe.measuring", "probe.flows", "probe.path"),
    *("probe.targets", "probe.strict_yaml", "probe.cycle", "probe.daemon", "probe.submit"),
)


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def top(name: str) -> str:
    return name.partition(".")[0]


def is_product(name: str) -> bool:
    return under(name, "probe", "collector")


def among(one: Import, *packages: str) -> bool:
    """Of our own code it imports these packages only."""
    return not is_product(one.target) or under(one.target, *packages)


def model(one: Import) -> bool:
    return top(one.target) == "msgspec" or top(one.target) in sys.stdlib_module_names


def codecs(one: Import) -> bool:
    return top(one.target) not in {"asyncio", "socket", "ssl", "time", "random"}


def judge(one: Import) -> bool:
    return among(one, "probe.judge", *FACTS) and top(one.target) not in IMPURE


def facts(one: Import) -> bool:
    """Words, and what is asked of them: they know nobody who uses them."""
    return among(one, *FACTS) and top(one.target) not in IMPURE


def table(one: Import) -> bool:
    return among(one, *WORDS)


def measuring(one: Import) -> bool:
    """Facts do not depend on conclusions. At the command line's end both are put together (local_verdicts, output)."""
    return not under(one.target, "probe.judge")


def record(one: Import) -> bool:
    """Sockets and a step's record stand at the bottom: what fills a record imports it, never the reverse."""
    return among(one, "probe.net", *WORDS)


def detect(one: Import) -> bool:
    return top(one.target) not in IMPURE


def probe(one: Import) -> bool:
    return not under(one.target, "collector", "grafana") and top(one.target) not in COLLECTOR_ONLY


def collector(one: Import) -> bool:
    if one.target == "probe":  # its version
        return True
    if under(one.target, "grafana") or top(one.target) == "grafana_foundation_sdk":
        return False
    return not under(one.target, "probe") or under(one.target, *(f"probe.{name}" for name in SHARED))


def grafana(one: Import) -> bool:
    """The dashboards take words and signs from where the product has them, and nothing that runs."""
    ours = under(one.target, "probe", "collector")
    words = ("probe.model", "probe.explain", "collector.front.page", "collector.facts.published.publishers")
    return not ours or under(one.target, *words)


def below_handshakes(one: Import) -> bool:
    """Sockets, records and sessions know nothing of the dialogues that are made with them."""
    return not under(one.target, "probe.handshakes")


def scapy(one: Import) -> bool:
    return top(one.target) != "scapy" or (under(one.module, "probe.path") and one.in_function)


def influx(one: Import) -> bool:
    """A third of a collector's start, which nobody pays who has no InfluxDB."""
    return top(one.target) != "influxdb_client" or one.in_function


RULES: list[tuple[str, Callable[[Import], bool]]] = [
    ("probe.model", model),
    ("probe.codecs", codecs),
    ("probe.judge", judge),
    ("probe.secure", below_handshakes),
    ("probe.protocols", table),
    ("probe.grades", facts),
    ("probe.attempts", facts),
    *((package, measuring) for package in MEASURING),
    ("probe.net", record),
    ("collector.detect", detect),
    ("probe", probe),
    ("collector", collector),
    ("grafana", grafana),
    ("probe", scapy),
    ("collector", scapy),
    ("collector", influx),
]


def breaches(every: tuple[Module, ...]) -> list[str]:
    known = frozenset(module.name for module in every)
    return [
        f"{one.module}:{one.line} imports {one.target}, against the rule for {scope}"
        for module in every
        for one in imports(module, known)
        for scope, allowed in RULES
        if under(one.module, scope) and not allowed(one)
    ]


def test_the_layers_hold() -> None:
    assert breaches(modules()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("probe.model", "import yaml"),
        ("probe.model", "from probe import failure"),
        ("probe.codecs.stun", "import random"),
        ("probe.codecs.stun", "def f():\n    from asyncio import sleep"),
        ("probe.judge.verdict", "import time"),
        ("probe.judge.verdict", "from ..handshakes.trace import Trace"),
        ("probe.secure.tls", "from probe.handshakes.trace import Trace"),
        ("probe.protocols", "from probe.handshakes.trace import Trace"),
        ("probe.protocols", "from probe.grades import best"),
        ("probe.grades", "from probe.handshakes.trace import Trace"),
        ("probe.attempts", "import time"),
        ("probe.handshakes.stun", "from probe.judge.verdict import judge"),
        ("probe.measuring.follow_up", "from probe import judge"),
        ("probe.path.sweeps", "def f():\n    import probe.judge.location"),
        ("probe.cycle", "from probe.judge.combine import combine"),
        ("probe.targets", "from probe.judge.verdict import RULES_VERSION"),
        ("probe.net.record", "from probe.handshakes.trace import Trace"),
        ("probe.net.record", "from ..secure import tls"),
        ("probe.cli", "from collector import app"),
        ("probe.submit.spool", "import duckdb"),
        ("probe.path.ttl_probe", "import scapy.all"),
        ("collector.detect.changes", "from random import random"),
        ("collector.influx.client", "from influxdb_client.rest import ApiException"),
        ("collector.front.server", "from probe.cycle import run_cycle"),
        ("collector.front.server", "from probe import daemon"),
        ("collector.front.server", "from grafana import building"),
        ("grafana.building.frame", "from collector import app"),
    ],
)
def test_the_rules_can_fail(name: str, text: str) -> None:
    known = (
        "probe",
        "probe.handshakes.trace",
        "probe.failure",
        "probe.judge",
        "probe.grades",
        "probe.secure",
        "probe.daemon",
        "probe.submit.upload",
        "collector",
        "collector.front.server",
    )
    others = tuple(Module(other, Path("x.py"), ast.parse("")) for other in known if other != name)
    assert len(breaches((Module(name, Path("x.py"), ast.parse(text)), *others))) == 1


def test_what_is_allowed_passes() -> None:
    text = "from probe import __version__\nfrom probe.model import Verdict\nimport probe.judge.verdict\nimport duckdb"
    assert breaches((Module("collector.front.server", Path("x.py"), ast.parse(text)),)) == []
    late = "def f():\n    import scapy.all"
    assert breaches((Module("probe.path.ttl_probe", Path("x.py"), ast.parse(late)),)) == []
