from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from probe.judge.evidence import Evidence
from probe.model import HOUR_MS, ControlMeasurement, Network, Verdict
from tests.collector.batches import NOW_MS, Volunteer
from tests.collector.judging.evidence import RULES
from tests.collector.servers import TARGETS, TOKEN, Serving, eventually, serving

CONTROL = Volunteer(7)
NOTHING = {"batches": 0, "dropped_batches": 0, "dropped_measurements": 0}
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def collector(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path, controls=frozenset({CONTROL.key})) as one:
        yield one


@pytest.fixture
async def public(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path, owner=False) as one:
        yield one


async def test_the_targets_file_is_asked_for_once(collector: Serving) -> None:
    url = f"{collector.url}/v1/targets"
    async with collector.session.get(url) as answer:
        assert (answer.status, await answer.read()) == (200, TARGETS.body)
        assert answer.headers["ETag"] == f'"{TARGETS.digest}"'
        assert answer.content_type == "application/yaml"
    async with collector.session.get(url, headers={"If-None-Match": f'"x", "{TARGETS.digest}"'}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
        assert answer.headers["ETag"] == f'"{TARGETS.digest}"'
    assert (await collector.get("/v1/targets", If_None_Match='"x"'))[0] == 200


async def test_what_controls_saw(collector: Serving) -> None:
    volunteer = Volunteer(1)
    seen = [CONTROL.measure(started_ms=NOW_MS - age) for age in (3 * HOUR_MS, 90 * 60_000, 1)]
    assert (await collector.post(CONTROL.seal(seen)))[0] == 200
    assert (await collector.post(volunteer.seal([volunteer.measure()])))[0] == 200

    async def controls(query: str) -> list[ControlMeasurement]:
        status, text = await collector.get(f"/v1/controls{query}")
        assert status == 200
        return [msgspec.json.decode(line, type=ControlMeasurement) for line in text.splitlines()]

    assert await controls("") == [
        ControlMeasurement(key=CONTROL.key, network=Network(), measurement=one, started_ms=one.started_ms)
        for one in seen[1:]
    ]
    assert [one.measurement for one in await controls(f"?since={NOW_MS - 3 * HOUR_MS}&until={NOW_MS - 1}")] == seen[:2]
    assert await controls(f"?since={NOW_MS}&until={NOW_MS}") == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("since=yesterday", "bad_value"),
        ("until=-1", "bad_value"),
        ("until=1e3", "bad_value"),
        ("since=9999999999999999", "bad_value"),
        ("since=5&until=4", "bad_span"),
        (f"since=0&until={48 * HOUR_MS + 1}", "bad_span"),
        ("since=1&since=2", "repeated_parameter"),
        ("sinc=1", "unknown_parameter"),
    ],
)
@pytest.mark.parametrize("path", ["controls", "addresses"])
async def test_a_span_that_is_none(collector: Serving, query: str, path: str, reason: str) -> None:
    status, text = await collector.get(f"/v1/{path}?{query}")
    assert (status, json.loads(text)["error"]) == (400, reason)


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics"])
async def test_where_nothing_is_asked_for_a_parameter_is_refused(collector: Serving, path: str) -> None:
    assert (await collector.get(path))[0] == 200
    status, text = await collector.get(f"{path}?country=MA")
    assert (status, json.loads(text)["error"]) == (400, "unknown_parameter")
    assert json.loads(text)["message"] == "There is no parameter `country`; this takes none."


async def test_health_says_how_far_behind_the_projection_is(collector: Serving) -> None:
    volunteer = Volunteer(1)
    await collector.post(volunteer.seal([volunteer.measure()]))
    await eventually(lambda: collector.parts.warehouse.cursor() == 1)
    status, text = await collector.get("/healthz")
    assert status == 200
    assert json.loads(text) == {
        "ok": True,
        "standstill_s": 0,
        "log_cursor": 1,
        "projection_cursor": 1,
        "lag": 0,
        "projection_error": None,
        "missing": NOTHING,
        "waiting_hours": 0,
        "judged_again_back_to": None,
    }


async def test_a_broken_projection_does_not_stop_ingest(tmp_path: Path) -> None:
    def broken(evidence: Evidence) -> Verdict:
        raise OSError("no judge today")

    async with serving(tmp_path, rules=msgspec.structs.replace(RULES, judge=broken)) as collector:
        volunteer = Volunteer(1)
        assert (await collector.post(volunteer.seal([volunteer.measure()])))[0] == 200
        await eventually(lambda: collector.parts.projector.error is not None)
        assert await collector.post(volunteer.seal([volunteer.measure()])) == (200, {"stored": 1, "known": 0})
        # Judging goes on newest first, once it does.
        collector.parts.warehouse.change(lambda c: c.execute("INSERT INTO waiting VALUES ('viber/call', 492222)"))
        said = json.loads((await collector.get("/healthz"))[1])
        assert said.pop("standstill_s") >= 0
        assert said == {
            "ok": False,
            "log_cursor": 2,
            "projection_cursor": 0,
            "lag": 2,
            "projection_error": "OSError: no judge today",
            "missing": NOTHING,
            "waiting_hours": 1,
            "judged_again_back_to": "2026-02-25T07:00Z",
        }
        assert await collector.get("/healthz", Authorization="nobody") == (200, '{"ok": false}')
        metrics = (await collector.get("/metrics"))[1]
        assert "ringback_projection_broken 1.0" in metrics
        assert "ringback_waiting_hours 1.0" in metrics
        assert "ringback_judged_again_back_to_seconds 1.7720028e+09" in metrics


async def test_what_cannot_be_judged_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    def broken(evidence: Evidence) -> Verdict:
        raise RuntimeError("a mistake")

    async with serving(tmp_path, rules=msgspec.structs.replace(RULES, judge=broken)) as collector:
        volunteer = Volunteer(1)
        await collector.post(volunteer.seal([volunteer.measure(), volunteer.measure("viber/call")]))
        await eventually(lambda: collector.parts.warehouse.cursor() == 1)
        assert json.loads((await collector.get("/healthz"))[1])["ok"] is True
        _, text = await collector.get("/metrics")
        assert 'ringback_quarantined_measurements{kind="RuntimeError"} 2.0' in text
        assert "ringback_projection_standstill_seconds 0.0" in text


async def test_metrics(collector: Serving) -> None:
    await collector.post(b"junk")
    status, text = await collector.get("/metrics")
    assert status == 200
    assert 'ringback_batches_total{outcome="not_gzip"} 1.0' in text
    assert "ringback_log_cursor 0.0" in text
    assert "# TYPE ringback_networks_age_seconds gauge" in text


async def test_others_see_less(public: Serving) -> None:
    assert await public.get("/healthz") == (200, '{"ok": true}')
    assert (await public.get("/metrics"))[0] == 403
    assert (await public.get("/metrics", **ADMIN))[0] == 200
    assert "log_cursor" in (await public.get("/healthz", **ADMIN))[1]
    assert (await public.get("/v1/targets"))[0] == 200
    assert (await public.get("/v1/controls"))[0] == 200


@pytest.mark.parametrize("path", ["/nothing", "/v1/", "/v1/batches/1", "/../etc/passwd", "/%2e%2e/log.sqlite"])
async def test_an_unknown_address(public: Serving, path: str) -> None:
    status, text = await public.get(path)
    assert (status, json.loads(text)["error"]) == (404, "not_found")


async def test_a_method_that_is_not_taken(public: Serving) -> None:
    async with public.session.delete(f"{public.url}/v1/targets") as answer:
        assert (answer.status, (await answer.json())["error"]) == (405, "method_not_allowed")
        assert "GET" in answer.headers["Allow"]


async def test_the_page_and_the_queries_are_there(collector: Serving) -> None:
    volunteer = Volunteer(1)
    await collector.post(volunteer.seal([volunteer.measure()]))
    await eventually(lambda: collector.parts.warehouse.cursor() == 1)
    assert "<title>Ringback" in (await collector.get("/"))[1]
    assert len(json.loads((await collector.get("/v1/verdicts"))[1])["verdicts"]) == 1
    assert len(json.loads((await collector.get("/v1/cells"))[1])["cells"]) == 1


async def test_others_see_no_single_verdicts(public: Serving) -> None:
    assert (await public.get("/v1/verdicts"))[0] == 403
    assert (await public.get("/v1/cells"))[0] == 200


@pytest.mark.parametrize("path", ["/v1/targets", "/v1/controls", "/healthz", "/nothing"])
async def test_every_answer_carries_the_security_headers(public: Serving, path: str) -> None:
    async with public.session.get(f"{public.url}{path}") as answer:
        assert answer.headers["Server"] == "ringback"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_headers_that_are_too_long(public: Serving) -> None:
    status, _ = await public.get("/healthz", X_Long="x" * 20_000)
    assert status == 400


async def test_a_token_of_bytes_that_are_no_text(public: Serving) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", public.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
    writer.close()
