"""The collector's targets are taken when they are good, kept, and never needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from probe.submit.target_updates import renew
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
