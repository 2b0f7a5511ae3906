"""What boxes at home, links and services do to single packets."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import dns.message
import pytest

from probe.codecs import stun
from tests.lab.filters import FILTERS, local, world
from tests.lab.model import Fate, Filter
from tests.lab.packets import ACK, FIN, PSH, RST, SYN, View, packed, parse, tcp, udp

LINE, SERVER, OTHER = "10.64.1.7", "203.0.113.13", "203.0.113.66"
LINE6, SERVER6, OTHER6 = "2001:db8:a::7", "2001:db8:113::13", "2001:db8:113::66"
TO = (OTHER, OTHER6)
RESOLVER = "30.18.0.53"


def made(name: str, **parameters: Any) -> Filter:
    return FILTERS[name](parameters, Random(1))


def end(address: str, port: int) -> tuple[bytes, int]:
    return packed(address), port


def query(name: str, server: str = RESOLVER) -> bytes:
    return udp(end(LINE, 40000), end(server, 53), dns.message.make_query(name, "A").to_wire())


def segment(flags: int, port: int = 443, payload: bytes = b"", server: str = SERVER) -> bytes:
    line = LINE if ":" not in server else LINE6
    return tcp(end(line, 40000), end(server, port), flags, 100, 0 if flags == SYN else 1_000_001, payload)


def reply(flags: int, port: int = 443, server: str = SERVER) -> bytes:
    line = LINE if ":" not in server else LINE6
    return tcp(end(server, port), end(line, 40000), flags, 1_000_000, 101)


def datagram(port: int, payload: bytes = b"hello", server: str = SERVER) -> bytes:
    return udp(end(LINE, 40000), end(server, port), payload)


def unchanged(filter_: Filter, packet: bytes, up: bool = True, now: float = 0.0) -> bool:
    return list(filter_(packet, up, now)) == [Fate(packet, up)]


def back(filter_: Filter, packet: bytes) -> View:
    """The one packet that comes back to the line."""
    (fate,) = filter_(packet, True, 0.0)
    assert not fate.up
    return parse(fate.packet)


# --- Boxes ------------------------------------------------------------------------------------------------------


def test_a_portal_accepts_redirects_and_ends() -> None:
    portal = made("home.portal", location="http://login.hotel.example/")
    accepted = back(portal, segment(SYN, 80))
    assert (accepted.flags, accepted.seq, accepted.ack) == (SYN | ACK, 1_000_000, 101)
    page = back(portal, segment(PSH | ACK, 80, b"GET /generate_204 HTTP/1.1\r\n\r\n"))
    assert page.payload.startswith(b"HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\n")
    assert (page.flags, page.seq) == (FIN | PSH | ACK, 1_000_001)
    assert back(portal, segment(FIN | ACK, 80)).flags == ACK
    assert list(portal(segment(ACK, 80), True, 0.0)) == []


def test_a_portal_lets_dns_through_and_nothing_else() -> None:
    portal = made("home.portal", location="http://login.hotel.example/")
    assert unchanged(portal, query("www.neutral.example"))
    assert list(portal(segment(SYN), True, 0.0)) == []
    assert list(portal(datagram(3478), True, 0.0)) == []
    assert list(portal(reply(SYN | ACK), False, 0.0)) == []
    resetting = made("home.portal", location="http://login.hotel.example/", others="reset")
    assert back(resetting, segment(SYN)).flags & RST


def test_a_portal_spares_connectivity_checks() -> None:
    portal = made("home.portal", location="http://login.hotel.example/", spares=(SERVER,))
    assert unchanged(portal, segment(SYN, 80))
    assert unchanged(portal, reply(SYN | ACK, 80), up=False)
    assert back(portal, segment(SYN, 80, server=OTHER)).flags & SYN


@pytest.mark.parametrize(("server", "proxy"), [(SERVER, OTHER), (SERVER6, OTHER6)])
def test_a_tls_proxy_speaks_in_the_servers_name(server: str, proxy: str) -> None:
    through = made("home.tls_proxy", to=TO)
    (up,) = through(segment(SYN, server=server), True, 0.0)
    assert parse(up.packet).destination == packed(proxy)
    (down,) = through(reply(SYN | ACK, server=proxy), False, 0.0)
    assert parse(down.packet).source == packed(server)
    assert down.packet == reply(SYN | ACK, server=server)


def test_a_tls_proxy_leaves_other_ports_and_the_spared_alone() -> None:
    through = made("home.tls_proxy", to=TO, spares=(SERVER,))
    assert unchanged(through, segment(SYN))
    assert unchanged(through, reply(SYN | ACK), up=False)
    assert unchanged(made("home.tls_proxy", to=TO), segment(SYN, 5222))


def test_only_some_ports_are_let_through() -> None:
    wall = made("home.ports", tcp=(80, 443), udp=(53,))
    assert unchanged(wall, segment(SYN))
    assert unchanged(wall, reply(SYN | ACK), up=False)
    assert unchanged(wall, query("www.neutral.example"))
    assert list(wall(segment(SYN, 5222), True, 0.0)) == []
    assert list(wall(datagram(443), True, 0.0)) == []


def test_a_sip_alg_rewrites_the_lines_address_and_nothing_else() -> None:
    alg = made("home.sip_alg", public="30.18.0.9")
    options = f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {LINE}:40000\r\n\r\n".encode()
    (fate,) = alg(datagram(5060, options), True, 0.0)
    assert parse(fate.packet).payload == options.replace(LINE.encode(), b"30.18.0.9")
    assert fate.packet == datagram(5060, options.replace(LINE.encode(), b"30.18.0.9"))
    assert unchanged(alg, datagram(3478, options))
    assert unchanged(alg, segment(SYN, 5060))


def test_a_flood_of_connections_is_cut_down() -> None:
    guard = made("home.syn_limit", each_second=2)
    passed = [bool(guard(segment(SYN), True, now)) for now in (0.0, 0.1, 0.2, 1.05, 1.15, 1.2)]
    assert passed == [True, True, False, True, True, False]
    assert unchanged(guard, segment(ACK), now=1.2)
    assert unchanged(guard, reply(SYN | ACK), up=False, now=1.2)


def test_a_quota_of_ports_is_used_up() -> None:
    quota = made("home.udp_quota", flows=1)
    first, second = datagram(3478), udp(end(LINE, 40001), end(SERVER, 3478), b"hello")
    assert unchanged(quota, first)
    assert list(quota(second, True, 0.0)) == []
    assert unchanged(quota, udp(end(SERVER, 3478), end(LINE, 40000), b"hi"), up=False)
    assert unchanged(quota, query("www.neutral.example"))
    assert unchanged(quota, segment(SYN))


# --- The link ---------------------------------------------------------------------------------------------------


def test_a_nat_that_rebinds_forgets_the_port_before() -> None:
    nat = made("home.rebinding", period=2.0)
    (first,) = nat(datagram(3478), True, 100.0)
    outer = parse(first.packet).source_port
    answer = udp(end(SERVER, 3478), end(LINE, outer), b"hello")
    (came,) = nat(answer, False, 100.1)
    assert parse(came.packet).destination_port == 40000
    (second,) = nat(datagram(3478), True, 102.5)
    assert parse(second.packet).source_port != outer
    assert list(nat(answer, False, 102.6)) == []
    assert unchanged(nat, query("www.neutral.example"))
    assert unchanged(nat, segment(SYN))


def test_some_packets_arrive_twice() -> None:
    assert list(made("link.duplicate", fraction=1.0, seconds=0.02)(datagram(9), False, 0.0)) == [
        Fate(datagram(9), False),
        Fate(datagram(9), False, 0.02),
    ]
    assert unchanged(made("link.duplicate", fraction=0.0, seconds=0.02), datagram(9))


def test_some_packets_are_overtaken() -> None:
    assert made("link.reorder", fraction=1.0, seconds=0.05)(datagram(9), True, 0.0)[0].delay == 0.05
    assert unchanged(made("link.reorder", fraction=0.0, seconds=0.05), datagram(9))


def test_a_bloated_queue_fills_drains_and_keeps_the_order() -> None:
    bloated = made("link.bloat", depth=1.0, period=4.0)
    arrivals = [now + bloated(datagram(9), True, now)[0].delay for now in (0.0, 1.0, 2.0, 3.0, 4.0)]
    assert arrivals == [0.0, 1.5, 3.0, 3.5, 4.0]
    assert unchanged(bloated, datagram(9), up=False, now=2.0)


def test_a_rate_queues_and_then_drops() -> None:
    slow, size = made("link.rate", rate=100.0, queue=0.5), len(datagram(9))
    assert slow(datagram(9), True, 0.0)[0].delay == pytest.approx(size / 100)
    assert slow(datagram(9), True, 0.0)[0].delay == pytest.approx(2 * size / 100)
    assert list(slow(datagram(9), True, 0.0)) == []
    assert slow(datagram(9), False, 0.0)[0].delay == pytest.approx(size / 100)


def test_a_gap_ends() -> None:
    gap = made("link.gap", after=2.0, seconds=3.0)
    passed = [bool(gap(datagram(9), True, 100.0 + now)) for now in (0.0, 1.9, 2.0, 4.9, 5.0)]
    assert passed == [True, True, False, False, True]


@pytest.mark.parametrize("last", [segment(SYN), query("web.whatsapp.example")], ids=["a connection", "a question"])
def test_a_link_dies_at_the_first_look_at_a_service(last: bytes) -> None:
    dying = made("link.dies.at", addresses=(SERVER,), names=("web.whatsapp.example",))
    assert unchanged(dying, query("www.neutral.example"))
    assert unchanged(dying, datagram(3478, server=OTHER))
    assert list(dying(last, True, 0.0)) == []
    assert list(dying(query("www.neutral.example"), True, 0.0)) == []


def test_a_router_says_that_the_link_is_dead() -> None:
    dying = made("link.dies.at", addresses=(SERVER,), names=(), router=("192.168.1.1", "fe80::1"))
    told = back(dying, segment(SYN))
    assert (told.source, told.icmp) == (packed("192.168.1.1"), (3, 0))
    assert back(dying, segment(SYN, server=SERVER6)).icmp == (1, 0)
    assert list(dying(reply(SYN | ACK), False, 0.0)) == []


def test_one_family_does_not_work() -> None:
    broken = made("link.family", family=6)
    assert list(broken(segment(SYN, server=SERVER6), True, 0.0)) == []
    assert unchanged(broken, segment(SYN))


# --- Services ---------------------------------------------------------------------------------------------------


def test_a_service_refuses_by_icmp_in_its_own_name() -> None:
    refusing = made("service.refuses", addresses=(SERVER,), protocol="udp", code=10)
    refused = back(refusing, datagram(3478))
    assert (refused.source, refused.icmp) == (packed(SERVER), (3, 10))
    assert unchanged(refusing, segment(SYN))
    assert unchanged(refusing, datagram(3478, server=OTHER))


def test_a_relay_answers_an_allocate_with_an_error_of_its_own() -> None:
    relay = made("service.turn_error", addresses=(SERVER,), code=403)
    request = stun.allocate_request(bytes(range(12)))
    message = stun.parse(back(relay, datagram(3478, request)).payload)
    assert message.error_code == 403
    assert stun.answers(request, message)
    assert unchanged(relay, datagram(3478, stun.binding_request(bytes(range(12)))))


def test_bytes_stand_behind_a_relays_answers() -> None:
    trailing = made("service.trailing", addresses=(SERVER,), bytes=4)
    message = bytes.fromhex("010100002112a442") + bytes(12)  # an empty response to a Binding
    (fate,) = trailing(udp(end(SERVER, 3478), end(LINE, 40000), message), False, 0.0)
    assert parse(fate.packet).payload == message + bytes(4)
    assert unchanged(trailing, udp(end(OTHER, 3478), end(LINE, 40000), message), up=False)
    assert unchanged(trailing, datagram(3478, message))


@pytest.mark.parametrize(("by", "flags"), [("reset", RST | ACK), ("close", FIN | ACK)])
def test_a_service_takes_a_connection_and_hangs_up_at_the_first_words(by: str, flags: int) -> None:
    hanging = made("service.hangs_up", addresses=(SERVER,), by=by)
    assert unchanged(hanging, segment(SYN))
    assert unchanged(hanging, segment(ACK))
    assert back(hanging, segment(PSH | ACK, payload=b"hello")).flags == flags
    assert unchanged(hanging, segment(PSH | ACK, payload=b"hello", server=OTHER))


def test_a_service_that_restarts_resets_who_comes_first() -> None:
    restarting = made("service.restarts", addresses=(SERVER,))
    first, second = segment(SYN), tcp(end(LINE, 40002), end(SERVER, 443), SYN, 100, 0)
    assert back(restarting, first).flags == back(restarting, first).flags == RST | ACK  # its repetition too
    assert unchanged(restarting, second)
    assert unchanged(restarting, segment(SYN, server=OTHER))


def test_every_filter_has_its_own_test() -> None:
    source = Path(__file__).read_text()
    own = [name for name, make in FILTERS.items() if make.__module__ in (local.__name__, world.__name__)]
    assert own
    assert [name for name in own if f'made("{name}"' not in source] == []
