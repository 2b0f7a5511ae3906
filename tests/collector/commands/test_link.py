"""The owner's link, printed for a collector that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from collector import commands
from collector.front.listening import address_of, link_to, listening, open_socket
from collector.instance import Options, opened
from tests.collector.judging.evidence import RULES

Capture = pytest.CaptureFixture[str]


def link(data: Path) -> int:
    return commands.main(["link", "--data", str(data)])


async def test_it_opens_the_collector_that_runs(tmp_path: Path, capsys: Capture) -> None:
    options = Options(data=tmp_path / "data")
    with opened(options, RULES) as parts, open_socket("0.0.0.0", 0) as sock:
        async with listening(parts, options, sock):
            assert await asyncio.to_thread(link, options.data) == 0
            said = capsys.readouterr().out.strip()
            assert said.startswith(f"http://127.0.0.1:{sock.getsockname()[1]}/owner/")
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
                async with browser.get(said) as answer:
                    assert answer.status == 200
                    assert "/owner/" not in str(answer.url)
                async with browser.get(answer.url.with_path("/v1/verdicts")) as answer:
                    assert answer.status == 200


def held(data: Path, work: Callable[[], int]) -> int:
    with opened(Options(data=data), RULES):
        return work()


def test_one_that_does_not_run(tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "data"
    assert link(data) == 2
    assert "holds no log" in capsys.readouterr().err
    assert held(data, lambda: link(data)) == 2  # a rebuild, say: it does not listen
    assert "No ringback-collector listens for" in capsys.readouterr().err
    assert link(data) == 2
    assert "start it with `serve` or `local`" in capsys.readouterr().err


def test_a_link_is_for_the_machine_itself(tmp_path: Path) -> None:
    assert link_to("http://192.0.2.7:8321", tmp_path) is None
    assert (link_to("http://[::]:8321", tmp_path) or "").startswith("http://[::1]:8321/owner/")
    assert (link_to("http://[::1]:8321", tmp_path) or "").startswith("http://[::1]:8321/owner/")
    with open_socket("127.0.0.1", 0) as sock:
        assert (link_to(address_of(sock), tmp_path) or "").startswith(f"{address_of(sock)}/owner/")


def test_one_that_others_reach_only_says_what_to_send(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.commands.link.running_at", lambda data: "http://192.0.2.7:8321")
    assert link(tmp_path) == 2
    assert f"send the token in {tmp_path / 'admin.token'}" in capsys.readouterr().err
