"""The committed Caddyfile in a real caddy, before two servers that say what they were asked."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.components import program
from tests.grafana.boards import ROOT
from tests.servers.process import free_port, running

MEGABYTE = 1_000_000


class Says(BaseHTTPRequestHandler):
    """Answers with the path, the headers and the length of what was asked."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"path": self.path, "port": self.server.server_port, **dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Says)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of the proxy and of what is behind it."""
    directory: Path = tmp_path_factory.mktemp("proxy")
    port = free_port()
    with upstream() as collector, upstream() as grafana:
        text = (ROOT / "Caddyfile").read_text()
        for name, moved in {
            "grafana:3000": f"127.0.0.1:{grafana}",
            "collector:8321": f"127.0.0.1:{collector}",
            "{$RINGBACK_SITE::8080}": f":{port}",
            "http_port 8080": f"http_port {port}\n\tadmin off\n\tdefault_bind 127.0.0.1",
            "https_port 8443": f"https_port {free_port()}",
        }.items():
            assert name in text
            text = text.replace(name, moved)
        (directory / "Caddyfile").write_text(text)
        command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]
        with running(command, directory, [f"http:127.0.0.1:{port}"]):
            yield {"proxy": port, "collector": collector, "grafana": grafana}


def ask(
    port: int, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST" if body else "GET", path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if answer.status == 200 else {}
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "who"),
    [
        *(("/", "collector"), ("/v1/batches", "collector"), ("/healthz", "collector")),
        *(("/grafana/", "grafana"), ("/grafana/d/ringback-map?var-country=MA", "grafana")),
    ],
)
def test_each_path_goes_where_it_belongs_and_stays_as_it_is(proxy: dict[str, int], path: str, who: str) -> None:
    status, said = ask(proxy["proxy"], path)
    assert (status, said["port"], said["path"]) == (200, proxy[who], path)


def test_nobody_tells_the_collector_another_address(proxy: dict[str, int]) -> None:
    """A line's network is derived from this address: what a client claims about it must not arrive."""
    _, said = ask(proxy["proxy"], "/v1/batches", headers={"X-Forwarded-For": "41.140.196.200"})
    assert said["X-Forwarded-For"] == "127.0.0.1"


def test_what_is_larger_than_any_batch_does_not_reach_the_collector(proxy: dict[str, int]) -> None:
    status, _ = ask(proxy["proxy"], "/v1/batches", b"x" * 256_000)
    assert status == 200
    status, _ = ask(proxy["proxy"], "/v1/batches", b"x" * (2 * MEGABYTE))
    assert status != 200
