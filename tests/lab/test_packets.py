"""Packets are read and made as RFC 791, 8200, 768, 9293, 792, 4443 and 1035 want: checked by sums of another kind."""

from __future__ import annotations

import struct

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.lab import packets
from tests.lab.packets import ACK, FIN, ICMP, ICMP6, PSH, RST, SYN, TCP, UDP, packed, parse

LINE = {4: packed("10.64.0.9"), 6: packed("2001:db8:a:100::2")}
SERVER = {4: packed("203.0.113.7"), 6: packed("2001:db8:113::7")}
HOP = {4: packed("30.18.0.1"), 6: packed("2001:db8:a::1")}
families = pytest.mark.parametrize("family", [4, 6])


def query(family: int, payload: bytes = b"hello", ttl: int = 64) -> bytes:
    return packets.udp((LINE[family], 5000), (SERVER[family], 53), payload, ttl)


def segment(family: int, flags: int = PSH | ACK, payload: bytes = b"hello") -> bytes:
    return packets.tcp((LINE[family], 5000), (SERVER[family], 443), flags, 1000, 2000, payload)


def folded(data: bytes) -> int:
    """RFC 1071 as it is written there."""
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value


def is_sound(raw: bytes) -> bool:
    """Lengths and checksums agree with what is there."""
    view = parse(raw)
    body = raw[view.start :]
    if view.version == 4:
        head = folded(raw[: view.start]) == 0xFFFF and int.from_bytes(raw[2:4]) == len(raw)
    else:
        head = int.from_bytes(raw[4:6]) == len(body)
    pseudo = view.source + view.destination + struct.pack("!II", len(body), view.protocol)
    return head and folded(body if view.protocol == ICMP else pseudo + body) == 0xFFFF


@families
@given(payload=some.binary(max_size=1400), ttl=some.integers(1, 255))
def test_what_is_made_is_sound_and_reads_as_meant(family: int, payload: bytes, ttl: int) -> None:
    raw = query(family, payload, ttl)
    view = parse(raw)
    assert is_sound(raw)
    assert (view.version, view.protocol, view.ttl, view.payload) == (family, UDP, ttl, payload)
    assert view.flow(True) == (UDP, LINE[family], 5000, SERVER[family], 53)
    assert parse(packets.reply_udp(view, b"x")).flow(False) == view.flow(True)
    segment_view = parse(segment(family, payload=payload))
    assert is_sound(segment_view.raw)
    assert (segment_view.seq, segment_view.ack, segment_view.flags) == (1000, 2000, PSH | ACK)
    assert segment_view.payload == payload


@families
@given(payload=some.binary(max_size=64), port=some.integers(0, 65535), ttl=some.integers(0, 255))
def test_what_is_changed_stays_sound(family: int, payload: bytes, port: int, ttl: int) -> None:
    for raw in (query(family, payload), segment(family, payload=payload), echo_request(family, payload)):
        changed = packets.readdressed(raw, source=(HOP[family], port))
        assert is_sound(changed)
        assert is_sound(packets.readdressed(raw, destination=(HOP[family], port)))
        assert is_sound(packets.with_ttl(raw, ttl))
        assert parse(packets.with_ttl(raw, ttl)).ttl == ttl
        back = packets.readdressed(changed, source=(LINE[family], parse(raw).source_port))
        assert parse(back).payload == parse(raw).payload


def echo_request(family: int, payload: bytes) -> bytes:
    """ICMP from the line, which has no ports."""
    return packets.icmp(LINE[family], SERVER[family], 128 if family == 6 else 8, 0, b"\0\1\0\1" + payload)


def test_a_udp_packet_without_a_checksum_stays_without_one() -> None:
    raw = query(4)
    bare = raw[:26] + b"\0\0" + raw[28:]
    assert packets.readdressed(bare, source=(HOP[4], 1))[26:28] == b"\0\0"


@families
def test_a_reset_to_a_syn_acknowledges_it(family: int) -> None:
    reset = parse(packets.reset_back(parse(segment(family, SYN, b""))))
    assert (reset.flags, reset.seq, reset.ack) == (RST | ACK, 0, 1001)
    assert is_sound(reset.raw)


@families
def test_resets_into_a_connection_carry_its_numbers(family: int) -> None:
    data = parse(segment(family))
    back, onward = parse(packets.reset_back(data)), parse(packets.reset_onward(data))
    assert (back.seq, back.ack, back.source) == (2000, 1005, SERVER[family])
    assert (onward.seq, onward.flags, onward.source) == (1000, RST, LINE[family])


@families
def test_what_is_said_in_a_servers_place_goes_on_from_what_was_said(family: int) -> None:
    data = parse(segment(family))
    first, last = parse(packets.reply_tcp(data, b"page")), parse(packets.reply_tcp(data, b"", FIN | ACK, offset=4))
    assert (first.seq, first.ack, first.payload) == (2000, 1005, b"page")
    assert (last.seq, last.flags, packets.after(last)) == (2004, FIN | ACK, 2005)


@families
def test_icmp_errors_quote_what_they_are_about(family: int) -> None:
    kinds = {4: [(ICMP, 3, 13), (ICMP, 11, 0), (ICMP, 3, 4)], 6: [(ICMP6, 1, 1), (ICMP6, 3, 0), (ICMP6, 2, 0)]}
    about = parse(segment(family))
    made = packets.unreachable(about, HOP[family]), packets.time_exceeded(about, HOP[family])
    views = [parse(raw) for raw in (*made, packets.too_big(about, HOP[family], 1280))]
    assert [(view.protocol, *view.icmp) for view in views] == kinds[family]
    assert all(is_sound(view.raw) and view.payload == about.raw for view in views)
    assert all((view.source, view.destination) == (HOP[family], LINE[family]) for view in views)
    assert int.from_bytes(views[2].raw[views[2].start + 4 : views[2].start + 8]) == 1280


@families
def test_dns_answers_are_those_of_the_question(family: int) -> None:
    qtype, addresses = ("A", ("192.0.2.1", "192.0.2.2")) if family == 4 else ("AAAA", ("2001:db8::1",))
    asked = dns.message.make_query("WWW.Neutral.Example", qtype)
    about = parse(query(family, asked.to_wire()))
    assert packets.dns_question(about.payload) == ("www.neutral.example", 1 if family == 4 else 28)
    raw = packets.reply_dns(about, addresses=tuple(map(packed, addresses)))
    reply = dns.message.from_wire(parse(raw).payload)
    assert is_sound(raw)
    assert asked.is_response(reply)
    assert [record.to_text() for record in reply.answer[0]] == list(addresses)
    refused = dns.message.from_wire(parse(packets.reply_dns(about, rcode=3)).payload)
    assert asked.is_response(refused)
    assert refused.rcode() == dns.rcode.NXDOMAIN


@given(junk=some.binary(max_size=80))
def test_what_is_no_question_is_none(junk: bytes) -> None:
    packets.dns_question(junk)
    assert packets.dns_question(junk[:16]) is None


def test_a_later_fragment_has_no_ports() -> None:
    raw = query(4)
    later = raw[:6] + b"\0\x10" + raw[8:]
    assert parse(later).fragment
    assert parse(later).source_port == 0
    assert parse(segment(4)).protocol == TCP
