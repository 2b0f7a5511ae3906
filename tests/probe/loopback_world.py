"""A world of two machines on one loopback device, for the command line: run in a network namespace of its own.

    python -m tests.probe.loopback_world DIRECTORY ARGUMENTS…

runs `ringback ARGUMENTS…` while 203.0.113.4 answers STUN, TURN (UDP 3478) and HTTP (port 80), and 203.0.113.5 is a
collector on port 8080: it puts what is uploaded into DIRECTORY, and serves DIRECTORY/controls.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from probe.codecs import stun
from probe.codecs.receipt import issue
from probe.codecs.seal import count_measurements
from probe.submit.identity import Identity
from tests.probe.builders import refusal, stun_reply

KEY = Identity(bytes(32))  # the collector's
SERVER, COLLECTOR, OWN = "203.0.113.4", "203.0.113.5", "198.51.100.7"
PREPARE = [
    "ip link set lo up",
    *(f"ip address add {address}/32 dev lo" for address in (SERVER, COLLECTOR, OWN)),
    f"ip route add default dev lo src {OWN}",
]


def command(directory: Path, *arguments: str) -> list[str]:
    script = " && ".join([*PREPARE, 'exec "$@"'])
    inner = [sys.executable, "-m", "tests.probe.loopback_world", str(directory), *arguments]
    return ["unshare", "--net", "sh", "-c", script, "sh", *inner]


class Relay(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        binding = stun.parse(data).method == stun.Method.BINDING
        self.transport.sendto((stun_reply() if binding else refusal(401))(data), address)


async def no_content(request: web.Request) -> web.Response:
    return web.Response(status=204)


async def serve(directory: Path, arguments: list[str]) -> int:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Relay, (SERVER, 3478))
    uploads: list[bytes] = []

    async def batches(request: web.Request) -> web.Response:
        uploads.append(await request.read())
        (directory / f"upload{len(uploads)}").write_bytes(uploads[-1])
        lines = count_measurements(uploads[-1])
        return web.json_response(msgspec.to_builtins(issue(uploads[-1], lines, 0, 1, KEY.key, KEY.sign)))

    async def controls(request: web.Request) -> web.Response:
        assert int(request.query["since"]) < int(request.query["until"])
        return web.Response(body=(directory / "controls").read_bytes())

    for address, port, routes in (
        (SERVER, 80, [web.get("/generate_204", no_content)]),
        (COLLECTOR, 8080, [web.post("/v1/batches", batches), web.get("/v1/controls", controls)]),
    ):
        app = web.Application(client_max_size=10_000_000)
        app.add_routes(routes)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, address, port).start()
    return await asyncio.to_thread(subprocess.call, [sys.executable, "-m", "probe.cli", *arguments])


if __name__ == "__main__":
    sys.exit(asyncio.run(serve(Path(sys.argv[1]), sys.argv[2:])))
