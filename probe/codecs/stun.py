"""STUN and TURN messages (RFC 8489, RFC 8656): bytes to values and back, byte for byte.

A message keeps each attribute as it came: type, value, padding. Reading a value is a separate step, because the two
go wrong differently. Framing that does not add up is not a STUN message, and `parse` raises. A value that makes no
sense reads as absent: a reply that carries our transaction id was sent by somebody who read our request, whatever
else it carries, and calling it silence would accuse a network.

Names are spelt as in the RFCs, so that ATTRIBUTES can be compared with the registry. To add an attribute, add a row.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple, TypeVar

from msgspec import Struct

COOKIE = 0x2112A442
HEADER_BYTES = 20
MAX_ATTRIBUTES = 1024  # genuine messages have some ten
FINGERPRINT_XOR = 0x5354554E
UDP_PROTOCOL = 17
GOOGLE_OWN = 0xFF05  # Google's, without a name in the registry; in nDPI stun.pcap, frame 17


class Method(IntEnum):
    BINDING = 0x001
    ALLOCATE = 0x003


class MessageClass(IntEnum):
    REQUEST = 0
    INDICATION = 1
    RESPONSE = 2
    ERROR = 3


class Address(NamedTuple):
    ip: str
    port: int


class ErrorCode(NamedTuple):
    code: int
    reason: str


Value = str | int | bytes | Address | ErrorCode | tuple[int, ...]
V = TypeVar("V", str, int, bytes, Address, ErrorCode)

# --- Values of attributes. Each `unpack` takes the value and the transaction id, and raises ValueError. ------------


def pack_address(value: Address) -> bytes:
    """An address (RFC 8489 section 14.1): a zero, the family, the port, the address itself."""
    ip = ipaddress.ip_address(value.ip)
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, value.port) + ip.packed


def unpack_address(value: bytes, transaction_id: bytes) -> Address:
    if len(value) < 4:
        raise ValueError("A STUN address is at least 4 bytes long.")
    _, family, port = struct.unpack_from("!BBH", value)
    if family not in (1, 2):
        raise ValueError(f"A STUN address is of family 1 or 2, not {family}.")
    if len(value) != (8 if family == 1 else 20):
        raise ValueError("The length of a STUN address does not match its family.")
    return Address(str(ipaddress.ip_address(value[4:])), port)


def _xor_address(value: bytes, transaction_id: bytes) -> bytes:
    """Port and address XORed with the cookie and the transaction id (RFC 8489 section 14.2). Its own inverse."""
    cookie = struct.pack("!I", COOKIE)
    mask = bytes(2) + cookie[:2] + cookie + transaction_id
    return bytes(byte ^ key for byte, key in zip(value, mask, strict=False))


def pack_xor_address(value: Address, transaction_id: bytes) -> bytes:
    return _xor_address(pack_address(value), transaction_id)


def unpack_xor_address(value: bytes, transaction_id: bytes) -> Address:
    if len(value) > HEADER_BYTES:
        raise ValueError("A STUN address is at most 20 bytes long.")
    return unpack_address(_xor_address(value, transaction_id), transaction_id)


def unpack_text(value: bytes, transaction_id: bytes) -> str:
    return value.decode(errors="replace")


def unpack_bytes(value: bytes, transaction_id: bytes) -> bytes:
    return value


def pack_error_code(value: ErrorCode) -> bytes:
    """An error code (RFC 8489 section 14.8): the hundreds, the rest, the reason."""
    hundreds, rest = divmod(value.code, 100)
    return struct.pack("!HBB", 0, hundreds, rest) + value.reason.encode()


def unpack_error_code(value: bytes, transaction_id: bytes) -> ErrorCode:
    if len(value) < 4:
        raise ValueError("A STUN error code is at least 4 bytes long.")
    hundreds, rest = value[2] & 0b111, value[3]
    if not 3 <= hundreds <= 6 or rest > 99:
        raise ValueError("A STUN error code is between 300 and 699.")
    return ErrorCode(hundreds * 100 + rest, unpack_text(value[4:], transaction_id))


def pack_unsigned(value: int) -> bytes:
    return struct.pack("!I", value)


def unpack_unsigned(value: bytes, transaction_id: bytes) -> int:
    if len(value) != 4:
        raise ValueError("A STUN unsigned integer is 4 bytes long.")
    return int.from_bytes(value)


def pack_protocol(value: int) -> bytes:
    """The number of an IP protocol, and three bytes for future use (RFC 8656 section 18.7)."""
    return struct.pack("!B3x", value)


def unpack_protocol(value: bytes, transaction_id: bytes) -> int:
    return unpack_unsigned(value, transaction_id) >> 24


def pack_types(value: tuple[int, ...]) -> bytes:
    return struct.pack(f"!{len(value)}H", *value)


def unpack_types(value: bytes, transaction_id: bytes) -> tuple[int, ...]:
    if len(value) % 2:
        raise ValueError("A list of STUN attribute types is of even length.")
    return struct.unpack(f"!{len(value) // 2}H", value)


ATTRIBUTES: tuple[tuple[int, str, Callable[..., bytes], Callable[[bytes, bytes], Value]], ...] = (
    (0x0001, "MAPPED-ADDRESS", pack_address, unpack_address),
    (0x0006, "USERNAME", str.encode, unpack_text),
    (0x0008, "MESSAGE-INTEGRITY", bytes, unpack_bytes),
    (0x0009, "ERROR-CODE", pack_error_code, unpack_error_code),
    (0x000A, "UNKNOWN-ATTRIBUTES", pack_types, unpack_types),
    (0x000D, "LIFETIME", pack_unsigned, unpack_unsigned),
    (0x0012, "XOR-PEER-ADDRESS", pack_xor_address, unpack_xor_address),
    (0x0014, "REALM", str.encode, unpack_text),
    (0x0015, "NONCE", str.encode, unpack_text),
    (0x0016, "XOR-RELAYED-ADDRESS", pack_xor_address, unpack_xor_address),
    (0x0019, "REQUESTED-TRANSPORT", pack_protocol, unpack_protocol),
    (0x0020, "XOR-MAPPED-ADDRESS", pack_xor_address, unpack_xor_address),
    (0x8022, "SOFTWARE", str.encode, unpack_text),
    (0x8023, "ALTERNATE-SERVER", pack_address, unpack_address),
    (0x8028, "FINGERPRINT", pack_unsigned, unpack_unsigned),
    (0x802B, "RESPONSE-ORIGIN", pack_address, unpack_address),  # RFC 5780
    (0x802C, "OTHER-ADDRESS", pack_address, unpack_address),  # RFC 5780
)
TYPES = {name: number for number, name, _, _ in ATTRIBUTES}
PACKS = {name: pack for _, name, pack, _ in ATTRIBUTES}
UNPACKS = {number: unpack for number, _, _, unpack in ATTRIBUTES}


# --- Messages -------------------------------------------------------------------------------------------------


class Attribute(Struct, frozen=True):
    """An attribute as it came; `padding` is what followed the value up to a multiple of 4 bytes, whatever it held."""

    type: int
    value: bytes
    padding: bytes = b""


class Message(Struct, frozen=True):
    """A message. Of an attribute that comes twice, the first counts (RFC 8489 section 14)."""

    method: int
    message_class: MessageClass
    transaction_id: bytes
    attributes: tuple[Attribute, ...] = ()

    def value(self, name: str) -> Value | None:
        """What the attribute of this name says; None if there is none, or none that makes sense."""
        for attribute in self.attributes:
            if attribute.type == TYPES[name]:
                try:
                    return UNPACKS[attribute.type](attribute.value, self.transaction_id)
                except ValueError:
                    return None
        return None

    @property
    def error_code(self) -> int | None:
        """The code of an error response, such as 401."""
        error = _of(ErrorCode, self.value("ERROR-CODE"))
        return error.code if error and self.message_class is MessageClass.ERROR else None

    @property
    def reason(self) -> str | None:
        error = _of(ErrorCode, self.value("ERROR-CODE"))
        return error.reason if error else None

    @property
    def realm(self) -> str | None:
        return _of(str, self.value("REALM"))

    @property
    def nonce(self) -> str | None:
        return _of(str, self.value("NONCE"))

    @property
    def software(self) -> str | None:
        return _of(str, self.value("SOFTWARE"))

    @property
    def mapped_address(self) -> Address | None:
        """Our address as the server saw it. The plain form comes second: old NATs rewrite it."""
        xored = _of(Address, self.value("XOR-MAPPED-ADDRESS"))
        return xored or _of(Address, self.value("MAPPED-ADDRESS"))

    @property
    def response_origin(self) -> Address | None:
        return _of(Address, self.value("RESPONSE-ORIGIN"))

    @property
    def fingerprint_valid(self) -> bool | None:
        """The CRC-32 holds over the bytes that came (RFC 8489 section 14.7); None when there is none."""
        if all(attribute.type != TYPES["FINGERPRINT"] for attribute in self.attributes):
            return None
        last = self.attributes[-1]
        expected = pack_unsigned(zlib.crc32(pack(self)[: -4 - len(last.value)]) ^ FINGERPRINT_XOR)
        return last == Attribute(TYPES["FINGERPRINT"], expected)


def _of(kind: type[V], value: Value | None) -> V | None:
    return value if isinstance(value, kind) else None


def parse(data: bytes) -> Message:
    """The message that is exactly these bytes. Raises ValueError with a sentence."""
    if len(data) < HEADER_BYTES:
        raise ValueError("A STUN message is at least 20 bytes long.")
    message_type, length, cookie = struct.unpack_from("!HHI", data)
    if message_type >> 14:
        raise ValueError("A STUN message begins with two zero bits.")
    if cookie != COOKIE:
        raise ValueError("The magic cookie of STUN is missing.")
    if length != len(data) - HEADER_BYTES:
        raise ValueError(f"The STUN header promises {length} bytes, {len(data) - HEADER_BYTES} follow.")
    # RFC 8489 section 5: the two bits of the class are threaded through the twelve of the method.
    method = message_type & 0x000F | message_type >> 1 & 0x0070 | message_type >> 2 & 0x0F80
    message_class = MessageClass(message_type >> 4 & 0b01 | message_type >> 7 & 0b10)
    return Message(method, message_class, data[8:HEADER_BYTES], tuple(_attributes(data)))


def _attributes(data: bytes) -> Iterator[Attribute]:
    position, count = HEADER_BYTES, 0
    while position < len(data):
        count += 1
        if count > MAX_ATTRIBUTES:
            raise ValueError(f"The STUN message has more than {MAX_ATTRIBUTES} attributes.")
        if position + 4 > len(data):
            raise ValueError("The STUN message ends inside the header of an attribute.")
        number, length = struct.unpack_from("!HH", data, position)
        start, end = position + 4, position + 4 + length
        if end > len(data):
            raise ValueError(f"STUN attribute 0x{number:04x} runs past the end of the message.")
        position = end + -length % 4
        # Some servers leave the last value unpadded; the slice then gives what there is.
        yield Attribute(number, data[start:end], data[end:position])


def pack(message: Message) -> bytes:
    """The bytes of a message; `pack(parse(data)) == data`."""
    method, kind = message.method, message.message_class
    message_type = method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2
    message_type |= (kind & 0b01) << 4 | (kind & 0b10) << 7
    body = b"".join(
        struct.pack("!HH", attribute.type, len(attribute.value)) + attribute.value + attribute.padding
        for attribute in message.attributes
    )
    return struct.pack("!HHI", message_type, len(body), COOKIE) + message.transaction_id + body


def attribute(name: str, value: Value, transaction_id: bytes = b"") -> Attribute:
    """An attribute of the table, padded with zeros; XOR- attributes need the transaction id of their message."""
    packed = PACKS[name](value, transaction_id) if name.startswith("XOR-") else PACKS[name](value)
    return Attribute(TYPES[name], packed, bytes(-len(packed) % 4))


def binding_request(transaction_id: bytes, padding: int = 0) -> bytes:
    """The 20 bytes that ask a server where it sees us; `transaction_id` is 12 random bytes.

    `padding`: so many bytes more, 0 or 8 and a multiple of 4, in a SOFTWARE that every server may overlook.
    """
    software = (attribute("SOFTWARE", "-" * (padding - 4)),) if padding else ()
    return pack(Message(Method.BINDING, MessageClass.REQUEST, transaction_id, software))


def allocate_request(transaction_id: bytes) -> bytes:
    """The 28 bytes that ask a relay for a UDP allocation, as the apps first ask: without credentials."""
    transport = attribute("REQUESTED-TRANSPORT", UDP_PROTOCOL)
    return pack(Message(Method.ALLOCATE, MessageClass.REQUEST, transaction_id, (transport,)))


def google_allocate_request(transaction_id: bytes) -> bytes:
    """The 40 bytes with which Google's clients first ask: with an attribute of their own."""
    transport = attribute("REQUESTED-TRANSPORT", UDP_PROTOCOL)
    own = Attribute(GOOGLE_OWN, b"TY_null", bytes(1))
    return pack(Message(Method.ALLOCATE, MessageClass.REQUEST, transaction_id, (transport, own)))


def answer_to(request: bytes, data: bytes) -> Message | None:
    """The message with which a datagram begins, if it answers the request; bytes behind it are nobody's.

    Raises ValueError for an answer that cannot be read: it repeats our transaction id and is no request.
    """
    if len(data) < HEADER_BYTES or data[4:HEADER_BYTES] != request[4:HEADER_BYTES] or not _is_reply(data):
        return None
    message = parse(data[: HEADER_BYTES + int.from_bytes(data[2:4])])
    if not answers(request, message):
        raise ValueError("It carries our transaction id, and answers another method.")
    return message


def _is_reply(data: bytes) -> bool:
    """The class is a response's or an error's, by one bit, which our own bytes, sent back, have not."""
    return bool(data[0] & 0b1)


def answers(request: bytes, message: Message) -> bool:
    """The message is the response or the error response to the request (RFC 8489 section 6.3)."""
    asked = parse(request)
    return (
        message.message_class in (MessageClass.RESPONSE, MessageClass.ERROR)
        and message.method == asked.method
        and message.transaction_id == asked.transaction_id
    )
