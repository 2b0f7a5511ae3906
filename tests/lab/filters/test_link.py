"""What a bad link does, in numbers."""

from __future__ import annotations

import pytest

from tests.lab.filters.crafted import SERVER6, made, passed, passes, tcp_down, tcp_up, udp_down, udp_up, views
from tests.lab.packets import parse

PACKET, BACK = udp_up(b"x"), udp_down(b"x")


def test_loss_is_as_large_as_was_said() -> None:
    lose = made("link.loss", fraction=0.15, direction="up")
    assert sum(passed(lose, [PACKET] * 4000)) == pytest.approx(3400, abs=100)
    assert passed(lose, [BACK] * 50, up=False) == [True] * 50
    assert passed(made("link.loss", fraction=1.0), [PACKET] * 9) == [False] * 9
    assert passed(made("link.loss", fraction=0.0), [PACKET] * 9) == [True] * 9


def test_bursts_last_as_long_as_was_said() -> None:
    lost = [not each for each in passed(made("link.burst", p=0.02, r=0.2), [PACKET] * 20000)]
    bursts = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert sum(lost) / bursts == pytest.approx(1 / 0.2, rel=0.15)
    assert sum(lost) / len(lost) == pytest.approx(0.02 / 0.22, rel=0.2)


def test_a_delay_keeps_the_order() -> None:
    delay = made("link.delay", seconds=0.3, jitter=0.2)
    arrivals = [number * 0.01 + delay(PACKET, True, number * 0.01)[0].delay for number in range(200)]
    assert arrivals == sorted(arrivals)
    assert all(0.3 <= arrival - number * 0.01 <= 0.5 + 1e-9 for number, arrival in enumerate(arrivals))
    assert delay(BACK, False, 2.0)[0].delay <= 0.5


@pytest.mark.parametrize(("server", "kind"), [("203.0.113.13", (3, 4)), (SERVER6, (2, 0))])
def test_what_is_too_long_is_dropped_and_its_sender_told(server: str, kind: tuple[int, int]) -> None:
    shorten = made("link.mtu", bytes=1280)
    long, short = tcp_up(bytes(1300), server=server), tcp_up(bytes(1100), server=server)
    assert passes(shorten, short)
    ((view, up),) = views(shorten(long, True, 0.0))
    assert (view.icmp, up, view.destination) == (kind, False, parse(long).source)
    assert int.from_bytes(view.raw[view.start + 4 : view.start + 8]) == 1280
    assert views(shorten(tcp_down(bytes(1300), server=server), False, 0.0))[0][1] is True


def test_a_black_hole_says_nothing() -> None:
    assert not passes(made("link.mtu", bytes=1280, icmp=False), tcp_up(bytes(1300)))


def test_a_link_dies_some_seconds_after_its_first_packet() -> None:
    die = made("link.dies", after=5.0)
    assert passes(die, PACKET, now=100.0)
    assert passes(die, BACK, up=False, now=104.9)
    assert not passes(die, PACKET, now=105.0)
    assert not passes(die, BACK, up=False, now=200.0)
