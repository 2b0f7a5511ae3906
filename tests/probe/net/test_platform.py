"""What is taken to be possible on which system; what is not, is never tried."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from probe.net.dialer import SocketDialer, SocketStream
from probe.net.platform import HERE, describe
from tests.probe.net.test_dialer import bound

MACOS = describe("darwin", "23.5.0")


@pytest.mark.parametrize(
    ("system", "release", "senders"),
    [
        ("linux", "6.1.0-21-amd64", True),
        ("linux", "5.18.0", True),
        ("linux", "5.17.15", False),
        ("linux", "4.19.191-perf-g1234", False),
        ("android", "5.15.104-android13-8", False),
        ("android", "6.6.30-android15", True),
        ("linux", "unreadable", False),
        ("linux", "10.0", True),
    ],
)
def test_linux_by_its_kernel(system: str, release: str, senders: bool) -> None:
    here = describe(system, release)
    assert (here.can_sweep, here.queues_errors, here.errors_have_senders) == (True, True, senders)


@pytest.mark.parametrize(
    ("system", "release"), [("darwin", "23.5.0"), ("win32", "10"), ("freebsd14", "14.0"), ("", "")]
)
def test_elsewhere_nothing_of_it(system: str, release: str) -> None:
    here = describe(system, release)
    assert not any((here.can_sweep, here.queues_errors, here.errors_have_senders, here.tells_acknowledged))


def test_this_machine_is_described() -> None:
    assert HERE.queues_errors or not HERE.errors_have_senders


async def test_a_linux_option_is_not_set_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """There its number is another option's, or the flag takes a genuine datagram out of the queue."""

    def never(*_: Any) -> None:
        raise AssertionError("only on Linux")

    monkeypatch.setattr("probe.net.dialer.report_icmp", never)
    monkeypatch.setattr("probe.net.dialer.read_error_queue", never)
    with bound("127.0.0.1") as gone:
        port = gone.getsockname()[1]
    datagrams = await SocketDialer(MACOS).udp("127.0.0.1", port)
    await datagrams.send(b"?")
    with pytest.raises(ConnectionRefusedError):
        await datagrams.receive()
    datagrams.close()
    assert datagrams.icmp is None


def test_what_was_acknowledged_is_not_asked_elsewhere() -> None:
    stream = SocketStream(socket.socket(), MACOS)
    assert stream.acknowledged() is None
    stream.close()
