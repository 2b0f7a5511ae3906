"""Linux's own SIP helper, which many home routers run, between a line and our server: what the echo shows of it.

It looks for the line's own address, which the probe never writes; so it leaves a probe's request alone, and a
telephone's not. That nothing was altered proves as much, and no more. Needs root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components import program
from tests.country import namespaces
from tests.country.namespaces import inside, ip
from tests.patience import PATIENCE
from tests.servers.process import prefix, running

pytestmark = pytest.mark.needs("root", "iproute2", "iptables")

ROOT = Path(__file__).parents[3]
OWN, SERVER = "10.9.0.2", "203.0.113.5"
LINE, ROUTER, FAR = (f"sipalg{os.getpid()}-{name}" for name in ("line", "router", "far"))


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """A line behind a router that translates addresses, and our server beyond it."""
    try:
        ip(*(f"netns add {each}" for each in (LINE, ROUTER, FAR)))
        for place, device, address, beside in (
            (LINE, "wan", f"{OWN}/24", ("inner", "10.9.0.1/24")),
            (FAR, "lan", f"{SERVER}/24", ("outer", "203.0.113.1/24")),
        ):
            ip(f"link add {device} netns {place} type veth peer name {beside[0]} netns {ROUTER}")
            inside(place, f"address add {address} dev {device}", f"link set {device} up", "link set lo up")
            inside(ROUTER, f"address add {beside[1]} dev {beside[0]}", f"link set {beside[0]} up")
        inside(LINE, "route add default via 10.9.0.1")
        namespaces.forward(ROUTER)
        rule("-t", "nat", "-A", "POSTROUTING", "-o", "outer", "-j", "MASQUERADE")
        yield
    finally:
        namespaces.remove([LINE, ROUTER, FAR])


def rule(*words: str) -> None:
    namespaces.run(*prefix(ROUTER), program("iptables"), *words)


def asked(directory: Path) -> list[list[str]]:
    """What was altered of the probe's request, and of a telephone's."""
    server = [sys.executable, "-m", "collector", "sip-echo", "--listen", f"{SERVER}:5060"]
    phone = [*prefix(LINE), sys.executable, "-m", "tests.probe.sip_phone", SERVER, OWN]
    with running(["env", f"PYTHONPATH={ROOT}", *server], directory, [f"sip:{SERVER}:5060"], FAR):
        done = subprocess.run(phone, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_linux_rewrites_a_telephones_addresses_and_leaves_the_probes_alone(network: None, tmp_path: Path) -> None:
    assert asked(tmp_path) == [[], []]
    try:
        rule("-t", "raw", "-A", "PREROUTING", "-p", "udp", "--dport", "5060", "-j", "CT", "--helper", "sip")
    except RuntimeError as error:
        pytest.skip(f"this kernel has no SIP helper: {error}")
    assert asked(tmp_path) == [[], ["via", "contact"]]
