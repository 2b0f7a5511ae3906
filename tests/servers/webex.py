"""A media server of Webex, as it greeted back in 2015: type 2, and a number."""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers import datagrams
from tests.servers.datagrams import Address


def answer(data: bytes, sender: Address) -> Sequence[bytes]:
    if len(data) != 8 or data[0] != 1:
        return ()
    return (bytes([2, 0, 0, 0, 0, *sender[1].to_bytes(2), data[7]]),)


if __name__ == "__main__":
    datagrams.main("a media server of Webex", {"genuine": answer})
