"""What is done to those who name a service in a ClientHello, and to nobody else."""

from __future__ import annotations

import pytest

from tests.lab.filters.crafted import SERVER, SERVER6, hello, hello_up, made, passes, tcp_down, tcp_up, udp_up, views
from tests.lab.filters.hello import named_in, server_name
from tests.lab.model import Fate
from tests.lab.packets import ACK, FIN, PSH, RST, SYN, after, packed, parse

NAME, OTHER_NAME = "web.whatsapp.example", "www.viber.example"
NAMES = ("whatsapp.example",)


def test_the_name_is_read_from_openssls_hello() -> None:
    assert named_in(parse(hello_up(NAME)), up=True) == NAME
    assert named_in(parse(hello_up(NAME)), up=False) is None
    assert named_in(parse(tcp_up(b"GET / HTTP/1.1\r\n")), up=True) is None
    assert named_in(parse(udp_up(hello(NAME))), up=True) is None


def test_a_hello_that_is_cut_anywhere_breaks_nothing() -> None:
    whole = hello(NAME)[5:]
    assert {server_name(whole[:length]) for length in range(len(whole))} <= {None, NAME} | {
        NAME[:length] for length in range(len(NAME))
    }


@pytest.mark.parametrize("server", [SERVER, SERVER6])
def test_hellos_that_name_the_service_disappear_however_often_they_come(server: str) -> None:
    drop = made("tls.sni.drop", names=NAMES)
    assert passes(drop, tcp_up(flags=SYN, server=server))
    assert not passes(drop, hello_up(NAME, server=server))
    assert not passes(drop, hello_up(NAME, server=server), now=1.0)
    assert passes(drop, hello_up(OTHER_NAME, server=server))
    assert passes(drop, tcp_up(b"WA\x06\x03", server=server))


@pytest.mark.parametrize("both", [False, True])
def test_in_path_the_hello_is_held_back_and_the_line_is_reset(both: bool) -> None:
    packet = hello_up(NAME)
    fates = made("tls.sni.reset", names=NAMES, both=both, in_path=True, ttl=77)(packet, True, 0.0)
    view, up = views(fates)[0]
    assert (view.flags & RST, view.source, view.ttl, up) == (RST, packed(SERVER), 77, False)
    assert (view.seq, view.ack) == (parse(packet).ack, after(parse(packet)))
    assert Fate(packet, True) not in fates
    assert [view.flags for view, up in views(fates) if up] == [RST] * both


def test_on_path_the_hello_passes_and_the_resets_come_first() -> None:
    packet = hello_up(NAME)
    fates = made("tls.sni.reset", names=NAMES, both=True, in_path=False)(packet, True, 0.0)
    assert [fate.up for fate in fates] == [False, False, False, True, True]
    assert fates[3] == Fate(packet, True)
    to_server = parse(fates[4].packet)
    assert (to_server.flags, to_server.seq) == (RST, after(parse(packet)))


def test_others_are_not_reset() -> None:
    assert passes(made("tls.sni.reset", names=NAMES), hello_up(OTHER_NAME))


def test_the_servers_reply_is_dropped_and_its_acknowledgement_passes() -> None:
    drop = made("tls.reply.drop", names=NAMES)
    assert passes(drop, tcp_down(b"early", PSH | ACK), up=False)
    assert passes(drop, hello_up(NAME))
    assert passes(drop, tcp_down(), up=False)
    assert not passes(drop, tcp_down(b"\x16\x03\x03 ServerHello", PSH | ACK), up=False)
    assert not passes(drop, tcp_down(flags=FIN | ACK), up=False)
    assert passes(drop, tcp_down(b"another connection", PSH | ACK, near_port=50000), up=False)
    assert passes(drop, tcp_up(b"more"))


def test_after_a_hello_the_servers_port_is_out_of_reach_for_a_while() -> None:
    blackhole = made("tls.blackhole", names=NAMES, seconds=60.0)
    assert passes(blackhole, tcp_up(flags=SYN))
    assert not passes(blackhole, hello_up(NAME), now=10.0)
    assert not passes(blackhole, tcp_up(flags=SYN, near_port=50000), now=69.0)
    assert not passes(blackhole, tcp_down(flags=SYN | ACK), up=False, now=69.0)
    assert passes(blackhole, tcp_up(flags=SYN, port=80), now=69.0)
    assert passes(blackhole, udp_up(b"x", 443), now=69.0)
    assert passes(blackhole, tcp_up(flags=SYN, near_port=50000), now=70.0)
