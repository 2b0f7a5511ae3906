"""Discord's gateway: the first message that it sends, before anybody has said who they are."""

from __future__ import annotations

import msgspec
from msgspec import Struct

HELLO = 10  # developers/events/gateway, opcodes
MAX_INTERVAL_MS = 3_600_000


class _Data(Struct):
    heartbeat_interval: int


class _Message(Struct):
    op: int
    d: msgspec.Raw = msgspec.Raw(b"null")


def heartbeat_interval(message: bytes) -> int:
    """The interval of a Hello, in milliseconds. Raises ValueError with a sentence for anything else."""
    try:
        read = msgspec.json.decode(message, type=_Message)
        if read.op != HELLO:
            raise ValueError(f"Discord's gateway begins with opcode {HELLO}, not {read.op}.")
        interval = msgspec.json.decode(read.d, type=_Data).heartbeat_interval
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("A message of Discord's gateway is a JSON object with an opcode.") from error
    if not 0 < interval <= MAX_INTERVAL_MS:
        raise ValueError("Discord's gateway names an interval of some seconds.")
    return interval
