"""What Wireshark reads in a datagram: an oracle for messages that no package on PyPI reads."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.components import program
from tests.patience import PATIENCE

RAW_IP = 101  # LINKTYPE_RAW


def fields(directory: Path, payload: bytes, port: int, names: Sequence[str], *options: str) -> list[str]:
    """The named fields of one datagram to a port, as tshark prints them; of a field that occurs twice, both."""
    path = directory / "one.pcap"
    path.write_bytes(_capture(payload, port))
    wanted = [word for name in names for word in ("-e", name)]
    command = [program("tshark"), "-n", "-r", str(path), "-T", "fields", *wanted, *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return run.stdout.rstrip("\n").split("\t")


def _capture(payload: bytes, port: int) -> bytes:
    """A pcap file of one packet, 198.51.100.7:40001 to 203.0.113.4."""
    udp = struct.pack("!HHHH", 40001, port, 8 + len(payload), 0) + payload
    addresses = bytes([198, 51, 100, 7, 203, 0, 113, 4])
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + addresses + udp
    head = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)
    return head + struct.pack("=IIII", 1_780_000_000, 0, len(packet), len(packet)) + packet
