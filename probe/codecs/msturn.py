"""Messages of Microsoft's TURN ([MS-TURN] 2.2, on drafts STUN-02 and TURN-08): the dialect of the relays of Teams.

It is laid out like STUN, and differs where a reader of STUN goes wrong: values are not padded, NONCE and REALM have
swapped numbers, the cookie is an attribute and the transaction id all of the 16 bytes in front. Today's clients begin
that id with STUN's cookie, so that both can share a port; so do we.

A relay's reply is known by its header alone (`answers`): somebody who repeats our 12 random bytes has read us, even
if the rest is in another dialect. Names are spelt as in stun.py. To add an attribute, add a row.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from msgspec import Struct

from probe.codecs.stun import (
    COOKIE,
    HEADER_BYTES,
    MAX_ATTRIBUTES,
    Address,
    ErrorCode,
    MessageClass,
    Method,
    Value,
    pack_address,
    pack_error_code,
    pack_types,
    pack_unsigned,
    pack_xor_address,
    unpack_address,
    unpack_bytes,
    unpack_error_code,
    unpack_text,
    unpack_types,
    unpack_unsigned,
    unpack_xor_address,
)

MAGIC = 0x72C64BC6
ALLOCATE_REPLIES = (0x0103, 0x0113)

ATTRIBUTES: tuple[tuple[int, str, Callable[..., bytes], Callable[[bytes, bytes], Value]], ...] = (
    (0x0001, "MAPPED-ADDRESS", pack_address, unpack_address),
    (0x0006, "USERNAME", bytes, unpack_bytes),
    (0x0008, "MESSAGE-INTEGRITY", bytes, unpack_bytes),
    (0x0009, "ERROR-CODE", pack_error_code, unpack_error_code),
    (0x000A, "UNKNOWN-ATTRIBUTES", pack_types, unpack_types),
    (0x000D, "LIFETIME", pack_unsigned, unpack_unsigned),
    (0x000E, "ALTERNATE-SERVER", pack_address, unpack_address),
    (0x000F, "MAGIC-COOKIE", pack_unsigned, unpack_unsigned),
    (0x0010, "BANDWIDTH", pack_unsigned, unpack_unsigned),
    (0x0014, "NONCE", bytes, unpack_bytes),
    (0x0015, "REALM", str.encode, unpack_text),
    (0x8006, "MS-UNKNOWN-8006", pack_unsigned, unpack_unsigned),  # in what Teams sends; [MS-TURN] does not name it
    (0x8008, "MS-VERSION", pack_unsigned, unpack_unsigned),
    (0x8020, "XOR-MAPPED-ADDRESS", pack_xor_address, unpack_xor_address),
    (0x8037, "MS-APP-ID", pack_unsigned, unpack_unsigned),
    (0x8055, "MS-SERVICE-QUALITY", pack_unsigned, unpack_unsigned),  # two halves: of which stream, how good
    (0x8095, "MS-MULTIPLEXED-SESSION-ID", bytes, unpack_bytes),
)
TYPES = {name: number for number, name, _, _ in ATTRIBUTES}
PACKS = {name: pack for _, name, pack, _ in ATTRIBUTES}
UNPACKS = {number: unpack for number, _, _, unpack in ATTRIBUTES}


class Attribute(Struct, frozen=True):
    """An attribute as it came."""

    type: int
    value: bytes


class Message(Struct, frozen=True):
    """A message. `transaction_id` is 16 bytes; of an attribute that comes twice, the first counts."""

    message_type: int
    transaction_id: bytes
    attributes: tuple[Attribute, ...] = ()

    def value(self, name: str) -> Value | None:
        """What the attribute of this name says; None if there is none, or none that makes sense."""
        for attribute in self.attributes:
            if attribute.type == TYPES[name]:
                try:
                    return UNPACKS[attribute.type](attribute.value, self.transaction_id[4:])
                except ValueError:
                    return None
        return None

    @property
    def is_of_dialect(self) -> bool:
        """The message begins with the cookie, as all of this dialect do ([MS-TURN] 2.2.2)."""
        return self.attributes[:1] == (attribute("MAGIC-COOKIE", MAGIC),)

    @property
    def error_code(self) -> int | None:
        """The code of an error response, such as 401."""
        value = self.value("ERROR-CODE")
        return value.code if isinstance(value, ErrorCode) and self.message_type == ALLOCATE_REPLIES[1] else None

    @property
    def realm(self) -> str | None:
        """The realm as it is on the wire, where that of Teams has quotation marks."""
        value = self.value("REALM")
        return value if isinstance(value, str) else None

    @property
    def mapped_address(self) -> Address | None:
        """Our address as the relay saw it. The MAPPED-ADDRESS of a refusal is one of the relay's own."""
        value = self.value("XOR-MAPPED-ADDRESS")
        return value if isinstance(value, Address) else None


def parse(data: bytes) -> Message:
    """The message that is exactly these bytes. Raises ValueError with a sentence."""
    if len(data) < HEADER_BYTES:
        raise ValueError("An MS-TURN message is at least 20 bytes long.")
    message_type, length = struct.unpack_from("!HH", data)
    if message_type >> 14:
        raise ValueError("An MS-TURN message begins with two zero bits.")
    if length != len(data) - HEADER_BYTES:
        raise ValueError(f"The MS-TURN header promises {length} bytes, {len(data) - HEADER_BYTES} follow.")
    return Message(message_type, data[4:HEADER_BYTES], tuple(_attributes(data)))


def _attributes(data: bytes) -> Iterator[Attribute]:
    position, count = HEADER_BYTES, 0
    while position < len(data):
        count += 1
        if count > MAX_ATTRIBUTES:
            raise ValueError(f"The MS-TURN message has more than {MAX_ATTRIBUTES} attributes.")
        if position + 4 > len(data):
            raise ValueError("The MS-TURN message ends inside the header of an attribute.")
        number, length = struct.unpack_from("!HH", data, position)
        start, position = position + 4, position + 4 + length
        if position > len(data):
            raise ValueError(f"MS-TURN attribute 0x{number:04x} runs past the end of the message.")
        yield Attribute(number, data[start:position])


def pack(message: Message) -> bytes:
    """The bytes of a message; `pack(parse(data)) == data`."""
    body = b"".join(struct.pack("!HH", each.type, len(each.value)) + each.value for each in message.attributes)
    return struct.pack("!HH", message.message_type, len(body)) + message.transaction_id + body


def attribute(name: str, value: Value, transaction_id: bytes = b"") -> Attribute:
    """An attribute of the table; an XOR- attribute needs the 16 bytes of its message's transaction id."""
    packed = PACKS[name](value, transaction_id[4:]) if name.startswith("XOR-") else PACKS[name](value)
    return Attribute(TYPES[name], packed)


def allocate_request(transaction_id: bytes) -> bytes:
    """The 68 bytes with which Teams first asks a relay, without credentials; `transaction_id` is 12 random bytes."""
    asked = (
        attribute("MAGIC-COOKIE", MAGIC),
        attribute("MS-APP-ID", 2),
        attribute("MS-VERSION", 6),
        attribute("MS-UNKNOWN-8006", 1),
        attribute("BANDWIDTH", 12000),
        attribute("MS-SERVICE-QUALITY", 0x0002_0002),
    )
    return pack(Message(_type(Method.ALLOCATE, MessageClass.REQUEST), pack_unsigned(COOKIE) + transaction_id, asked))


def answer_to(request: bytes, data: bytes) -> Message | None:
    """The message with which a datagram begins, if it is a reply to our Allocate: it repeats its transaction id.

    Raises ValueError for a reply that cannot be read. RFC 8656's dialect pads, and then reads as nonsense.
    """
    if len(data) < HEADER_BYTES or data[4:HEADER_BYTES] != request[4:HEADER_BYTES] or data[:2] == request[:2]:
        return None
    message_type, length = struct.unpack_from("!HH", data)
    if message_type not in ALLOCATE_REPLIES:
        raise ValueError("It carries our transaction id, and is no reply to an Allocate.")
    return parse(data[: HEADER_BYTES + length])


def _type(method: Method, message_class: MessageClass) -> int:
    """The type of a message. None of the methods here has bits where those of the class are threaded in."""
    return method | (message_class & 0b01) << 4 | (message_class & 0b10) << 7
