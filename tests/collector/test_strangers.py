"""What strangers are told by a real collector, of volunteers whom it itself has seen for seven days, by their sources.

Everything goes over HTTP: a ticket before each cycle, for a source that a trusted proxy names, and a batch of format 2,
sent from elsewhere. Only the clock is the story's.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from collector.facts.standing import DAY_MS, DAYS, RESULTS
from collector.front.batches import CONTENT_TYPE
from collector.front.listening import address_of, listening, open_socket
from collector.front.tickets import HEADER
from collector.instance import Options, Parts, judged, opened
from collector.judging.rules import RULES
from collector.replay.simulate import cycle
from probe.codecs.said_once import say
from probe.codecs.seal import encode, seal
from probe.model import HOUR_MS, BatchHeader, Context, Json, Measurement, Ticket
from tests.collector.batches import Volunteer
from tests.collector.replay.stories import SMALL, small
from tests.collector.servers import Clock

START_MS = 20_000 * DAY_MS + 12 * HOUR_MS
LAST_MS = START_MS + DAYS * DAY_MS  # the eighth day
EPISODE = small(SMALL.partition("phases:")[0].replace("noise: {lost: 5}\n", ""))

# Operator → access, and the /24 of each of its lines.
SOURCES = {
    "three of three": ("adsl", (1, 2, 3)),
    "two of two": ("adsl", (1, 2)),
    "three of two": ("adsl", (1, 1, 2)),
    "ten of three": ("4g", tuple(n % 3 for n in range(10))),
    "three of two on 4G": ("4g", (1, 1, 2)),
    "ten of one on 4G": ("4g", (1,) * 10),
    "three of three, new": ("adsl", (1, 2, 3)),
}
NEW = {"three of three, new"}  # they measure on the eighth day only
SEEN = {"three of three", "ten of three", "three of two on 4G"}


class Line(msgspec.Struct, frozen=True):
    volunteer: Volunteer
    address: str
    operator: str
    access: str


def lines() -> list[Line]:
    """Each at its own address, by which the networks' table knows its operator."""
    numbers = iter(range(1, 1_000))
    return [
        Line(Volunteer(number := next(numbers)), f"203.{place}.{source}.{number}", operator, access)
        for place, (operator, (access, sources)) in enumerate(SOURCES.items())
        for source in sources
    ]


def table() -> str:
    rows = [f'203.{place}.0.0/16,{64_500 + place},MA,"{operator}"' for place, operator in enumerate(SOURCES)]
    return "\n".join(["prefix,asn,country,operator", *rows, ""])


class Story:
    """A collector at `url`, whose clock is set, and to whom lines send."""

    def __init__(self, parts: Parts, url: str, clock: Clock, session: aiohttp.ClientSession) -> None:
        self._parts, self._url, self._clock, self._session = parts, url, clock, session
        self._lines = lines()

    async def told(self) -> None:
        for day in range(DAYS):
            self._clock.now = START_MS + day * DAY_MS
            for line in self._lines:
                if line.operator not in NEW:
                    await self._send(line, self._looks(line, 1 + RESULTS // DAYS))
        self._clock.now = LAST_MS
        for line in self._lines:
            await self._send(line, self._cycle(line))

    async def cells(self) -> list[dict[str, Json]]:
        """As a stranger is told them, when the hour has been over for one."""
        await judged(self._parts, self._parts.log.latest())
        self._clock.now = LAST_MS + 3 * HOUR_MS
        asked = f"{self._url}/v1/cells?since={LAST_MS - DAY_MS}&until={LAST_MS + HOUR_MS}"
        async with self._session.get(asked) as answer:
            assert answer.status == 200
            return list((await answer.json())["cells"])

    def _cycle(self, line: Line) -> list[Measurement]:
        """As a probe there measures, now."""
        played = next(one for one in EPISODE.lines if one.access == line.access)
        made = cycle(EPISODE, self._parts.targets, played, LAST_MS)
        assert made is not None
        now_ms = self._clock.now
        return [replace(each, simulated=False, started_ms=now_ms + n) for n, each in enumerate(made.measurements)]

    def _looks(self, line: Line, count: int) -> list[Measurement]:
        """So many in which nothing is looked at but the line itself."""
        one = replace(self._cycle(line)[0], resolutions=(), attempts=(), sweeps=())
        return [replace(one, uid=line.volunteer.number()) for _ in range(count)]

    async def _send(self, line: Line, seen: Sequence[Measurement]) -> None:
        ticket = await self._ticket(line)
        header = BatchHeader(
            format=2,
            key=line.volunteer.key,
            batch=line.volunteer.number(),
            sealed_ms=self._clock.now,
            software="ringback 0.1",
            targets=self._parts.targets.digest,
            contexts=1,
            salt=line.volunteer.number(),
        )
        context = encode(Context(link=seen[0].link, ticket=ticket))
        data = seal(header, [say(each, 0) for each in seen], line.volunteer._private.sign, [context])
        headers = {"Content-Type": CONTENT_TYPE, "X-Forwarded-For": "198.51.100.1"}
        async with self._session.post(f"{self._url}/v1/batches", data=data, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def _ticket(self, line: Line) -> Ticket:
        url = f"{self._url}/v1/targets?key={line.volunteer.key}&nonce={line.volunteer.number()}"
        async with self._session.get(url, headers={"X-Forwarded-For": line.address}) as answer:
            return msgspec.json.decode(base64.b64decode(answer.headers[HEADER]), type=Ticket)


async def _strangers_cells(data: Path) -> list[dict[str, Json]]:
    clock = Clock(START_MS)
    networks = data / "networks.csv"
    networks.write_text(table())
    options = Options(data=data / "store", networks=networks, trusted_proxies=("127.0.0.1/32",))
    with opened(options, RULES, clock) as parts, open_socket("127.0.0.1", 0) as sock:
        async with listening(parts, options, sock), aiohttp.ClientSession() as session:
            story = Story(parts, address_of(sock), clock, session)
            await story.told()
            return await story.cells()


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Json]]:
    return asyncio.run(_strangers_cells(tmp_path_factory.mktemp("strangers")))


@pytest.mark.parametrize("operator", SOURCES)
def test_a_cell_is_public_when_established_lines_come_from_enough_sources(
    cells: list[dict[str, Json]], operator: str
) -> None:
    shown = {cell["target"]: (cell["state"], cell["access"]) for cell in cells if cell["operator"] == operator}
    expected = {"whatsapp/chat": ("ok", SOURCES[operator][0])} if operator in SEEN else {}
    assert {target: shown[target] for target in expected} == expected
    assert bool(shown) is (operator in SEEN)


def test_small_networks_together_are_shown_as_others(cells: list[dict[str, Json]]) -> None:
    """Two of two and three of two: five established lines from four sources; new lines are not among them."""
    others = [cell for cell in cells if cell["operator"] == "other" and cell["target"] == "whatsapp/chat"]
    assert [(cell["access"], cell["lines"]) for cell in others] == [("adsl", "3-5")]
