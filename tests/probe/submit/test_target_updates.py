"""The collector's targets are taken when they are good, kept, and never needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from probe.failure import UserError
from probe.submit import target_updates
from probe.submit.target_updates import is_trusted, renew, vetted
from probe.targets import packaged

SHIPPED = packaged()
NEWER = SHIPPED.body + b"\n# newer\n"


class Collector:
    """Serves one body with its digest as ETag, or whatever `status` says."""

    def __init__(self) -> None:
        self.body = NEWER
        self.status = 200
        self.asked: list[str] = []

    async def targets(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("If-None-Match", ""))
        return web.Response(status=self.status, body=self.body if self.status == 200 else b"")


@pytest.fixture
async def collector(aiohttp_client: object) -> tuple[Collector, str]:
    served = Collector()
    app = web.Application()
    app.router.add_get("/v1/targets", served.targets)
    client = await aiohttp_client(app)  # type: ignore[operator]
    return served, str(client.make_url("/"))


async def test_newer_targets_are_used_and_kept(collector: tuple[Collector, str], tmp_path: Path) -> None:
    served, url = collector
    kept = tmp_path / "targets.yaml"
    assert (await renew(url, kept, SHIPPED)).body == NEWER
    served.status = 304
    assert (await renew(url, kept, SHIPPED)).body == NEWER
    assert served.asked[0] == f'"{SHIPPED.digest}"'
    assert served.asked[1] != served.asked[0]


@pytest.mark.parametrize("status", [404, 500, 302])
async def test_an_odd_answer_changes_nothing(collector: tuple[Collector, str], tmp_path: Path, status: int) -> None:
    served, url = collector
    served.status = status
    assert await renew(url, tmp_path / "targets.yaml", SHIPPED) == SHIPPED


@pytest.mark.parametrize("body", [b"", b"targets: 7", b"x" * 2_000_000], ids=["empty", "wrong", "large"])
async def test_what_cannot_be_read_is_not_used(collector: tuple[Collector, str], tmp_path: Path, body: bytes) -> None:
    served, url = collector
    served.body = body
    kept = tmp_path / "targets.yaml"
    assert await renew(url, kept, SHIPPED) == SHIPPED
    assert not kept.exists()


async def test_a_dead_collector_and_a_damaged_file(tmp_path: Path) -> None:
    kept = tmp_path / "targets.yaml"
    kept.write_bytes(b"\xff damaged")
    assert await renew("http://127.0.0.1:9", kept, SHIPPED) == SHIPPED


# --- A collector is not trusted further than it must be -----------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://collector.example", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9:8080/x", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://collector.example", False),
        ("http://192.168.1.2:8080", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("ftp://127.0.0.1", False),
        ("", False),
    ],
)
def test_targets_come_over_https_or_from_this_machine(url: str, trusted: bool) -> None:
    assert is_trusted(url) is trusted


async def test_over_plain_http_nothing_is_asked_for(
    collector: tuple[Collector, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served, url = collector
    monkeypatch.setattr(target_updates, "is_trusted", lambda _: False)
    assert await renew(url, tmp_path / "targets.yaml", SHIPPED) == SHIPPED
    assert served.asked == []
    assert "https only" in caplog.text


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.1",
        "10.0.0.1",
        "127.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "198.18.0.1",
        "fe80::1",
        "fd00::1",
        "::1",
        "printer.local",
        "nas.lan",
        "router.home.arpa",
        "fritz.box",
        "intranet",
        "db.corp",
    ],
)
async def test_a_file_that_asks_for_the_volunteers_own_network_is_not_used(
    collector: tuple[Collector, str], tmp_path: Path, host: str
) -> None:
    served, url = collector
    hostile = SHIPPED.body.replace(b"g.whatsapp.net", f'"{host}"'.encode(), 1)
    assert hostile != SHIPPED.body
    kept = tmp_path / "targets.yaml"
    for body in (hostile, SHIPPED.body.replace(b"9.9.9.10", f'"{host}"'.encode())):
        served.body = body
        assert await renew(url, kept, SHIPPED) == SHIPPED
        kept.write_bytes(body)  # one of before this was looked at
        assert await renew("http://127.0.0.1:9", kept, SHIPPED) == SHIPPED
        kept.unlink()


def test_a_file_has_so_many_endpoints_and_no_more() -> None:
    assert vetted(SHIPPED) == SHIPPED
    first = SHIPPED.targets[0]
    crowd = replace(first, endpoints=tuple(replace(first.endpoints[0], port=port) for port in range(1, 40)))
    with pytest.raises(UserError, match="too many"):
        vetted(replace(SHIPPED, targets=(crowd,)))
    with pytest.raises(UserError, match="too many"):
        vetted(replace(SHIPPED, targets=(first,) * 1_001))
    resolver = SHIPPED.resolvers[0]
    with pytest.raises(UserError, match="too many"):
        vetted(replace(SHIPPED, resolvers=(replace(resolver, addresses=resolver.addresses * 501),)))


async def test_what_cannot_be_kept_is_measured_all_the_same(
    collector: tuple[Collector, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("probe.durable.write", full)
    assert (await renew(collector[1], tmp_path / "targets.yaml", SHIPPED)).body == NEWER
    assert "could not be kept: No space left on device" in caplog.text
