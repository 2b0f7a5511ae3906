"""Addresses that are dropped, reset, rejected and led elsewhere."""

from __future__ import annotations

import pytest

from tests.lab.filters.crafted import (
    OTHER,
    OTHER6,
    SERVER,
    SERVER6,
    made,
    passes,
    tcp_down,
    tcp_up,
    udp_down,
    udp_up,
    views,
)
from tests.lab.filters.ip import HOP, HOP6
from tests.lab.packets import ACK, ICMP, ICMP6, RST, SYN, packed, parse


def test_addresses_ports_and_protocol_together_say_what_is_dropped() -> None:
    drop = made("ip.drop", addresses=(SERVER, SERVER6), ports=(443,), protocol="tcp")
    assert not passes(drop, tcp_up(flags=SYN))
    assert not passes(drop, tcp_up(flags=SYN, server=SERVER6))
    assert not passes(drop, tcp_down(), up=False)
    assert passes(drop, tcp_up(flags=SYN, server=OTHER))
    assert passes(drop, tcp_up(flags=SYN, port=5222))
    assert passes(drop, udp_up(b"x", 443))


@pytest.mark.parametrize(
    ("direction", "up", "down"), [("up", False, True), ("down", True, False), ("both", False, False)]
)
def test_a_direction_may_be_spared(direction: str, up: bool, down: bool) -> None:
    drop = made("ip.drop", addresses=(SERVER,), direction=direction)
    assert passes(drop, udp_up(b"x")) is up
    assert passes(drop, udp_down(b"x"), up=False) is down


def test_without_addresses_everything_is_meant() -> None:
    assert not passes(made("ip.drop", protocol="udp"), udp_up(b"x", 9, OTHER))


@pytest.mark.parametrize("server", [SERVER, SERVER6])
def test_a_syn_is_answered_with_a_reset_in_the_servers_name(server: str) -> None:
    syn = tcp_up(flags=SYN, server=server)
    ((view, up),) = views(made("ip.reset", addresses=(server,), ttl=99)(syn, True, 0.0))
    assert (view.source, view.destination, view.ttl, up) == (packed(server), parse(syn).source, 99, False)
    assert view.flags & RST
    assert view.ack == parse(syn).seq + 1


def test_only_syns_are_reset() -> None:
    reset = made("ip.reset", addresses=(SERVER,), ports=(443,))
    assert passes(reset, tcp_up(b"data"))
    assert passes(reset, tcp_down(flags=SYN | ACK), up=False)
    assert passes(reset, tcp_up(flags=SYN, port=80))


@pytest.mark.parametrize(
    ("server", "code", "expected"),
    [(SERVER, 13, (3, 13)), (SERVER, 1, (3, 1)), (SERVER6, 13, (1, 1)), (SERVER6, 3, (1, 4)), (SERVER6, 1, (1, 3))],
)
def test_a_router_rejects_with_the_code_of_the_family(server: str, code: int, expected: tuple[int, int]) -> None:
    packet = udp_up(b"x" * 28, server=server)
    ((view, up),) = views(made("ip.reject", addresses=(server,), protocol="udp", code=code)(packet, True, 0.0))
    assert (view.icmp, up) == (expected, False)
    assert (view.protocol, view.source) == ((ICMP, packed(HOP)) if server == SERVER else (ICMP6, packed(HOP6)))
    assert packet[:28] in view.raw  # what was rejected is quoted


@pytest.mark.parametrize("server", [SERVER, SERVER6])
def test_a_box_rejects_in_the_servers_own_name(server: str) -> None:
    reject = made("ip.reject", addresses=(server,), forged=True)
    ((view, up),) = views(reject(tcp_up(flags=SYN, server=server), True, 0.0))
    assert (view.source, up) == (packed(server), False)


def test_a_box_opens_connections_and_lets_nothing_through() -> None:
    opens = made("tcp.opens", addresses=(SERVER,))
    ((view, up),) = views(opens(tcp_up(flags=SYN), True, 0.0))
    assert (view.source, view.flags, view.ack, up) == (packed(SERVER), SYN | ACK, 1001, False)
    assert list(opens(tcp_up(b"hello"), True, 0.0)) == []
    assert passes(opens, tcp_up(flags=SYN, server=OTHER))


def test_what_comes_back_is_not_rejected() -> None:
    assert passes(made("ip.reject", addresses=(SERVER,)), udp_down(b"x"), up=False)


def test_who_is_led_elsewhere_hears_the_answer_in_the_name_of_whom_he_asked() -> None:
    redirect = made("redirect", addresses=(SERVER,), ports=(443,), protocol="tcp", to=OTHER, to_port=8443)
    ((there, _),) = views(redirect(tcp_up(flags=SYN), True, 0.0))
    assert (there.destination, there.destination_port) == (packed(OTHER), 8443)
    ((back, _),) = views(redirect(tcp_down(flags=SYN | ACK, port=8443, server=OTHER), False, 0.0))
    assert (back.source, back.source_port) == (packed(SERVER), 443)


def test_what_was_not_led_elsewhere_comes_back_as_itself() -> None:
    redirect = made("redirect", addresses=(SERVER,), protocol="tcp", to=OTHER)
    redirect(tcp_up(flags=SYN), True, 0.0)
    assert passes(redirect, tcp_down(server=OTHER, near_port=50000), up=False)
    assert passes(redirect, udp_down(b"x", 443, OTHER), up=False)


def test_packets_of_another_family_or_already_there_are_left_alone() -> None:
    redirect = made("redirect", addresses=None, protocol="tcp", to=OTHER)
    assert passes(redirect, tcp_up(server=SERVER6))
    assert passes(redirect, tcp_up(server=OTHER))
    led = made("redirect", addresses=(SERVER6,), protocol="tcp", to=OTHER6)(tcp_up(server=SERVER6), True, 0.0)
    assert parse(led[0].packet).destination == packed(OTHER6)
