"""A zone controller of Zoom: says where it saw the question come from."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence

from tests.servers import datagrams
from tests.servers.datagrams import Address

QUESTION = bytes.fromhex("01010014") + b"1234567890123456789\0"


def answer(data: bytes, sender: Address) -> Sequence[bytes]:
    """The 32 bytes of the genuine one (capture of 2019-09); whoever asks over IPv6 is seen at nobody's address."""
    if data[:4] != bytes.fromhex("00010018") or data[20:] != QUESTION:
        return ()
    ip = ipaddress.ip_address(sender[0])
    seen = struct.pack("!HH", 1, sender[1]) + (ip.packed if ip.version == 4 else bytes(4))
    return (bytes.fromhex("0002000c") + data[4:20] + bytes.fromhex("01030008") + seen,)


if __name__ == "__main__":
    datagrams.main("a zone controller of Zoom", {"genuine": answer})
