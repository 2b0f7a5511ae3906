"""What is on the loopback device, as a pcap file (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html)."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

EVERYTHING = 3  # ETH_P_ALL, linux/if_ether.h
OUTGOING = 4  # PACKET_OUTGOING, linux/if_packet.h: on loopback each packet is seen a second time, as it comes in
ETHERNET = 1  # LINKTYPE_ETHERNET
QUIET = 0.2  # seconds without a packet, after which all are taken to have come


@contextmanager
def captured(path: Path) -> Iterator[None]:
    """Keeps every packet of `lo` until the end. Needs root."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
    sock.bind(("lo", 0))
    sock.settimeout(QUIET)
    ended = threading.Event()
    with path.open("wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, ETHERNET))
        thread = threading.Thread(target=_keep, args=(sock, file, ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            sock.close()


def _keep(sock: socket.socket, file: BinaryIO, ended: threading.Event) -> None:
    while True:
        try:
            packet, sender = sock.recvfrom(1 << 18)
        except TimeoutError:
            if ended.is_set():
                return
            continue
        if sender[2] != OUTGOING:
            seconds, rest = divmod(time.time_ns(), 1_000_000_000)
            file.write(struct.pack("=IIII", seconds, rest // 1000, len(packet), len(packet)) + packet)
