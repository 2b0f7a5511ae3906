"""How far packets get, asked by the program's own sockets on the lab's lines and answered by the kernel beyond them."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.lab.model import Stage
from tests.lab.net import ROOT, Lab, Line
from tests.lab.plan import COLLECTOR, OTHER_V4, OTHER_V6, WORLD_V4, WORLD_V6
from tests.patience import PATIENCE

pytestmark = pytest.mark.needs("root", "iproute2", "util-linux")

V4, V6, PORT = WORLD_V4.format(COLLECTOR), WORLD_V6.format(COLLECTOR), "7777"
TTLS = 6
TRANSIT = {V4: OTHER_V4.format(1), V6: OTHER_V6.format(1)}
SERVERS = """
import asyncio, socket, sys
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, sender): self.transport.sendto(data, sender)
async def answer(reader, writer):
    writer.write(await reader.read(100)); await writer.drain(); writer.close()
async def main():
    loop, port = asyncio.get_running_loop(), int(sys.argv[1])
    for address in sys.argv[2:]:
        await loop.create_datagram_endpoint(Echo, local_addr=(address, port))
        await asyncio.start_server(answer, address, port)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""
SWEEP = """
import asyncio, ipaddress, json, sys
from probe.model import Transport
from probe.path.ttl_probe import Packet, SocketSweeper
transport, address, port, payload, ttls = sys.argv[1:]
packet = Packet(transport=Transport(transport), address=address, port=int(port), payload=payload.encode())
replies = asyncio.run(SocketSweeper().sweep(packet, range(1, int(ttls) + 1), 0.4)).by_ttl
print(json.dumps([[r.came, str(ipaddress.ip_address(r.sender)) if r.sender else ""] for r in replies.values()]))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab"), slots=4, servers=False) as lab:
        command = ["ip", "netns", "exec", lab.world, sys.executable, "-c", SERVERS, PORT, V4, V6]
        servers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert servers.stdout is not None
        assert servers.stdout.readline() == b"ready\n"
        yield lab
        servers.communicate(timeout=PATIENCE)


def sweep(line: Line, transport: str, address: str, payload: str = "", port: str = PORT) -> list[tuple[str, str]]:
    """What came first for each TTL, and the sender of an ICMP error."""
    command = line.command(sys.executable, "-c", SWEEP, transport, address, port, payload, str(TTLS))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return [(came, sender) for came, sender in json.loads(done.stdout)]


def routers(line: Line, address: str) -> list[str]:
    """Those of wifi and adsl lines: the home's, the operator's two, the transit's."""
    four = address == V4
    network = ipaddress.ip_network(line.operator.v4 if four else line.operator.v6)
    home = [] if line.access.name == "adsl" else ["192.168.1.1" if four else str(network[3])]
    return [*home, str(network[1]), str(network[2]), TRANSIT[address]]


def exceeded(senders: Sequence[str]) -> list[tuple[str, str]]:
    return [("exceeded", sender) for sender in senders]


def rest(hops: list[tuple[str, str]], came: str) -> list[tuple[str, str]]:
    """The same for every TTL that is left."""
    return [*hops, *[(came, "")] * (TTLS - len(hops))]


both = pytest.mark.parametrize("address", [V4, V6])


@both
@pytest.mark.parametrize("access", ["wifi", "adsl"])
def test_every_router_is_heard_until_the_answer(lab: Lab, access: str, address: str) -> None:
    line = lab.line("iam", access, seed=1)
    path = rest(exceeded(routers(line, address)), "answer")
    assert sweep(line, "udp", address, "hello") == path
    assert sweep(line, "tcp", address) == path
    inside = [(came, "") for came, _ in path]  # where routers are not named
    assert sweep(line, "tcp", address, "hello") == inside
    lab.release(line)


@both
def test_a_place_that_is_dropped_at_the_operator(lab: Lab, address: str) -> None:
    line = lab.line("iam", "wifi", censor=[Stage("ip.drop", {"addresses": (address,), "direction": "up"})], seed=1)
    before = exceeded(routers(line, address)[:2])
    assert sweep(line, "udp", address, "hello") == rest(before, "silence")
    assert sweep(line, "tcp", address) == rest(before, "silence")
    lab.release(line)


@both
def test_replies_that_are_dropped_at_the_operator(lab: Lab, address: str) -> None:
    """As if the place itself were silent: every router on the way still speaks."""
    line = lab.line("iam", "wifi", censor=[Stage("ip.drop", {"addresses": (address,), "direction": "down"})], seed=1)
    every = rest(exceeded(routers(line, address)), "silence")
    assert sweep(line, "udp", address, "hello") == sweep(line, "tcp", address) == every
    lab.release(line)
    elsewhere = lab.line("iam", "wifi", world=[Stage("ip.drop", {"addresses": (address,)})], seed=1)
    assert sweep(elsewhere, "udp", address, "hello") == sweep(elsewhere, "tcp", address) == every
    lab.release(elsewhere)


@both
@pytest.mark.parametrize(("where", "at"), [("home", 0), ("censor", 2), ("world", 4)])
def test_a_reset_is_placed(lab: Lab, address: str, where: str, at: int) -> None:
    stages = {where: [Stage("ip.reset", {"addresses": (address,)})]}
    line = lab.line("iam", "wifi", **stages, seed=1)  # type: ignore[arg-type]
    assert sweep(line, "tcp", address) == rest(exceeded(routers(line, address)[:at]), "reset")
    lab.release(line)


@both
def test_a_rejection_is_placed_and_has_its_sender(lab: Lab, address: str) -> None:
    line = lab.line("iam", "adsl", censor=[Stage("ip.reject", {"addresses": (address,), "code": 13})], seed=1)
    sender = "10.65.0.1" if address == V4 else "2001:db8:ffff::1"
    placed = [*exceeded(routers(line, address)[:1]), *[("rejected", sender)] * (TTLS - 1)]
    assert sweep(line, "tcp", address) == placed
    assert sweep(line, "udp", address, "hello") == placed
    lab.release(line)


def test_a_closed_port_is_the_places_own_word(lab: Lab) -> None:
    line = lab.line("iam", "adsl", seed=1)
    before = exceeded(routers(line, V4))
    assert sweep(line, "tcp", V4, port="7778") == rest(before, "reset")
    assert sweep(line, "udp", V4, "hello", port="7778") == [*before, *[("rejected", V4)] * (TTLS - len(before))]
    lab.release(line)
