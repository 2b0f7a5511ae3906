"""What happens to flows that began well, and to calls by their bytes."""

from __future__ import annotations

import pytest

from tests.lab.filters.crafted import OTHER, SERVER, made, passed, passes, tcp_up, udp_down, udp_up

RTP = bytes((0x80, 0x6F)) + bytes(170)
DTLS = b"\x16\xfe\xfd" + bytes(60)
OPTIONS = b"OPTIONS sip:ringback@example.com SIP/2.0\r\n"


def test_some_packets_that_look_like_rtp_pass_in_each_flow() -> None:
    drop = made("rtp.drop", after=3)
    assert passed(drop, [udp_up(RTP, 45000)] * 5) == [True] * 3 + [False] * 2
    assert not passes(drop, udp_down(RTP, 45000), up=False)
    assert passes(drop, udp_up(RTP, 45000, near_port=50000))
    assert passes(drop, udp_up(bytes(byte ^ 0xFF for byte in RTP), 45000))


@pytest.mark.parametrize(("payload", "port"), [(RTP, 443), (RTP[:11], 45000), (bytes((0x80, 72)) + bytes(20), 45000)])
def test_what_engines_do_not_take_for_rtp_passes(payload: bytes, port: int) -> None:
    assert passes(made("rtp.drop"), udp_up(payload, port))


def test_dtls_handshakes_die() -> None:
    drop = made("dtls.drop")
    assert not passes(drop, udp_up(DTLS, 45000))
    assert not passes(drop, udp_down(DTLS, 45000), up=False)
    assert passes(drop, udp_up(b"\x17\xfe\xfd" + bytes(60), 45000))
    assert passes(drop, tcp_up(DTLS))


def test_sip_dies_over_udp_and_tcp() -> None:
    drop = made("sip.drop")
    assert not passes(drop, udp_up(OPTIONS, 5060))
    assert not passes(drop, udp_down(b"SIP/2.0 200 OK\r\n", 5060), up=False)
    assert not passes(drop, tcp_up(OPTIONS, port=5061))
    assert passes(drop, udp_up(b"OPTIONS * HTTP/1.1\r\n", 5060))
    assert passes(made("sip.drop", ports=(5060,)), udp_up(OPTIONS, 45000))


def test_a_flow_dies_after_packets_of_both_directions() -> None:
    cut = made("flow.cutoff.packets", n=3, protocol="udp")
    assert passed(cut, [udp_up(RTP)] * 2) == [True, True]
    assert passes(cut, udp_down(RTP), up=False)
    assert not passes(cut, udp_up(RTP))
    assert passes(cut, udp_up(RTP, near_port=50000))
    assert passed(cut, [tcp_up(b"x")] * 9) == [True] * 9


def test_a_flow_dies_after_seconds_however_little_it_said() -> None:
    cut = made("flow.cutoff.time", seconds=10.0)
    assert passes(cut, udp_up(RTP), now=100.0)
    assert passes(cut, udp_down(RTP), up=False, now=109.9)
    assert not passes(cut, udp_up(RTP), now=110.0)
    assert passes(cut, udp_up(RTP, near_port=50000), now=110.0)


def test_a_throttled_flow_gets_its_rate_in_each_direction() -> None:
    throttle = made("flow.throttle", rate=2000.0, addresses=(SERVER,), protocol="udp")
    packet = udp_up(RTP)
    sent = [passes(throttle, packet, now=number * 0.02) for number in range(1000)]  # 20 s of 50 a second
    assert 20 * 2000 <= sum(sent) * len(packet) <= 21 * 2000 + len(packet)
    assert passes(throttle, udp_down(RTP), up=False, now=20.0)
    assert passes(throttle, udp_up(RTP, server=OTHER), now=20.0)


def test_a_part_is_lost_in_the_direction_that_is_meant() -> None:
    lose = made("flow.loss", fraction=0.25, direction="up", addresses=(SERVER,), protocol="udp")
    assert sum(passed(lose, [udp_up(RTP)] * 2000)) == pytest.approx(1500, abs=80)
    assert passed(lose, [udp_down(RTP)] * 100, up=False) == [True] * 100
    assert passed(lose, [udp_up(RTP, server=OTHER)] * 100) == [True] * 100
