"""Servers of our own over TCP, as processes: the genuine one is met over real sockets, and its impostors are not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from probe.model import Endpoint, Expect, Grade, Transport
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import endpoint, instruments, shake
from tests.servers.certificates import Authority
from tests.servers.mtproto import mtproto_server
from tests.servers.noise import PATH, SEED, noise_server
from tests.servers.process import free_port

HOST = "127.0.0.1"
WAYS = ("mtproto-abridged", "mtproto-intermediate", "mtproto-obfuscated")


def met(*where: Endpoint, now_ms: int, **changes: Any) -> list[tuple[Grade | None, str | None]]:
    async def all_of_them() -> list[tuple[Grade | None, str | None]]:
        tools = instruments(SocketDialer(), wall_ms=lambda: now_ms, scale=0.2, **changes)
        seen = [await shake(tools, each) for each in where]
        return [(each.grade, each.failure) for each in seen]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("guise", "expected"),
    [
        ("genuine", (Grade.CRYPTO, None)),
        ("other-root", (None, "ssl_unknown_authority")),
        ("replay", (None, "unexpected_reply")),
    ],
)
def test_whatsapps_server(tmp_path: Path, guise: str, expected: object) -> None:
    port, other = free_port(), free_port()
    with noise_server(tmp_path, [(HOST, port), (HOST, other)], SEED, guise) as root:
        each = [endpoint("noise", HOST, port, expect=Expect(keys=(root,))) for port in (port, other)]
        assert met(*each, now_ms=round(time.time() * 1000)) == [expected, expected]


@pytest.mark.parametrize(
    ("guise", "expected"), [("genuine", (Grade.CRYPTO, None)), ("other-root", (None, "ssl_unknown_authority"))]
)
def test_whatsapps_server_inside_a_websocket(
    tmp_path: Path, authority: Authority, guise: str, expected: object
) -> None:
    port, name = free_port(), "web.whatsapp.example"
    websockets = (authority.leaf(name), [(HOST, port)])
    with noise_server(tmp_path, [], guise=guise, websockets=websockets) as root:
        expect = Expect(keys=(root,), path=PATH)
        there = endpoint("noise", HOST, port, transport=Transport.WSS, server_name=name, expect=expect)
        assert met(there, now_ms=round(time.time() * 1000), trust=Trust(authority.pem, {})) == [expected]


@pytest.mark.parametrize(
    ("certified", "path", "expected"),
    [
        ("other.example", PATH, (None, "ssl_invalid_hostname")),
        (None, PATH, (None, "ssl_unknown_authority")),
        ("web.whatsapp.example", "/elsewhere", (None, "http_unexpected_status_code")),
    ],
    ids=["another name", "another authority", "another path"],
)
def test_who_has_the_keys_and_not_the_websites_name_is_not_whatsapp_web(
    tmp_path: Path, authority: Authority, certified: str | None, path: str, expected: object
) -> None:
    port, name = free_port(), "web.whatsapp.example"
    signer = authority if certified else Authority.create()
    with noise_server(tmp_path, [], websockets=(signer.leaf(certified or name), [(HOST, port)])) as root:
        expect = Expect(keys=(root,), path=path)
        there = endpoint("noise", HOST, port, transport=Transport.WSS, server_name=name, expect=expect)
        assert met(there, now_ms=round(time.time() * 1000), trust=Trust(authority.pem, {})) == [expected]


@pytest.mark.parametrize(
    ("guise", "expected"), [("genuine", (Grade.MARKED, None)), ("portal", (None, "unexpected_reply"))]
)
def test_telegrams_server(tmp_path: Path, guise: str, expected: object) -> None:
    port = free_port()
    with mtproto_server(tmp_path, [(HOST, port)], guise=guise) as fingerprint:
        each = [endpoint(way, HOST, port, expect=Expect(keys=(fingerprint,))) for way in WAYS]
        assert met(*each, now_ms=0) == [expected] * 3
