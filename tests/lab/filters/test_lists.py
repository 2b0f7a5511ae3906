"""Allow-lists, penalties and block pages."""

from __future__ import annotations

import h11

from probe.codecs import stun
from tests.lab.filters.crafted import OTHER, SERVER, hello_up, made, passes, query, tcp_down, tcp_up, udp_up, views
from tests.lab.filters.http import written
from tests.lab.packets import ACK, FIN, SYN, after, packed, parse

ALLOCATE, BINDING = stun.allocate_request(bytes(12)), stun.binding_request(bytes(12))
GET = b"GET / HTTP/1.1\r\nHost: www.viber.example:80\r\n\r\n"


def test_only_places_on_the_list_pass() -> None:
    only = made("allowlist.destination", addresses=(SERVER,))
    assert passes(only, tcp_up(flags=SYN))
    assert passes(only, tcp_down(), up=False)
    assert not passes(only, tcp_up(flags=SYN, server=OTHER))
    assert not passes(only, tcp_down(server=OTHER), up=False)


def test_flows_that_begin_as_something_known_pass() -> None:
    look = made("allowlist.protocol", seconds=60.0)
    for near_port, packet in enumerate((hello_up("any.example", near_port=1), tcp_up(GET, port=80, near_port=1)), 1):
        assert passes(look, packet), near_port
        assert passes(look, tcp_up(b"whatever follows", port=parse(packet).destination_port, near_port=1))
    assert passes(look, query("any.example"))
    assert passes(look, udp_up(BINDING))


def test_other_flows_are_dead_for_a_while() -> None:
    look = made("allowlist.protocol", seconds=60.0)
    noise = tcp_up(b"WA\x06\x03" + bytes(40), port=5222)
    assert passes(look, tcp_up(flags=SYN, port=5222))
    assert not passes(look, noise, now=1.0)
    assert not passes(look, tcp_down(port=5222), up=False, now=60.0)
    assert passes(look, noise, now=61.0)
    assert not passes(look, udp_up(b"unknown" * 9))
    assert passes(made("allowlist.protocol", ports=(443,)), noise)


def test_after_a_name_nothing_passes_to_that_address() -> None:
    punish = made("residual", names=("messenger.example",), seconds=60.0)
    assert passes(punish, tcp_up(flags=SYN))
    assert passes(punish, udp_up(ALLOCATE))
    assert not passes(punish, hello_up("edge.messenger.example"))
    assert not passes(punish, tcp_up(flags=SYN, port=80), now=59.0)
    assert not passes(punish, udp_up(ALLOCATE), now=59.0)
    assert passes(punish, tcp_up(flags=SYN, server=OTHER), now=59.0)
    assert passes(punish, tcp_up(flags=SYN), now=60.0)


def test_after_a_request_for_an_allocation_nothing_passes_to_that_relay() -> None:
    punish = made("residual", allocate=True, seconds=60.0)
    assert passes(punish, udp_up(BINDING))
    assert not passes(punish, udp_up(ALLOCATE))
    assert not passes(punish, udp_up(BINDING), now=59.0)
    assert passes(punish, udp_up(BINDING, server=OTHER), now=59.0)


def test_a_request_is_answered_with_a_page_in_the_sites_place() -> None:
    block = made("http.blockpage", names=("viber.example",), page="Denied.", ttl=88)
    request = tcp_up(GET, port=80)
    ((view, up),) = views(block(request, True, 0.0))
    assert (view.source, view.source_port, view.ttl, up) == (packed(SERVER), 80, 88, False)
    assert (view.seq, view.ack) == (parse(request).ack, after(parse(request)))
    assert view.flags & FIN
    assert not passes(block, tcp_up(flags=ACK, port=80))
    assert passes(block, tcp_up(GET.replace(b"viber", b"neutral"), port=80, near_port=50000))
    assert passes(block, hello_up("www.viber.example"))


def test_a_cache_says_how_old_its_page_is() -> None:
    cached = made("http.cached", addresses=(SERVER,), age=7200)
    ((view, up),) = views(cached(tcp_up(GET, port=80), True, 0.0))
    assert view.payload.startswith(b"HTTP/1.1 204 No Content\r\nDate: ")
    assert b"\r\nAge: 7200\r\n" in view.payload
    assert (view.source, up) == (packed(SERVER), False)
    assert passes(cached, tcp_up(GET, port=80, server=OTHER))
    assert passes(cached, tcp_up(flags=SYN, port=80))


def test_pages_are_http() -> None:
    for page, status in (("http://blocked.example/", 302), ("Denied.", 403)):
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "a.example")]))
        client.send(h11.EndOfMessage())
        client.receive_data(written(page))
        response = client.next_event()
        assert isinstance(response, h11.Response)
        assert response.status_code == status
