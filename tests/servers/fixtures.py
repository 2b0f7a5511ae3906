"""Real servers on loopback, started once per test process for the tests that ask for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.servers.caddy import Caddy, caddy, sites_for
from tests.servers.certificates import Authority
from tests.servers.coturn import Coturn, coturn
from tests.servers.dnsmasq import NXDOMAIN, Liar, liar
from tests.servers.influxd import Influxd, influxd
from tests.servers.unbound import Unbound, unbound

NAMES = {
    "chat.example": ("192.0.2.10", "2001:db8::10"),
    "call.example": ("192.0.2.11", "192.0.2.12"),
    "only6.example": ("2001:db8::13",),
}
LIES = {"chat.example": "203.0.113.66", "call.example": NXDOMAIN}


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The tests' own certificate authority."""
    return Authority.create()


@pytest.fixture(scope="session")
def coturn_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Coturn]:
    with coturn(tmp_path_factory.mktemp("coturn"), leaf=authority.leaf("relay.example")) as server:
        yield server


@pytest.fixture(scope="session")
def caddy_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Caddy]:
    sites = sites_for(authority, "chat.example", "web.example")
    with caddy(tmp_path_factory.mktemp("caddy"), sites, h3=True) as server:
        yield server


@pytest.fixture(scope="session")
def unbound_server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Unbound]:
    leaf = authority.leaf("dns.example", "127.0.0.1")
    with unbound(tmp_path_factory.mktemp("unbound"), NAMES, leaf=leaf) as server:
        yield server


@pytest.fixture(scope="session")
def influxd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """Empty but for what a test creates; each uses databases of its own."""
    with influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture
def influx_database(influxd_server: Influxd) -> Iterator[str]:
    """The name of a database that is there for one test."""
    name = f"test_{uuid.uuid4().hex}"
    influxd_server.create(name)
    yield name
    influxd_server.drop(name)


@pytest.fixture(scope="session")
def lying_resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    with liar(tmp_path_factory.mktemp("dnsmasq"), LIES, NAMES) as server:
        yield server
