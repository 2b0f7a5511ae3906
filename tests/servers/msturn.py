"""A relay of Teams as far as anybody without an account gets: the Allocate is refused, in the dialect.

The refusal has the attributes of the genuine one (capture of 2020-04), in its order, and the caller's own address.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from functools import partial

from tests.servers import datagrams
from tests.servers.datagrams import Address

REALM = '"rtcmedia"'
REASON = b"The request did not contain a Message-Integrity attribute"
COOKIE = bytes.fromhex("000f000472c64bc6")


def answer(data: bytes, sender: Address, realm: str = REALM) -> Sequence[bytes]:
    """Nothing but an Allocate that begins with the cookie is answered."""
    if data[:2] != b"\x00\x03" or data[20:28] != COOKIE:
        return ()
    body = (
        COOKIE
        + b"".join(
            struct.pack("!HH", number, len(value)) + value
            for number, value in (
                (0x8008, struct.pack("!I", 6)),
                (0x0009, struct.pack("!HBB", 0, 4, 1) + REASON),
                (0x000E, bytes.fromhex("00010d96cb007104")),  # 203.0.113.4:3478
                (0x0014, bytes(range(20))),
                (0x0015, realm.encode()),
                (0x0001, bytes.fromhex("00010d98cb007104")),
                (0x8095, bytes(range(8))),
                (0x8020, _xored(sender, data[4:20])),
            )
        )
    )
    return (struct.pack("!HH", 0x0113, len(body)) + data[4:20] + body,)


def _xored(address: Address, transaction_id: bytes) -> bytes:
    ip = ipaddress.ip_address(address[0])
    plain = struct.pack("!H", address[1]) + ip.packed
    mask = transaction_id[:2] + transaction_id
    return bytes([0, 1 if ip.version == 4 else 2]) + bytes(one ^ two for one, two in zip(plain, mask, strict=False))


GUISES: dict[str, datagrams.Answer] = {
    "genuine": answer,
    "other-realm": partial(answer, realm="relay.example"),
}

if __name__ == "__main__":
    datagrams.main("a relay of Teams, up to the door", GUISES)
