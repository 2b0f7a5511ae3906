"""Uploading, against a real HTTP server on loopback that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from probe.codecs.receipt import hand_over, issue
from probe.submit.identity import Identity
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool
from probe.submit.upload import CONTENT_TYPE, UploadReport, upload
from tests.collector.batches import Volunteer


def batch(number: int) -> bytes:
    one = Volunteer(number)
    return one.seal([one.measure()])


Reply = Callable[[], Awaitable[web.StreamResponse]]
COLLECTOR = Identity(bytes(32))
OTHER = Identity(bytes([1]) * 32)
A, B = (batch(number) for number in (1, 2))
PORTAL = (200, "<html>Bienvenue</html>")


class Receipts:
    """Answers with the receipt of a collector; `changes` are put into it, and `by` signs for `key`."""

    def __init__(self, by: Identity = COLLECTOR, key: str = "", already: int = 0, **changes: object) -> None:
        self._by, self._key, self._known, self._changes = by, key or by.key, already, changes

    def text(self, data: bytes) -> str:
        receipt = issue(data, 1 - self._known, self._known, 1_456_500_000_000, self._key, self._by.sign)
        return json.dumps(msgspec.to_builtins(receipt) | self._changes)


OK = Receipts()
KNOWN = Receipts(already=1, later=True)


class Script:
    """A collector that gives these answers in turn, and then goes on with the last."""

    def __init__(
        self, *answers: tuple[int, str] | tuple[int, str, dict[str, str]] | Receipts | Reply, key: object = None
    ) -> None:
        self._answers = list(answers)
        self._key = key
        self.bodies: list[bytes] = []
        self.pinned: str | None = None
        self.headers: list[dict[str, str]] = []

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Receipts):
            return web.Response(text=answer.text(self.bodies[-1]))
        if callable(answer):
            return await answer()
        status, text, *headers = answer
        return web.Response(status=status, text=text, headers=headers[0] if headers else None)

    async def show_key(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._key) if self._key else web.Response(status=404)


class Pauses:
    """Stands for asyncio.sleep: keeps what was asked for and returns at once."""

    def __init__(self, directory: Path) -> None:
        self.asked: list[float] = []
        self.directory = directory  # where pins are kept

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path)
    for name in ("a", "b"):
        spool.put(name, {"a": A, "b": B}[name])
    return spool


async def run(
    script: Script, spool: Spool, pauses: Pauses, attempts: int = 3, given: str | None = None, pinned: str | None = None
) -> UploadReport:
    """One upload; `given` is the key that the user names, `pinned` one that was pinned before."""
    app = web.Application()
    app.router.add_post("/v1/batches", script.receive)
    app.router.add_get("/v1/key", script.show_key)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        collector, pins = Collector(str(server.make_url("/")), given), Pins(pauses.directory)
        if pinned:
            pins.pin(collector.url, pinned)
        report = await upload(
            spool, collector, pins, session=session, sleep=pauses, random=lambda: 0.5, attempts=attempts
        )
        script.pinned = pins.key(collector.url)
        return report


@pytest.fixture
def pauses(tmp_path: Path) -> Pauses:
    return Pauses(tmp_path)


async def test_what_the_collector_keeps_waits_no_more(spool: Spool, pauses: Pauses) -> None:
    script = Script(OK, KNOWN)
    assert await run(script, spool, pauses) == UploadReport(sent=2)
    assert script.bodies == [A, B]
    assert spool.pending() == []
    assert pauses.asked == []


async def test_the_bytes_go_as_they_are(spool: Spool, pauses: Pauses) -> None:
    script = Script(OK)
    await run(script, spool, pauses)
    for headers in script.headers:
        assert headers["Content-Type"] == CONTENT_TYPE
        assert "Content-Encoding" not in headers
        assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [400, 409, 413, 422])
async def test_what_the_collector_refuses_is_set_aside_and_the_next_goes_on(
    spool: Spool, pauses: Pauses, status: int, tmp_path: Path
) -> None:
    script = Script((status, '{"error":"bad_schema","message":"Sent from 192.0.2.1."}'), OK)
    assert await run(script, spool, pauses) == UploadReport(sent=1, refused=1)
    assert spool.pending() == []
    (reason,) = (tmp_path / "refused").glob("*-a.reason")
    assert reason.read_text() == "bad_schema: Sent from […].\n"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_collector_in_trouble_is_asked_again_with_the_same_bytes(
    spool: Spool, pauses: Pauses, status: int
) -> None:
    script = Script((status, ""), (status, '{"error":"busy","message":""}'), OK)
    assert await run(script, spool, pauses) == UploadReport(sent=2)
    assert script.bodies == [A] * 3 + [B]
    assert pauses.asked == [1.0, 2.0]  # half of 2 s and of 4 s: the random number was 0.5


async def test_a_collector_that_stays_in_trouble_is_left_alone(spool: Spool, pauses: Pauses) -> None:
    script = Script((503, ""))
    report = await run(script, spool, pauses, attempts=4)
    assert report == UploadReport(left=2, reason="HTTP 503")
    assert len(script.bodies) == 4
    assert len(pauses.asked) == 3


async def test_pauses_do_not_grow_without_end(spool: Spool, pauses: Pauses) -> None:
    await run(Script((500, "")), spool, pauses, attempts=12)
    assert max(pauses.asked) == 30.0


@pytest.mark.parametrize(
    ("text", "pause"),
    [("7", 8.0), ("99999999", 301.0), ("-5", 1.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 1.0), ("1e9", 1.0), ("²", 1.0)],
)
async def test_a_wish_to_wait_is_granted_within_reason(spool: Spool, pauses: Pauses, text: str, pause: float) -> None:
    await run(Script((429, "", {"Retry-After": text}), OK), spool, pauses)
    assert pauses.asked == [pause]


@pytest.mark.parametrize(
    "answer",
    [
        PORTAL,
        (200, ""),
        (200, '{"stored":1,"known":0}'),
        (200, '{"stored":0,"known":0}'),
        (200, "[" * 5_000),
        (200, OK.text(A)[:-1] + ',"x":"' + "x" * 1_000_000 + '"}'),
        (204, ""),
        (202, OK.text(A)),
        (301, "", {"Location": "/v1/batches"}),
        (307, OK.text(A), {"Location": "/v1/batches"}),
        (400, "<html>Bad Request</html>"),
        (413, '{"detail":"too large"}'),
        (403, '{"error":"blocked","message":"by the ministry"}'),
        (404, ""),
    ],
)
async def test_only_a_collector_can_end_the_life_of_a_batch(
    spool: Spool,
    pauses: Pauses,
    answer: tuple[int, str] | tuple[int, str, dict[str, str]],
) -> None:
    script = Script(answer)
    report = await run(script, spool, pauses)
    assert report == UploadReport(left=2, reason=f"HTTP {answer[0]}, not a collector's answer")
    assert script.bodies == [A, B]  # each once: neither again, nor after a redirect


async def test_a_batch_that_a_proxy_will_not_pass_does_not_hold_up_the_next(spool: Spool, pauses: Pauses) -> None:
    report = await run(Script((413, "<html>"), OK), spool, pauses)
    assert report == UploadReport(sent=1, left=1, reason="HTTP 413, not a collector's answer")


async def test_a_portal_is_not_sent_everything(spool: Spool, pauses: Pauses) -> None:
    for number in range(5):
        spool.put(f"more{number}", A)
    script = Script(PORTAL)
    assert (await run(script, spool, pauses, attempts=3)).left == 7
    assert len(script.bodies) == 3


async def test_a_connection_that_breaks_is_tried_again(spool: Spool, pauses: Pauses) -> None:
    async def cut() -> web.StreamResponse:
        response = web.Response(text=OK.text(A))
        response.content_length = 1_000
        return response

    report = await run(Script(cut, OK), spool, pauses)
    assert report.sent == 2


async def test_an_answer_that_does_not_come_is_given_up(
    spool: Spool, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("probe.submit.upload.TIMEOUT_S", 0.05)
    report = await run(Script(never), spool, pauses, attempts=2)
    assert report == UploadReport(left=2, reason="no answer (TimeoutError)")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}/", "nonsense", "http://[::1", ""])
async def test_a_dead_collector_never_raises(spool: Spool, pauses: Pauses, url: str, tmp_path: Path) -> None:
    address = url.format(port=unused_port())
    async with aiohttp.ClientSession() as session:
        report = await upload(
            spool, Collector(address), Pins(tmp_path), session=session, sleep=pauses, random=lambda: 0.0, attempts=2
        )
    assert (report.sent, report.refused, report.left) == (0, 0, 2)
    assert report.reason is not None
    assert report.reason.startswith("no answer (")
    assert "127.0.0.1" not in report.reason


async def test_a_batch_that_another_process_took_is_passed_over(spool: Spool, pauses: Pauses) -> None:
    async def take() -> web.StreamResponse:
        spool.pending()[1].unlink()
        return web.Response(text=OK.text(A))

    assert await run(Script(take), spool, pauses) == UploadReport(sent=1)


async def test_an_empty_spool_asks_nobody(tmp_path: Path, pauses: Pauses) -> None:
    script = Script(OK)
    assert await run(script, Spool(tmp_path), pauses) == UploadReport()
    assert script.bodies == []


# --- Receipts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": "0" * 64},
        {"lines": 0, "stored": 0},
        {"lines": 2, "stored": 2},
        {"stored": 0},
        {"known": 1},
        {"received_ms": 0},
        {"received_ms": -1},
        {"lines": 2**64},
        {"key": OTHER.key},
        {"key": "z"},
        {"signature": "00" * 64},
        {"signature": ""},
    ],
)
async def test_a_receipt_for_something_else_lets_nothing_go(
    spool: Spool, pauses: Pauses, changes: dict[str, object]
) -> None:
    script = Script(Receipts(**changes))  # type: ignore[arg-type]
    report = await run(script, spool, pauses)
    assert report == UploadReport(left=2, reason="a receipt that is not for this batch")
    assert script.pinned is None


async def test_another_batchs_receipt_lets_nothing_go(spool: Spool, pauses: Pauses) -> None:
    assert (await run(Script((200, OK.text(B)), (200, OK.text(A))), spool, pauses)).left == 2


async def test_the_first_key_is_pinned_and_no_other_believed(spool: Spool, pauses: Pauses) -> None:
    script = Script(OK, Receipts(OTHER))
    report = await run(script, spool, pauses)
    assert (report.sent, report.left, script.pinned) == (1, 1, COLLECTOR.key)
    assert "ringback doctor" in str(report.reason)


async def test_a_key_that_was_given_is_the_only_one(spool: Spool, pauses: Pauses) -> None:
    assert (await run(Script(OK), spool, pauses, given=OTHER.key)).left == 2
    assert (await run(Script(OK), spool, pauses, given=COLLECTOR.key)).sent == 2


async def test_a_successor_is_believed_if_the_pinned_key_vouches_for_it(spool: Spool, pauses: Pauses) -> None:
    between = Identity(bytes([2]) * 32)
    steps = [hand_over(OTHER.key, between.key, OTHER.sign), hand_over(between.key, COLLECTOR.key, between.sign)]
    said = {"key": COLLECTOR.key, "hand_overs": [msgspec.to_builtins(step) for step in steps]}
    script = Script(OK, key=said)
    assert (await run(script, spool, pauses, pinned=OTHER.key)).sent == 2
    assert script.pinned == COLLECTOR.key


@pytest.mark.parametrize("forger", [COLLECTOR, Identity(bytes([3]) * 32)])
async def test_a_hand_over_that_the_old_key_did_not_sign(spool: Spool, pauses: Pauses, forger: Identity) -> None:
    forged = hand_over(OTHER.key, COLLECTOR.key, forger.sign)
    said = {"key": COLLECTOR.key, "hand_overs": [msgspec.to_builtins(forged)]}
    script = Script(OK, key=said)
    assert (await run(script, spool, pauses, pinned=OTHER.key)).left == 2
    assert script.pinned == OTHER.key
