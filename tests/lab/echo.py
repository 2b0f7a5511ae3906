"""A UDP echo in the world and round trips to it from many lines at once, for the tests of the network itself.

    python -m tests.lab.echo serve NAMESPACE ADDRESS PORT          until standard input ends
    python -m tests.lab.echo ping ADDRESS PORT COUNT NAMESPACE…    prints {namespace: [seconds, …]} as JSON

Each datagram carries the time at which it was sent; all lines send in turn, evenly spread over each tenth of a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time

from tests.lab import tun
from tests.lab.netlink import family

PERIOD = 0.1  # seconds between two datagrams of a line
PATIENCE = 0.4  # for the last ones
STAMP = struct.Struct("!d")


def socket_in(namespace: str, address: str) -> socket.socket:
    with tun.inside(namespace):
        return socket.socket(family(address), socket.SOCK_DGRAM)


def serve(namespace: str, address: str, port: int) -> None:
    echo = socket_in(namespace, address)
    echo.bind((address, port))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while sys.stdin not in select.select([echo, sys.stdin], (), ())[0]:
        data, sender = echo.recvfrom(2048)
        echo.sendto(data, sender)


def ping(address: str, port: int, count: int, namespaces: list[str]) -> dict[str, list[float]]:
    sockets = {}
    for namespace in namespaces:
        sock = socket_in(namespace, address)
        sock.connect((address, port))
        sock.setblocking(False)
        sockets[sock.fileno()] = (namespace, sock)
    took: dict[str, list[float]] = {namespace: [] for namespace in namespaces}
    started = time.monotonic()
    for number in range(count * len(sockets)):
        _, sock = list(sockets.values())[number % len(sockets)]
        with contextlib.suppress(OSError):
            sock.send(STAMP.pack(time.monotonic()))
        receive(sockets, took, started + (number + 1) * PERIOD / len(sockets))
    receive(sockets, took, time.monotonic() + PATIENCE)
    return took


def receive(sockets: dict[int, tuple[str, socket.socket]], took: dict[str, list[float]], until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        for fd in select.select(list(sockets), (), (), left)[0]:
            namespace, _ = sockets[fd]
            with contextlib.suppress(OSError):
                took[namespace].append(time.monotonic() - STAMP.unpack(os.read(fd, 2048))[0])


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        json.dump(ping(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]), sys.stdout)
