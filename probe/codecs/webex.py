"""The 8 bytes with which Webex's client of 2015 greets a media server over UDP, and the 8 that come back.

Nothing of the greeting is random, and the answer repeats nothing of it: type 1 is answered by type 2 and a number that
counts. Source: nDPI webex.pcap, frames 1016 to 1019 (2015); libprotoident, lpi_webex.cc.
"""

from __future__ import annotations

GREETING = bytes.fromhex("0100000000000001")
ANSWER_HEAD = bytes.fromhex("02000000")


def is_answer(data: bytes) -> bool:
    """The datagram is an answer. Raises ValueError for one that begins so and has another length."""
    if data.startswith(ANSWER_HEAD) and len(data) != len(GREETING):
        raise ValueError("An answer of Webex's is as long as the greeting.")
    return data.startswith(ANSWER_HEAD)
