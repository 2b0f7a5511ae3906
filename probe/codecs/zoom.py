"""What Zoom's client asks a zone controller over UDP, to learn what its NAT does.

It is laid out like a message of classic STUN (RFC 3489): type, length, a transaction id of 16 bytes, attributes. Types
and attributes are Zoom's own: request 0x0001 with attribute 0x0101, a fixed text; answer 0x0002 with attribute 0x0103,
the address that was seen. Source: nDPI zoom.pcap, frames 34 and 60 (2019-09).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from msgspec import Struct

HEADER_BYTES = 20
MAX_ATTRIBUTES = 1024  # genuine messages have some ten
REQUEST, ANSWER = 0x0001, 0x0002
TEXT, SEEN_ADDRESS = 0x0101, 0x0103
ADDRESS_BYTES = 8
FIXED_TEXT = b"1234567890123456789\0"


class Message(Struct, frozen=True):
    """A message. `transaction_id` is 16 bytes; an attribute is its type and its value."""

    message_type: int
    transaction_id: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()

    @property
    def is_zone_controllers(self) -> bool:
        """The message is in the dialect that only Zoom's servers speak."""
        seen = any(number == SEEN_ADDRESS and len(value) == ADDRESS_BYTES for number, value in self.attributes)
        return self.message_type == ANSWER and seen


def parse(data: bytes) -> Message:
    """The message that is exactly these bytes. Raises ValueError with a sentence."""
    if len(data) < HEADER_BYTES:
        raise ValueError("A message of a zone controller is at least 20 bytes long.")
    message_type, length = struct.unpack_from("!HH", data)
    if length != len(data) - HEADER_BYTES:
        raise ValueError(f"The zone controller's header promises {length} bytes, {len(data) - HEADER_BYTES} follow.")
    return Message(message_type, data[4:HEADER_BYTES], tuple(_attributes(data)))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position, count = HEADER_BYTES, 0
    while position < len(data):
        count += 1
        if count > MAX_ATTRIBUTES:
            raise ValueError(f"The zone controller's message has more than {MAX_ATTRIBUTES} attributes.")
        if position + 4 > len(data):
            raise ValueError("The zone controller's message ends inside the header of an attribute.")
        number, length = struct.unpack_from("!HH", data, position)
        start, position = position + 4, position + 4 + length
        if position > len(data):
            raise ValueError(f"The zone controller's attribute 0x{number:04x} runs past the end of the message.")
        yield number, data[start:position]


def pack(message: Message) -> bytes:
    """The bytes of a message; `pack(parse(data)) == data`."""
    body = b"".join(struct.pack("!HH", number, len(value)) + value for number, value in message.attributes)
    return struct.pack("!HH", message.message_type, len(body)) + message.transaction_id + body


def request(transaction_id: bytes) -> bytes:
    """The 44 bytes of the question; `transaction_id` is 16 random bytes."""
    return pack(Message(REQUEST, transaction_id, ((TEXT, FIXED_TEXT),)))


def answer_to(asked: bytes, data: bytes) -> Message | None:
    """The message with which a datagram begins, if it repeats the question's transaction id and is no question.

    Raises ValueError for one that cannot be read.
    """
    message_type, length = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
    if data[4:HEADER_BYTES] != asked[4:HEADER_BYTES] or message_type == REQUEST:
        return None
    return parse(data[: HEADER_BYTES + length])
