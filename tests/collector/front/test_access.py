"""Who sees everything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from collector.front.access import ACCESS, OwnerAccess, admin_token, is_full
from collector.front.source import read_prefixes, source_address
from probe.failure import UserError


def request(access: OwnerAccess, peer: str, **headers: str) -> web.Request:
    app = web.Application()
    app[ACCESS] = access
    named = {"Host": "127.0.0.1:8321"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/", headers=named, app=app).clone(remote=peer)


@pytest.mark.parametrize(
    ("local", "peer", "headers", "full"),
    [
        pytest.param(True, "127.0.0.1", {}, True, id="this-machine"),
        pytest.param(True, "::1", {"Host": "[::1]:8321"}, True, id="this-machine-over-ipv6"),
        pytest.param(True, "127.0.0.1", {"Host": "localhost:9000"}, True, id="through-a-tunnel"),
        pytest.param(True, "127.0.0.1", {"Host": "rebound.example"}, False, id="a-strangers-page-in-our-browser"),
        pytest.param(True, "127.0.0.1", {"Host": ""}, False, id="no-name"),
        pytest.param(True, "127.0.0.1", {"Host": "]["}, False, id="no-name-at-all"),
        pytest.param(True, "127.0.0.1", {"X_Forwarded_For": "203.0.113.9"}, False, id="an-undeclared-proxy"),
        pytest.param(True, "192.0.2.1", {}, False, id="elsewhere"),
        pytest.param(False, "127.0.0.1", {}, False, id="a-server-that-others-reach"),
        pytest.param(False, "192.0.2.1", {"Authorization": "Bearer secret"}, True, id="token"),
        pytest.param(False, "192.0.2.1", {"Authorization": "bearer  secret "}, True, id="token-with-spaces"),
        pytest.param(False, "192.0.2.1", {"Authorization": "Bearer secre"}, False, id="half-a-token"),
        pytest.param(False, "192.0.2.1", {"Authorization": "Bearer sécret"}, False, id="beyond-ascii"),
        pytest.param(False, "192.0.2.1", {"Authorization": "Basic secret"}, False, id="another-scheme"),
        pytest.param(False, "192.0.2.1", {"Authorization": "Bearer"}, False, id="no-token"),
    ],
)
def test_who_sees_everything(local: bool, peer: str, headers: dict[str, str], full: bool) -> None:
    assert is_full(request(OwnerAccess(token="secret", local=local), peer, **headers)) is full


def test_the_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        token = admin_token(tmp_path)
    finally:
        os.umask(old)
    assert len(token) >= 32
    assert admin_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "admin.token").stat().st_mode) == 0o600


def test_an_empty_token_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text("\n")
    with pytest.raises(UserError, match="is empty: delete it"):
        admin_token(tmp_path)


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9,10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["unknown"], ""),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_source_address(peer: str | None, forwarded: list[str], source: str) -> None:
    assert source_address(peer, forwarded, read_prefixes(["10.0.0.0/8"])) == source


def test_a_proxy_is_given_by_its_address() -> None:
    with pytest.raises(UserError, match="--trusted-proxy takes an address or a prefix"):
        read_prefixes(["proxy.example"])
