"""The country in a box: a lab, the volunteers' lines in it, and a collector that receives what they saw."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import msgspec

from probe.measuring.session import Settings
from probe.model import Access
from probe.net.vantage import describe_resolver
from tests.lab import fork, settings
from tests.lab.front import Doors
from tests.lab.net import Lab, Line
from tests.lab.plan import COLLECTOR, WORLD_V4
from tests.lab.story import MEASURING_POINTS, Act, Volunteer, censor
from tests.lab.volunteer import HOUR_MS, Errand, identity, returned, sent_out
from tests.servers.process import end

ROOT = Path(__file__).parents[2]
ADDRESS, PORT = WORLD_V4.format(COLLECTOR), 8321
SCALE = 0.4  # of the probe's limits: what is silent is given up after 3 s
Say = Callable[[str], None]


class Box:
    """A context manager, which leaves nothing behind."""

    def __init__(self, directory: Path, volunteers: Sequence[Volunteer], door: socket) -> None:
        self._directory, self._door = directory, door
        self.data = directory / "collector"  # the collector's
        self._volunteers = tuple(volunteers)
        self._lines: dict[str, Line] = {}
        self._rounds = 0
        self._stack = ExitStack()

    def __enter__(self) -> Box:
        with ExitStack() as stack:
            self._lab = stack.enter_context(
                Lab(self._directory / "lab", slots=len(self._volunteers) + len(MEASURING_POINTS))
            )
            self._front = stack.enter_context(front(self._lab, self.data, self._door))
            for number, one in enumerate((*MEASURING_POINTS, *self._volunteers)):
                self._lines[one.name] = self._lab.line(one.operator, one.access, seed=number)
            fork.preload()
            stack.callback(gc.unfreeze)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def play(self, act: Act, say: Say) -> Path:
        """Everybody measures once in this act; then the page is written, and this is where."""
        started = time.monotonic()
        say(f"{clock(act)} UTC in the story: {act.says}")
        self._rounds += 1
        lost, done = [], 0
        for some in (self._volunteers, MEASURING_POINTS):  # controls when lines have failed
            with sent_out([self._errand(one, act) for one in some]) as children:
                lost += [name for name, child in children.items() if not returned(child)]
            done += len(children)
        for name in lost:
            say(f"{name} brought nothing: {self._last_words(name)}")
        page = written_page(self._front)
        done -= len(lost)
        say(f"    {done} lines have measured, and the collector has judged it: {time.monotonic() - started:.0f} s.")
        return page

    def _errand(self, one: Volunteer, act: Act) -> Errand:
        line = self._lines[one.name]
        line.set(censor=censor(act, one))
        order = fork.Order(
            namespace=line.namespace,
            targets=self._lab.targets,
            trust=self._lab.trust,
            seed=f"{one.name}:{self._rounds}",
            settings=self._settings(one, line),
            scale=SCALE,
        )
        collector = f"http://{ADDRESS}:{PORT}"
        return Errand(name=one.name, order=order, collector=collector, data=self._directory, hours_ago=act.hours_ago)

    def _settings(self, one: Volunteer, line: Line) -> Settings:
        """A device as people have it: the lab's own would look like a VPN."""
        root = self._directory / f"device-{one.name}"
        settings.lay_out(root, settings.device_of(settings.Settings(), line.access))
        return Settings(
            declared=Access(one.access),
            behind=Access.ADSL if one.access == "wifi" else Access.UNKNOWN,
            resolvers=tuple(describe_resolver(each, 53, self._lab.targets.resolvers) for each in line.resolvers),
            root=root,
        )

    def _last_words(self, name: str) -> str:
        log = self._directory / f"{name}.log"
        return log.read_text().strip().splitlines()[-1] if log.exists() else "it was ended"


def clock(act: Act) -> str:
    """The hour of an act, as the page's timeline names it."""
    moment = time.gmtime(time.time() - act.hours_ago * HOUR_MS / 1000)
    return time.strftime("%H:00–%H:59", moment)


@contextmanager
def front(lab: Lab, data: Path, door: socket) -> Iterator[subprocess.Popen[str]]:
    """The collector, once it listens. In a process group of its own, so that Ctrl-C does not reach it before us."""
    doors = Doors(
        data=str(data),
        networks=str(lab.networks_file),
        targets=str(lab.targets_file),
        control_keys=tuple(identity(one.name).key for one in MEASURING_POINTS),
        page_socket=door.fileno(),
        world=lab.world,
        address=ADDRESS,
        port=PORT,
    )
    command = [sys.executable, "-m", "tests.lab.front", msgspec.json.encode(doors).decode()]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        pass_fds=[door.fileno()], process_group=0,
    )  # fmt: skip
    try:
        heard(process)
        yield process
    finally:
        end(process)  # type: ignore[arg-type]


def written_page(process: subprocess.Popen[str]) -> Path:
    assert process.stdin is not None
    process.stdin.write("page\n")
    process.stdin.flush()
    return Path(heard(process))


def heard(process: subprocess.Popen[str]) -> str:
    """The collector's next word. Raises RuntimeError when it is gone."""
    assert process.stdout is not None
    word = process.stdout.readline().strip()
    if not word:
        raise RuntimeError("The demo's collector ended; what it said stands above.")
    return word
