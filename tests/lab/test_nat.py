"""The NAT maps as RFC 4787 names it: one port for all or one for each, open to all or to one, forgotten in time."""

from __future__ import annotations

from random import Random

import pytest

from tests.lab import packets
from tests.lab.nat import Manner, Nat
from tests.lab.packets import SYN, View, packed, parse

INNER, OUTER = packed("10.64.0.9"), packed("30.18.0.200")
ONE, OTHER = (packed("203.0.113.73"), 3478), (packed("203.0.113.74"), 3478)
HOP = packed("30.18.0.2")


def nat(**manner: object) -> Nat:
    return Nat(INNER, OUTER, Manner(**manner), Random(1))  # type: ignore[arg-type]


def out(one: Nat, to: tuple[bytes, int] = ONE, port: int = 5000, now: float = 0.0) -> View:
    (fate,) = one(packets.udp((INNER, port), to, b"ask"), True, now)
    return parse(fate.packet)


def back(one: Nat, view: View, sender: tuple[bytes, int] | None = None, now: float = 0.0) -> View | None:
    """What the line sees of an answer to what `view` asked, perhaps from somebody else."""
    sender = sender or (view.destination, view.destination_port)
    fates = one(packets.udp(sender, (view.source, view.source_port), b"answer"), False, now)
    return parse(fates[0].packet) if fates else None


@pytest.mark.parametrize("symmetric", [False, True])
def test_an_answer_finds_its_way_back(symmetric: bool) -> None:
    one = nat(symmetric=symmetric)
    asked = out(one)
    assert asked.source == OUTER
    answer = back(one, asked)
    assert answer is not None
    assert (answer.destination, answer.destination_port, answer.payload) == (INNER, 5000, b"answer")


def test_endpoint_independent_mapping_is_one_port_open_to_all() -> None:
    one = nat()
    assert out(one, ONE).source_port == out(one, OTHER).source_port != out(one, ONE, port=5001).source_port
    assert back(one, out(one, ONE), sender=OTHER) is not None


def test_symmetric_mapping_is_a_port_for_each_and_open_to_it_alone() -> None:
    one = nat(symmetric=True)
    assert out(one, ONE).source_port != out(one, OTHER).source_port
    assert out(one, ONE).source_port == out(one, ONE).source_port
    assert back(one, out(one, ONE), sender=OTHER) is None


def test_silence_ends_a_mapping_and_traffic_keeps_it() -> None:
    one = nat(timeout=20.0)
    asked = out(one)
    assert back(one, asked, now=19.0) is not None
    assert back(one, asked, now=38.0) is not None
    assert back(one, asked, now=60.0) is None
    assert out(one, now=61.0).source_port != asked.source_port
    assert back(one, asked, now=61.0) is None


def test_a_connection_outlasts_the_timer_of_udp() -> None:
    one = nat(timeout=20.0)
    (fate,) = one(packets.tcp((INNER, 5000), (ONE[0], 443), SYN, 1, 0), True, 0.0)
    port = parse(fate.packet).source_port
    assert one(packets.tcp((ONE[0], 443), (OUTER, port), packets.ACK, 1, 2), False, 500.0)


def test_nobody_unasked_comes_in_and_no_stranger_goes_out() -> None:
    one = nat()
    assert one(packets.udp(ONE, (OUTER, 4000), b""), False, 0.0) == ()
    assert one(packets.udp((packed("10.64.0.8"), 5000), ONE, b""), True, 0.0) == ()


def test_a_home_router_keeps_the_port_where_it_can() -> None:
    one = nat(preserves_ports=True, symmetric=True)
    assert out(one, ONE).source_port == 5000
    assert out(one, OTHER).source_port != 5000


def test_an_icmp_error_tells_the_line_of_its_own_packet() -> None:
    one = nat()
    error = packets.time_exceeded(out(one), HOP)
    (fate,) = one(error, False, 0.0)
    seen = parse(fate.packet)
    quoted = parse(seen.payload)
    assert (seen.source, seen.destination, seen.icmp) == (HOP, INNER, (11, 0))
    assert (quoted.source, quoted.source_port, quoted.destination) == (INNER, 5000, ONE[0])
    assert packets.total(seen.raw[:20]) == packets.total(seen.raw[20:]) == packets.total(quoted.raw[:20]) == 0


def test_an_icmp_error_of_the_line_tells_the_server_of_its_own_packet() -> None:
    one = nat()
    asked = out(one)
    answer = back(one, asked)
    assert answer is not None
    (fate,) = one(packets.unreachable(answer, INNER, 3), True, 0.0)
    quoted = parse(parse(fate.packet).payload)
    assert (quoted.destination, quoted.destination_port) == (OUTER, asked.source_port)
    assert one(packets.unreachable(parse(packets.udp(ONE, (INNER, 9), b"")), INNER), True, 0.0) == ()


def test_an_icmp_error_of_a_router_on_this_side_reaches_the_server() -> None:
    one = nat()
    asked = out(one)
    answer = back(one, asked)
    assert answer is not None
    (fate,) = one(packets.too_big(answer, packed("10.65.0.1"), 1280), True, 0.0)
    told = parse(fate.packet)
    assert (told.source, told.destination, told.icmp) == (OUTER, ONE[0], (3, 4))
    assert parse(told.payload).destination_port == asked.source_port


def test_ipv6_passes_as_it_is() -> None:
    raw = packets.udp((packed("2001:db8:a:100::2"), 1), (packed("2001:db8:113::7"), 2), b"")
    assert nat()(raw, True, 0.0)[0].packet is raw
