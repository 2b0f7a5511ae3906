"""Who may import whom: the rules of the design, as a table. Walks every import of the product."""

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
SHARED = ("model", "targets", "strict_yaml", "addresses", "protocols", "failure", "judge", "codecs", "flows", "explain")


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def top(name: str) -> str:
    return name.partition(".")[0]


def is_product(name: str) -> bool:
    return under(name, "probe", "collector")


def model(one: Import) -> bool:
    return top(one.target) == "msgspec" or top(one.target) in sys.stdlib_module_names


def codecs(one: Import) -> bool:
    return top(one.target) not in {"asyncio", "socket", "ssl", "time", "random"}


def judge(one: Import) -> bool:
    pure = (
        under(one.target, "probe.judge", "probe.model", "probe.failure", "probe.addresses")
        if is_product(one.target)
        else True
    )
    return pure and top(one.target) not in IMPURE


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
    return not ours or under(one.target, "probe.model", "probe.explain", "collector.front.page")


def below_handshakes(one: Import) -> bool:
    """Sockets, records and sessions know nothing of the dialogues that are made with them."""
    return not under(one.target, "probe.handshakes")


def scapy(one: Import) -> bool:
    return top(one.target) != "scapy" or (under(one.module, "probe.path") and one.in_function)


RULES: list[tuple[str, Callable[[Import], bool]]] = [
    ("probe.model", model),
    ("probe.codecs", codecs),
    ("probe.judge", judge),
    ("probe.net", below_handshakes),
    ("probe.secure", below_handshakes),
    ("collector.detect", detect),
    ("probe", probe),
    ("collector", collector),
    ("grafana", grafana),
    ("probe", scapy),
    ("collector", scapy),
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
        ("probe.cli", "from collector import app"),
        ("probe.submit.spool", "import duckdb"),
        ("probe.path.ttl_probe", "import scapy.all"),
        ("collector.detect.changes", "from random import random"),
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
        "probe.daemon",
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
