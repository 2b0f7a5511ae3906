"""rtnetlink (rtnetlink(7)) for a device in a namespace: a line is given its addresses in a fraction of a millisecond.

A netlink socket stays with the namespace in which it was made, so it can be used from outside of it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from tests.lab.packets import packed

HEADER = struct.Struct("=IHHII")
NEW_LINK, NEW_ADDRESS, DELETE_ADDRESS, NEW_ROUTE, DELETE_ROUTE = 16, 20, 21, 24, 25
REQUEST, ACKNOWLEDGE, REPLACE, CREATE = 0x1, 0x4, 0x100, 0x400
UP = 1  # IFF_UP
QUEUE = struct.Struct("=HHI").pack(8, 13, 5000)  # IFLA_TXQLEN: a burst must not be lost on the device
NO_DAD = 0x02  # IFA_F_NODAD: nobody else has the address
MAIN, STATIC, UNICAST = 254, 4, 1
LINK_SCOPE = {socket.AF_INET: 253, socket.AF_INET6: 0}
GONE = (errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENOENT)


class Netlink:
    """Of the namespace that the making thread is in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def lift(self, index: int) -> None:
        self._ask(NEW_LINK, 0, struct.pack("=BxHiII", 0, 0, index, UP, UP) + QUEUE)

    def add_address(self, index: int, address: str) -> None:
        self._ask(NEW_ADDRESS, CREATE | REPLACE, _address(index, address))

    def remove_address(self, index: int, address: str) -> None:
        self._ask(DELETE_ADDRESS, 0, _address(index, address), GONE)

    def add_default(self, index: int, family: int) -> None:
        self._ask(NEW_ROUTE, CREATE | REPLACE, _default(index, family))

    def remove_default(self, index: int, family: int) -> None:
        self._ask(DELETE_ROUTE, 0, _default(index, family), GONE)

    def close(self) -> None:
        self._socket.close()

    def _ask(self, kind: int, flags: int, body: bytes, harmless: tuple[int, ...] = ()) -> None:
        length = HEADER.size + len(body)
        self._socket.send(HEADER.pack(length, kind, REQUEST | ACKNOWLEDGE | flags, 0, 0) + body)
        reply = self._socket.recv(65536)
        (negative,) = struct.unpack_from("=i", reply, HEADER.size)
        if negative and -negative not in harmless:
            raise OSError(-negative, f"rtnetlink refuses message {kind}: {os.strerror(-negative)}")


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _address(index: int, address: str) -> bytes:
    binary = packed(address)
    head = struct.pack("=BBBBI", family(address), len(binary) * 8, NO_DAD if len(binary) == 16 else 0, 0, index)
    attributes = [struct.pack("=HH", 4 + len(binary), kind) + binary for kind in (1, 2)]  # IFA_ADDRESS, IFA_LOCAL
    return head + b"".join(attributes)


def _default(index: int, family_: int) -> bytes:
    head = struct.pack(
        "=BBBBBBBBI", family_, 0, 0, 0, MAIN, STATIC, LINK_SCOPE[socket.AddressFamily(family_)], UNICAST, 0
    )
    return head + struct.pack("=HHI", 8, 4, index)  # RTA_OIF
