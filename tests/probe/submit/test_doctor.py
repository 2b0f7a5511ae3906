"""What the volunteer is told about sending."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from msgspec import to_builtins

from probe.codecs.receipt import PublicKey, hand_over
from probe.failure import UserError
from probe.submit.doctor import examine, resend, trust
from probe.submit.identity import Identity
from probe.submit.pins import Collector, Pins
from probe.submit.spool import Spool
from tests.probe.submit.networks import Country

OLD, NEW = Identity(bytes(32)), Identity(bytes([1]) * 32)


async def told(tmp_path: Path, said: PublicKey) -> str:
    """Of a collector whose old key is pinned."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response(to_builtins(said))

    app = web.Application()
    app.router.add_get("/v1/key", show)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession():
        Pins(tmp_path).pin(str(server.make_url("/")), OLD.key)
        return (await examine(tmp_path))[-1]


async def test_a_collector_with_its_key(tmp_path: Path) -> None:
    assert (await told(tmp_path, PublicKey(key=OLD.key))).endswith(f"its key is {OLD.key}, as expected.")


async def test_a_collector_whose_old_key_vouches(tmp_path: Path) -> None:
    said = PublicKey(key=NEW.key, hand_overs=(hand_over(OLD.key, NEW.key, OLD.sign),))
    assert (await told(tmp_path, said)).endswith("as expected.")


async def test_a_collector_with_another_key(tmp_path: Path) -> None:
    line = await told(tmp_path, PublicKey(key=NEW.key))
    assert f"shows the key {NEW.key} instead of {OLD.key}" in line
    assert "ringback trust http://127.0.0.1:" in line


async def test_a_collector_that_is_away(tmp_path: Path) -> None:
    Pins(tmp_path).pin(f"http://127.0.0.1:{unused_port()}", OLD.key)
    assert (await examine(tmp_path)) == ["Nothing was kept for a collector yet.", (await examine(tmp_path))[1]]
    assert "does not answer" in (await examine(tmp_path))[1]


def test_another_key_is_trusted_when_the_user_says_so(tmp_path: Path) -> None:
    trust(tmp_path, Collector("https://collector.example"), NEW.key)
    assert Pins(tmp_path).key("https://collector.example") == NEW.key
    with pytest.raises(UserError, match="is no key"):
        trust(tmp_path, Collector("https://collector.example"), "x")


async def test_what_waits_is_counted_and_can_be_sent_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.accepted(spool.put("a", b"a"))
    spool.put("b", b"b")
    spool.refused(spool.put("c", b"c"), "why")
    assert await examine(tmp_path) == ["1 batches wait, 1 were sent within a week, 1 were refused."]
    assert resend(tmp_path) == 1
    assert await examine(tmp_path) == ["2 batches wait, 0 were sent within a week, 1 were refused."]


async def test_what_waits_for_a_ticket_and_the_keys_of_networks_are_told(tmp_path: Path) -> None:
    country = Country(tmp_path)
    (tmp_path / "identity.key").write_text(bytes(range(32)).hex())
    await country.cycle()
    country.world.network = None
    await country.cycle()
    lines = await examine(tmp_path)
    assert lines[0] == "1 batches wait, 0 were sent within a week, 0 were refused."
    assert lines[1].startswith("1 cycles wait for a ticket")
    assert lines[2].startswith(f"AS36903: signs with {country.keys.of(36903, 225).key} in this quarter")
