"""The guard keeps the tests on this machine, and the closing list says what to install."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.components import ABSENT, Guard, absent, closing_list, commands, require, stays_here


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1, 0, 0), ("localhost", 1), ("0.0.0.0", 1)]
)
def test_loopback_stays_here(address: tuple[str, int]) -> None:
    assert stays_here(address)


@pytest.mark.parametrize("address", [("192.0.2.1", 53), ("2001:db8::1", 53), ("10.0.0.1", 1), ("a.example", 1)])
def test_everything_else_leaves(address: tuple[str, int]) -> None:
    assert not stays_here(address)


@pytest.mark.parametrize(("kind", "method"), [(socket.SOCK_STREAM, "connect"), (socket.SOCK_DGRAM, "connect")])
def test_guard_refuses_to_connect(guard: Guard, kind: socket.SocketKind, method: str) -> None:
    with socket.socket(socket.AF_INET, kind) as sock, pytest.raises(BaseException, match="not this machine"):
        getattr(sock, method)(("192.0.2.1", 9))
    assert guard.refused.pop() == "('192.0.2.1', 9)"


def test_guard_refuses_to_send(guard: Guard) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for arguments in ((b"", ("192.0.2.1", 9)), (b"", 0, ("192.0.2.1", 9))):
            with pytest.raises(BaseException, match="not this machine"):
                sock.sendto(*arguments)
    guard.refused.clear()


def test_guard_refuses_to_look_names_up(guard: Guard) -> None:
    with pytest.raises(BaseException, match="not this machine"):
        socket.getaddrinfo("a.example", 80)
    guard.refused.clear()


def test_absent_component_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGBACK_NO_SKIPS", raising=False)
    monkeypatch.setattr("tests.components.present", lambda name: name == "unbound")
    assert absent(["unbound", "caddy", "root"]) == ["caddy", "root"]
    with pytest.raises(pytest.skip.Exception, match="not on this system: caddy, root"):
        require("unbound", "caddy", "root")


def test_absent_component_fails_where_everything_should_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_NO_SKIPS", "1")
    monkeypatch.setattr("tests.components.present", lambda name: False)
    with pytest.raises(pytest.fail.Exception, match=ABSENT.pattern):
        require("caddy")


def test_closing_list_counts_by_component() -> None:
    texts = ["('x.py', 3, 'Skipped: not on this system: caddy, root')", "Failed: not on this system: caddy", "other"]
    assert closing_list(texts) == ["apt-get install caddy: 2 not run", "run as root: 1 not run"]


def test_every_package_has_one_command() -> None:
    assert len(commands()) == len(set(commands().values())) > 5
    assert not [name for name in commands().values() if Path(name).name != name]
