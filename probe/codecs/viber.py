"""Viber's greeting over TCP 5242, and how its servers' messages are framed.

A message begins with its own length, two bytes, little-endian, the two included. The greeting of 24 bytes has nothing
random in it and nothing about anybody; the answer is of the kind 03 80 and does not repeat anything of the greeting.
Source: nDPI viber.pcap, frames 443 and 445 (2018 to 2022), and viber.c: the bytes by which nDPI knows both.
"""

from __future__ import annotations

import struct

GREETING = bytes.fromhex("180000000000fcff05800900000000000000000033000000")
MARKS = ((4, b"\x03\x80"), (10, b"\x0a"))  # where in an answer, and what
LEAST = 12  # bytes: up to the last mark


class Session:
    """The answer to one greeting, as its pieces come."""

    def __init__(self) -> None:
        self._read = b""

    def receive(self, data: bytes) -> bytes | None:
        """The whole answer; None while more is to come. Raises ValueError as soon as it cannot be one."""
        self._read += data
        for position, mark in MARKS:
            part = self._read[position : position + len(mark)]
            if part != mark[: len(part)]:
                raise ValueError("This is not how Viber's servers answer a greeting.")
        if len(self._read) < 2:
            return None
        (size,) = struct.unpack_from("<H", self._read)
        if size < LEAST:
            raise ValueError(f"An answer of Viber's is at least {LEAST} bytes long, by its own count, and not {size}.")
        return self._read[:size] if len(self._read) >= size else None
