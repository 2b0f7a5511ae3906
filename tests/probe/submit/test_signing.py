"""Which GETs are signed: those to collectors that know this probe, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from probe.codecs.signed_get import is_genuine, parse
from probe.submit.fetch import fetch_lines
from probe.submit.identity import Identity
from probe.submit.pins import FILE, Collector, Pins
from probe.submit.signing import place, signer

KEY, OTHER, OLD = "a" * 64, "b" * 64, "c" * 64
PROBER = Identity(bytes(range(32)))
NOW_MS = 1_772_000_000_000
KNOWN = {
    "https://collector.example": KEY,
    "https://collector.example/deeper": OTHER,
    "http://203.0.113.5:8080": OLD,
}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://collector.example/v1/addresses", (KEY, "/v1/addresses")),
        ("https://collector.example/v1/controls?since=1&until=2", (KEY, "/v1/controls?since=1&until=2")),
        ("https://COLLECTOR.example:443/v1/addresses", (KEY, "/v1/addresses")),
        ("https://collector.example/deeper/v1/addresses", (OTHER, "/v1/addresses")),
        ("https://collector.example/deeper2/v1/addresses", (KEY, "/deeper2/v1/addresses")),
        ("http://203.0.113.5:8080/v1/addresses", (OLD, "/v1/addresses")),
        ("http://collector.example/v1/addresses", None),
        ("https://collector.example:8443/v1/addresses", None),
        ("https://collector.example.evil.example/v1/addresses", None),
        ("https://collector.example@evil.example/v1/addresses", None),
        ("https://me:secret@collector.example/v1/addresses", None),
        ("https://other.example/v1/addresses", None),
        ("http://203.0.113.5/v1/addresses", None),
        ("https://", None),
        ("https://[", None),
        ("https://collector.example:99999/v1/addresses", None),
    ],
)
def test_whose_url_it_is(url: str, found: tuple[str, str] | None) -> None:
    assert place(url, KNOWN) == found


def signed_for(pins: Pins, collector: Collector | None, url: str) -> tuple[str, ...]:
    """The collector's keys for which the header is genuine."""
    value = signer(pins, collector, lambda: PROBER, lambda: NOW_MS)(url)
    said = parse(value or "")
    if said is None:
        assert value is None
        return ()
    assert (said.key, said.at_ms) == (PROBER.key, NOW_MS)
    return tuple(key for key in (KEY, OTHER, OLD) if is_genuine(said, key, "GET", "/v1/addresses"))


def test_for_a_collector_whose_key_was_told_or_pinned(tmp_path: Path) -> None:
    pins, url = Pins(tmp_path), "https://collector.example/v1/addresses"
    assert signed_for(pins, None, url) == ()
    assert signed_for(pins, Collector("https://collector.example"), url) == ()  # it has shown no key yet
    assert signed_for(pins, Collector("https://collector.example/", OLD), url) == (OLD,)
    pins.pin("https://collector.example", KEY)  # as after a hand-over
    assert signed_for(pins, Collector("https://collector.example/", OLD), url) == (KEY,)
    assert signed_for(pins, None, url) == (KEY,)
    assert signed_for(pins, None, "https://other.example/v1/addresses") == ()


@pytest.mark.parametrize("below", ["v1/lines", "v1/lines?a=%2f&b=c d&e=%c3%a9é", "v1/%6cines/?#part", "v1//lines?"])
async def test_what_is_signed_is_what_is_sent(tmp_path: Path, below: str) -> None:
    heard: list[bool] = []

    async def answer(request: web.Request) -> web.Response:
        said = parse(request.headers.get("Authorization", ""))
        assert said is not None
        heard.append(is_genuine(said, KEY, request.method, request.raw_path))
        return web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        url = str(server.make_url("/"))
        Pins(tmp_path).pin(url, KEY)
        authorize = signer(Pins(tmp_path), None, lambda: PROBER, lambda: NOW_MS)
        await fetch_lines(url + below, "/v1/lines", {}, what="lines", limit=9, authorize=authorize)
    assert heard == [True]


def test_nobody_gets_a_key_for_a_question_to_others(tmp_path: Path) -> None:
    def identity() -> Identity:
        raise AssertionError("no identity is needed")

    Pins(tmp_path).pin("https://collector.example", KEY)
    authorize = signer(Pins(tmp_path), None, identity, lambda: NOW_MS)
    assert authorize("https://other.example/v1/addresses") is None


def test_damaged_pins_cost_the_signature_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(b"{")
    assert signed_for(Pins(tmp_path), None, "https://collector.example/v1/addresses") == ()
    assert "asked without a signature" in caplog.text
