"""Who sees everything."""

from __future__ import annotations

import html
import json
import os
import stat
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from collector.front import owner_link
from collector.front.access import ACCESS, OwnerAccess, admin_token, is_full, own_port
from collector.front.source import PASSED_ON, Source, named_source, read_prefixes
from probe.failure import UserError
from tests.collector.servers import TOKEN, serving

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
OWNER = OwnerAccess("secret", lambda: NOW_MS)
HERE = {"Host": "127.0.0.1:8321"}


def request(peer: str, path: str = "/", **headers: str) -> web.Request:
    app = web.Application()
    app[ACCESS] = OWNER
    named = HERE | {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", path, headers=named, app=app).clone(remote=peer)


def cookie(port: int = 8321, purpose: str = owner_link.COOKIE, made_ms: int = NOW_MS, token: str = "secret") -> str:
    return f"{owner_link.cookie_name(port)}={owner_link.sign(token, purpose, made_ms)}"


@pytest.mark.parametrize(
    ("peer", "headers", "full"),
    [
        pytest.param("127.0.0.1", {}, False, id="this-machine-alone"),
        pytest.param("127.0.0.1", {"Cookie": cookie()}, True, id="cookie"),
        pytest.param("127.0.0.1", {"Cookie": f"a=b; {cookie()}"}, True, id="cookie-among-others"),
        pytest.param("::1", {"Host": "[::1]:8321", "Cookie": cookie()}, True, id="over-ipv6"),
        pytest.param("127.0.0.1", {"Host": "localhost:9000", "Cookie": cookie(9000)}, True, id="through-a-tunnel"),
        pytest.param("127.0.0.1", {"Host": "localhost", "Cookie": cookie(80)}, True, id="without-a-port"),
        pytest.param("127.0.0.1", {"Sec_Fetch_Site": "none", "Cookie": cookie()}, True, id="typed"),
        pytest.param("127.0.0.1", {"Sec_Fetch_Site": "same-origin", "Cookie": cookie()}, True, id="from-our-page"),
        pytest.param("127.0.0.1", {"Sec_Fetch_Site": "same-site", "Cookie": cookie()}, False, id="from-another-port"),
        pytest.param("127.0.0.1", {"Sec_Fetch_Site": "cross-site", "Cookie": cookie()}, False, id="from-another-site"),
        pytest.param("127.0.0.1", {"Cookie": cookie(8322)}, False, id="of-another-collector"),
        pytest.param("127.0.0.1", {"Cookie": cookie(token="other")}, False, id="of-another-token"),
        pytest.param("127.0.0.1", {"Cookie": cookie(purpose=owner_link.LINK)}, False, id="a-link-is-no-cookie"),
        pytest.param("127.0.0.1", {"Cookie": cookie(made_ms=NOW_MS - 7 * DAY_MS)}, True, id="as-old-as-may-be"),
        pytest.param("127.0.0.1", {"Cookie": cookie(made_ms=NOW_MS - 7 * DAY_MS - 1)}, False, id="too-old"),
        pytest.param("127.0.0.1", {"Cookie": cookie(made_ms=NOW_MS + 1)}, False, id="of-the-future"),
        pytest.param("127.0.0.1", {"Cookie": cookie()[:-1]}, False, id="cut-short"),
        pytest.param("127.0.0.1", {"Cookie": f"{owner_link.cookie_name(8321)}=x"}, False, id="no-cookie-at-all"),
        pytest.param("127.0.0.1", {"Host": "rebound.example:8321", "Cookie": cookie()}, False, id="a-rebound-name"),
        pytest.param("127.0.0.1", {"Host": "", "Cookie": cookie()}, False, id="no-name"),
        pytest.param("127.0.0.1", {"Host": "][", "Cookie": cookie()}, False, id="no-name-at-all"),
        pytest.param("127.0.0.1", {"Host": "a@127.0.0.1:8321", "Cookie": cookie()}, False, id="a-user-in-the-name"),
        pytest.param("127.0.0.1", {"Host": "127.0.0.1:8321/x", "Cookie": cookie()}, False, id="a-path-in-the-name"),
        *(
            pytest.param("127.0.0.1", {mark.replace("-", "_"): "203.0.113.9", "Cookie": cookie()}, False, id=mark)
            for mark in PASSED_ON
        ),
        pytest.param("192.0.2.1", {"Cookie": cookie()}, False, id="cookie-from-elsewhere"),
        pytest.param("192.0.2.1", {"Authorization": "Bearer secret"}, True, id="token"),
        pytest.param("192.0.2.1", {"Authorization": "bearer  secret "}, True, id="token-with-spaces"),
        pytest.param("127.0.0.1", {"Authorization": "Bearer secret", "Via": "x"}, True, id="token-through-a-proxy"),
        pytest.param("192.0.2.1", {"Authorization": "Bearer secre"}, False, id="half-a-token"),
        pytest.param("192.0.2.1", {"Authorization": "Bearer sécret"}, False, id="beyond-ascii"),
        pytest.param("192.0.2.1", {"Authorization": "Basic secret"}, False, id="another-scheme"),
        pytest.param("192.0.2.1", {"Authorization": "Bearer"}, False, id="no-token"),
        pytest.param("192.0.2.1", {"Authorization": "Bearer secret", "Sec_Fetch_Site": "cross-site"}, False, id="led"),
    ],
)
def test_who_sees_everything(peer: str, headers: dict[str, str], full: bool) -> None:
    assert is_full(request(peer, **headers)) is full


@pytest.mark.parametrize("path", ["http://127.0.0.1:8321/", "http://else.example/"])
def test_what_is_said_to_a_proxy_is_not_local(path: str) -> None:
    """In absolute form the authority is the one in the request line, whatever `Host` says (RFC 9112, 3.2.2)."""
    assert own_port(request("127.0.0.1")) == 8321
    assert own_port(request("127.0.0.1", path)) is None


# --- The owner's link


def redeemed(made_ms: int, now_ms: int = NOW_MS, since_ms: int = 0, purpose: str = owner_link.LINK) -> bool:
    clock = [since_ms]
    access = OwnerAccess("secret", lambda: clock[0])
    clock[0] = now_ms
    return access.redeem(owner_link.sign("secret", purpose, made_ms)) is not None


def test_a_link_is_good_for_a_day_while_the_collector_runs() -> None:
    assert redeemed(NOW_MS)
    assert redeemed(NOW_MS - DAY_MS)
    assert not redeemed(NOW_MS - DAY_MS - 1)
    assert not redeemed(NOW_MS + 1)
    assert redeemed(NOW_MS - 5, since_ms=NOW_MS - 5)
    assert not redeemed(NOW_MS - 6, since_ms=NOW_MS - 5)  # whether it was used before, nobody knows
    assert not redeemed(NOW_MS, purpose=owner_link.COOKIE)


def test_a_link_is_used_once() -> None:
    access = OwnerAccess("secret", lambda: NOW_MS)
    words = [owner_link.sign("secret", owner_link.LINK, NOW_MS) for _ in range(2)]
    assert words[0] != words[1]
    assert [access.redeem(word) is not None for word in (*words, *words)] == [True, True, False, False]


@pytest.mark.parametrize("text", ["", "x", "A" * 42, "A" * 43, "A" * 44, "é" * 43])
def test_what_is_no_link(text: str) -> None:
    assert OWNER.redeem(text) is None


async def test_the_link_opens_everything_to_one_browser(tmp_path: Path) -> None:
    async with serving(tmp_path, owner=False) as collector:
        link = owner_link.link(collector.url, TOKEN, collector.parts.now_ms())
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            assert (await _status(browser, f"{collector.url}/v1/verdicts"))[0] == 403
            assert "`ringback-collector link --data DIR`" in html.unescape((await _status(browser, collector.url))[1])
            for site, status in {"cross-site": 403, "none": 200}.items():
                assert (await _status(browser, link, Sec_Fetch_Site=site))[0] == status
            page = (await _status(browser, collector.url))[1]
            assert "ringback-collector link" not in page
            assert (await _status(browser, f"{collector.url}/v1/verdicts"))[0] == 200
            assert (await _status(browser, f"{collector.url}/metrics"))[0] == 200
            assert (await _status(browser, link))[0] == 200  # by the same browser, which looked ahead
        status, text = await collector.get(link.removeprefix(collector.url))
        assert (status, json.loads(text)["error"]) == (403, "link_used")
        assert (await collector.get("/v1/verdicts"))[0] == 403


async def test_the_cookie_is_for_this_port_and_for_no_script(tmp_path: Path) -> None:
    async with serving(tmp_path, owner=False) as collector:
        link = owner_link.link(collector.url, TOKEN, collector.parts.now_ms())
        async with collector.session.get(link, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            said = answer.headers["Set-Cookie"]
        assert said.startswith(f"ringback-owner-{collector.port}=")
        assert said.partition("; ")[2] == "HttpOnly; Path=/; SameSite=Strict"


async def _status(browser: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with browser.get(url, headers=named) as answer:
        return answer.status, await answer.text()


# --- The token


def test_the_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        token = admin_token(tmp_path)
    finally:
        os.umask(old)
    assert len(token) >= 32
    assert admin_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "admin.token").stat().st_mode) == 0o600


def test_a_token_that_others_could_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = admin_token(tmp_path)
    assert not caplog.records
    (tmp_path / "admin.token").chmod(0o640)
    assert admin_token(tmp_path) == token
    (warning,) = caplog.messages
    assert "admin.token (mode 640): `chmod 600` it, or delete it to get another token." in warning


def test_an_empty_token_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text("\n")
    with pytest.raises(UserError, match="is empty: delete it"):
        admin_token(tmp_path)


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("192.0.2.1", [], Source("192.0.2.1", 9)),
        ("192.0.2.1", ["203.0.113.9"], Source("192.0.2.1", 9)),
        ("10.0.0.1", ["198.51.100.1, 203.0.113.9"], Source("203.0.113.9")),
        ("10.0.0.1", ["198.51.100.1", "203.0.113.9,10.0.0.2"], Source("203.0.113.9")),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], Source("10.0.0.3")),
        ("10.0.0.1", ["[2001:db8::1]:4711"], Source("2001:db8::1", 4711)),
        ("10.0.0.1", ["198.51.100.1:7, 203.0.113.9:4711"], Source("203.0.113.9", 4711)),
        ("10.0.0.1", ["203.0.113.9:65536"], Source("203.0.113.9")),
        ("10.0.0.1", ["203.0.113.9:" + "9" * 5_000], Source("203.0.113.9")),
        ("10.0.0.1", ["2001:db8::1"], Source("2001:db8::1")),
        ("10.0.0.1", ["unknown"], Source()),
        ("::ffff:10.0.0.1", ["203.0.113.9"], Source("203.0.113.9")),
        ("", ["203.0.113.9"], Source()),
    ],
)
def test_a_client_is_who_trusted_proxies_name(peer: str, forwarded: list[str], source: Source) -> None:
    assert named_source(peer, 9, forwarded, read_prefixes(["10.0.0.0/8"])) == source


def test_a_proxy_is_given_by_its_address() -> None:
    with pytest.raises(UserError, match="--trusted-proxy takes an address or a prefix"):
        read_prefixes(["proxy.example"])
