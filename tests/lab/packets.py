"""Whole IP packets as bytes: read, answered, rewritten. Struct only, for every packet of every line comes through here.

`parse` gives a View. Addresses are packed bytes (`packed("203.0.113.7")`), so that they compare without being printed.
A filter that answers in somebody's place takes a `reply_…` or `reset_…` function: the new packet goes back to the
sender of the one that it is about, and seems to come from its destination.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache

ICMP, TCP, UDP, ICMP6, FRAGMENT = 1, 6, 17, 58, 44
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
V4, V6, TTL = 4, 6, 64
PORTS = struct.Struct("!HH")
TCP_START = struct.Struct("!HHII")
TCP_HEAD = struct.Struct("!HHIIBBHHH")
UDP_HEAD = struct.Struct("!HHHH")
IPV4_HEAD = struct.Struct("!BBHHHBBH4s4s")
IPV6_HEAD = struct.Struct("!IHBB16s16s")


@lru_cache(4096)
def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


class View:
    """A packet, read. Ports are 0 where there are none (ICMP, later fragments), `seq`, `ack`, `flags` without TCP."""

    __slots__ = (
        "ack", "destination", "destination_port", "flags", "fragment", "protocol", "raw", "seq", "source",
        "source_port", "start", "ttl", "version",
    )  # fmt: skip

    raw: bytes
    version: int  # 4 or 6
    protocol: int  # TCP, UDP, ICMP, ICMP6, or another number
    source: bytes
    destination: bytes
    ttl: int
    start: int  # where the transport's header begins
    fragment: bool  # not the first, so without a transport header
    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int

    @property
    def payload(self) -> bytes:
        """What TCP or UDP carries; of ICMP what follows its first 8 bytes."""
        if self.protocol == TCP:
            return self.raw[self.start + (self.raw[self.start + 12] >> 4) * 4 :]
        return self.raw[self.start + 8 :]

    @property
    def icmp(self) -> tuple[int, int]:
        """Type and code."""
        return self.raw[self.start], self.raw[self.start + 1]

    def far(self, up: bool) -> tuple[bytes, int]:
        """Of the internet's side."""
        return (self.destination, self.destination_port) if up else (self.source, self.source_port)

    def near(self, up: bool) -> tuple[bytes, int]:
        """Address and port of the line's side."""
        return (self.source, self.source_port) if up else (self.destination, self.destination_port)

    def flow(self, up: bool) -> tuple[int, bytes, int, bytes, int]:
        """The same for both directions of a flow: protocol, near address and port, far address and port."""
        return (self.protocol, *self.near(up), *self.far(up))


_last = View()
_last.raw = b""


def parse(raw: bytes) -> View:
    """Reads a packet. The stages of a path get the same object one after another, so the last one read is kept."""
    global _last
    if _last.raw is raw:
        return _last
    view = View()
    view.raw = raw
    view.version = raw[0] >> 4
    if view.version == V4:
        view.ttl, view.protocol, view.start = raw[8], raw[9], (raw[0] & 15) * 4
        view.source, view.destination = raw[12:16], raw[16:20]
        view.fragment = bool((raw[6] & 0x1F) or raw[7])
    else:
        view.ttl, view.protocol, view.start = raw[7], raw[6], 40
        view.source, view.destination = raw[8:24], raw[24:40]
        view.fragment = view.protocol == FRAGMENT
    _read_transport(view)
    _last = view
    return view


def _read_transport(view: View) -> None:
    view.source_port = view.destination_port = view.seq = view.ack = view.flags = 0
    raw, start = view.raw, view.start
    if view.fragment or view.protocol not in (TCP, UDP) or len(raw) < start + 8:
        return
    if view.protocol == TCP and len(raw) >= start + 20:
        view.source_port, view.destination_port, view.seq, view.ack = TCP_START.unpack_from(raw, start)
        view.flags = raw[start + 13]
    else:
        view.source_port, view.destination_port = PORTS.unpack_from(raw, start)


# --- Checksums ------------------------------------------------------------------------------------------------


def total(data: bytes) -> int:
    """The one's complement sum of 16-bit words (RFC 1071): a number modulo 65535."""
    value = int.from_bytes(data)
    return (value << 8 if len(data) % 2 else value) % 0xFFFF


def checksum(data: bytes) -> int:
    """Never 0, which UDP keeps for `none`; 0xFFFF is the other zero."""
    return 0xFFFF - total(data)


def adjusted(old: int, removed: int, added: int) -> int:
    """The checksum after words that sum up to `removed` became others (RFC 1624)."""
    return 0xFFFF - (0xFFFF - old - removed + added) % 0xFFFF


def transport_checksum(source: bytes, destination: bytes, protocol: int, segment: bytes) -> int:
    return checksum(source + destination + struct.pack("!II", len(segment), protocol) + segment)


# --- Making packets -------------------------------------------------------------------------------------------


def ip(source: bytes, destination: bytes, protocol: int, segment: bytes, ttl: int = TTL) -> bytes:
    """A packet of the family of its addresses, around a finished segment."""
    if len(source) == 16:
        return IPV6_HEAD.pack(0x60000000, len(segment), protocol, ttl, source, destination) + segment
    head = IPV4_HEAD.pack(0x45, 0, 20 + len(segment), 0, 0x4000, ttl, protocol, 0, source, destination)
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + segment


def udp(source: tuple[bytes, int], destination: tuple[bytes, int], payload: bytes, ttl: int = TTL) -> bytes:
    head = UDP_HEAD.pack(source[1], destination[1], 8 + len(payload), 0)
    value = transport_checksum(source[0], destination[0], UDP, head + payload)
    return ip(source[0], destination[0], UDP, head[:6] + value.to_bytes(2) + payload, ttl)


def tcp(
    source: tuple[bytes, int], destination: tuple[bytes, int], flags: int, seq: int, ack: int,
    payload: bytes = b"", ttl: int = TTL, window: int = 8192,
) -> bytes:  # fmt: skip
    numbers = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    head = TCP_HEAD.pack(source[1], destination[1], *numbers, 0x50, flags, window, 0, 0)
    value = transport_checksum(source[0], destination[0], TCP, head + payload)
    return ip(source[0], destination[0], TCP, head[:16] + value.to_bytes(2) + head[18:] + payload, ttl)


def icmp(source: bytes, destination: bytes, kind: int, code: int, rest: bytes, ttl: int = TTL) -> bytes:
    """`rest` is everything behind the checksum. ICMPv6 where the addresses are IPv6's."""
    head = bytes((kind, code, 0, 0))
    value, protocol = checksum(head + rest), ICMP
    if len(source) == 16:
        value, protocol = transport_checksum(source, destination, ICMP6, head + rest), ICMP6
    return ip(source, destination, protocol, head[:2] + value.to_bytes(2) + rest, ttl)


# --- Answers to a packet --------------------------------------------------------------------------------------


def reply_udp(about: View, payload: bytes, ttl: int = TTL) -> bytes:
    """A datagram as from whom `about` was sent to."""
    return udp((about.destination, about.destination_port), (about.source, about.source_port), payload, ttl)


def reply_tcp(about: View, payload: bytes, flags: int = PSH | ACK, offset: int = 0, ttl: int = TTL) -> bytes:
    """Data (or a FIN) as from whom `about` was sent to; `offset` is how much was already said in its place."""
    source = about.destination, about.destination_port
    return tcp(source, (about.source, about.source_port), flags, about.ack + offset, after(about), payload, ttl)


def reset_back(about: View, ttl: int = TTL) -> bytes:
    """A RST to the sender, as from the other end: also in answer to a SYN (RFC 9293, section 3.5.2)."""
    source = about.destination, about.destination_port
    seq = about.ack if about.flags & ACK else 0
    return tcp(source, (about.source, about.source_port), RST | ACK, seq, after(about), ttl=ttl, window=0)


def reset_onward(about: View, ttl: int = TTL) -> bytes:
    """A RST to the receiver, as from the sender, in place of what it sent."""
    destination = about.destination, about.destination_port
    return tcp((about.source, about.source_port), destination, RST, about.seq, 0, ttl=ttl, window=0)


def after(view: View) -> int:
    """The sequence number behind everything that a TCP segment carries."""
    return (view.seq + len(view.payload) + bool(view.flags & SYN) + bool(view.flags & FIN)) & 0xFFFFFFFF


def unreachable(about: View, sender: bytes, code: int | None = None, ttl: int = TTL) -> bytes:
    """ICMP destination unreachable; the code (default: administratively prohibited) is of the packet's family."""
    kind, prohibited = (3, 13) if about.version == V4 else (1, 1)
    return _error(about, sender, kind, prohibited if code is None else code, 0, ttl)


def time_exceeded(about: View, sender: bytes, ttl: int = TTL) -> bytes:
    return _error(about, sender, 11 if about.version == V4 else 3, 0, 0, ttl)


def too_big(about: View, sender: bytes, mtu: int, ttl: int = TTL) -> bytes:
    """ICMP fragmentation needed, or ICMPv6 packet too big."""
    kind, code = (3, 4) if about.version == V4 else (2, 0)
    return _error(about, sender, kind, code, mtu, ttl)


def _error(about: View, sender: bytes, kind: int, code: int, value: int, ttl: int) -> bytes:
    """Quotes as much as routers do: RFC 1812 wants 576 bytes in all, RFC 4443 1280."""
    quoted = about.raw[: 548 if about.version == V4 else 1232]
    return icmp(sender, about.source, kind, code, struct.pack("!I", value) + quoted, ttl)


# --- Changing packets -----------------------------------------------------------------------------------------


def with_ttl(raw: bytes, ttl: int) -> bytes:
    if raw[0] >> 4 == V6:
        return raw[:7] + bytes((ttl,)) + raw[8:]
    value = adjusted(int.from_bytes(raw[10:12]), raw[8] << 8, ttl << 8)
    return raw[:8] + bytes((ttl,)) + raw[9:10] + value.to_bytes(2) + raw[12:]


def readdressed(
    raw: bytes, source: tuple[bytes, int] | None = None, destination: tuple[bytes, int] | None = None
) -> bytes:
    """The same packet from or to another address and port (of the same family), its checksums adjusted."""
    view = parse(raw)
    new_source = source or (view.source, view.source_port)
    new_destination = destination or (view.destination, view.destination_port)
    addresses = new_source[0] + new_destination[0]
    changed = bytearray(raw)
    if view.version == V4:
        changed[10:20] = b"\0\0" + addresses
        changed[10:12] = checksum(bytes(changed[: view.start])).to_bytes(2)
    else:
        changed[8:40] = addresses
    _readdress_transport(changed, view, addresses, (new_source[1], new_destination[1]))
    return bytes(changed)


def _readdress_transport(changed: bytearray, view: View, addresses: bytes, ports: tuple[int, int]) -> None:
    at = view.start + {TCP: 16, UDP: 6, ICMP6: 2}.get(view.protocol, 0)
    if at == view.start or view.fragment:
        return
    if view.protocol == ICMP6:
        ports = 0, 0
    else:
        PORTS.pack_into(changed, view.start, *ports)
    old = int.from_bytes(changed[at : at + 2])
    if len(changed) < at + 2 or (view.protocol == UDP and not old):  # quoted in part; a UDP checksum of 0 is none
        return
    removed = total(view.source + view.destination) + view.source_port + view.destination_port
    changed[at : at + 2] = adjusted(old, removed, total(addresses) + sum(ports)).to_bytes(2)


# --- DNS over UDP ---------------------------------------------------------------------------------------------


def dns_question(payload: bytes) -> tuple[str, int] | None:
    """The name (lower case, without the last dot) and type of a message with one question; None for anything else."""
    if len(payload) < 17 or payload[4:6] != b"\0\1":
        return None
    labels, at = [], 12
    while at < len(payload) and payload[at]:
        labels.append(payload[at + 1 : at + 1 + payload[at]])
        at += 1 + payload[at]
    if len(payload) < at + 5:
        return None
    return b".".join(labels).decode("latin-1").lower(), int.from_bytes(payload[at + 1 : at + 3])


def dns_answer(query: bytes, rcode: int = 0, addresses: tuple[bytes, ...] = (), ttl: int = 60) -> bytes:
    """A message that answers the one question of `query`: an rcode, or addresses of the asked type."""
    end = 12
    while query[end]:
        end += 1 + query[end]
    question = query[12 : end + 5]
    head = query[:2] + bytes((0x80 | query[2] & 0x79, 0x80 | rcode)) + struct.pack("!HHHH", 1, len(addresses), 0, 0)
    kind = question[-4:-2]
    records = (b"\xc0\x0c" + kind + struct.pack("!HIH", 1, ttl, len(one)) + one for one in addresses)
    return head + question + b"".join(records)


def reply_dns(about: View, rcode: int = 0, addresses: tuple[bytes, ...] = (), ttl: int = 60) -> bytes:
    """Answers a DNS query over UDP, as from the resolver that was asked."""
    return reply_udp(about, dns_answer(about.payload, rcode, addresses, ttl))
