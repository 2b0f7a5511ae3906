"""The lab's network, running: lines to measure from, a world of real servers to measure, and what lies between.

    with Lab(directory) as lab:
        line = lab.line("iam", "4g", censor=[Stage("ip.drop", {"addresses": ("203.0.113.23",)})], seed=7)
        … setns into line.namespace (tun.enter), or run line.command("ringback", "check", …) …
        lab.release(line)

The packets are carried by a process of its own (router.py), which makes the filters from Stages by name, so that only
data crosses. Servers run in the namespace `lab.world` (world.py), as whoever is root in this user namespace:
`python -m tests.lab.rootless COMMAND` gives that to anybody.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from probe.model import Targets
from probe.secure.trust import Trust
from probe.targets import chosen, parse
from tests.country.namespaces import remove_orphans
from tests.lab import subscriber
from tests.lab.model import Access, Operator, Stage
from tests.lab.places import resolvers
from tests.lab.plan import ACCESSES, OPERATORS
from tests.lab.targets import networks_csv, targets_yaml
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
OLD_MS = 3 * 365 * 86_400_000  # of a device's authorities, where they are old
PREFIX = "lab"  # of namespaces, before the id of the process whose they are
START_SECONDS, END_SECONDS = PATIENCE / 2, PATIENCE / 4
# Hides that the line's device is a TUN, which looks like a VPN's, in the mounts that `ip netns exec` makes.
HIDING = 'mount -t tmpfs none /sys/devices/virtual/net/wan && exec "$@"'
_serial = itertools.count()


class LabError(RuntimeError):
    """The lab cannot do what it is asked, or a filter failed; a sentence, or the filter's traceback."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A subscriber's connection, until it is released."""

    lab: Lab
    slot: int
    namespace: str
    operator: Operator
    access: Access
    addresses: tuple[str, ...]  # the device's own: private IPv4 behind a NAT, global IPv6
    public: tuple[str, ...]  # what the world sees
    resolvers: tuple[str, ...]  # also in the namespace's resolv.conf

    def set(
        self,
        *,
        home: Sequence[Stage] | None = None,
        censor: Sequence[Stage] | None = None,
        world: Sequence[Stage] | None = None,
    ) -> None:
        """Other stages from now on; None leaves a place as it is. Packets under way finish the old path."""
        stages = {"home": home, "censor": censor, "world": world}
        self.lab.ask("change", self.slot, {where: tuple(of) for where, of in stages.items() if of is not None})

    def met(self) -> Mapping[str, int]:
        """For each filter of the current path, how many packets it dropped, changed, delayed or answered."""
        counts: Mapping[str, int] = self.lab.ask("met", self.slot)
        return counts

    def command(self, *arguments: str, vpn: bool = False) -> list[str]:
        """A command as a subscriber's device runs it: in the namespace, with its resolv.conf.

        The line's device is a TUN, which looks like a VPN's; what betrays it is hidden unless `vpn`.
        """
        hidden = [] if vpn else ["sh", "-c", HIDING, "sh"]
        return ["ip", "netns", "exec", self.namespace, *hidden, *arguments]


class Lab:
    """A context manager, which leaves nothing behind."""

    world: str  # the servers' namespace; COLLECTOR's addresses are free for a collector there
    targets_file: Path
    ca_file: Path
    networks_file: Path
    targets: Targets  # without those on request
    every_target: Targets
    trust: Trust
    old_trust: Trust  # of a device that has not been brought up to date for years

    def __init__(self, directory: Path, slots: int = 60, servers: bool = True) -> None:
        """`directory` is for configurations and logs. Without servers there are no targets, for tests of the path."""
        self._directory, self._slots, self._servers = directory, slots, servers
        self._stack = ExitStack()
        self._turn = threading.Lock()
        self._numbers = itertools.count(1)
        self._free: list[int] = []
        self._namespaces: list[str] = []

    def __enter__(self) -> Lab:
        self._directory.mkdir(parents=True, exist_ok=True)
        remove_orphans(PREFIX)
        with ExitStack() as stack:
            self._connection = self._start_router(stack)
            self.world, *self._namespaces = self._reply(START_SECONDS)
            self._free = list(reversed(range(self._slots)))
            if self._servers:
                self._start_world(stack)
                self._write_files()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def line(
        self,
        operator: str,
        access: str,
        *,
        home: Sequence[Stage] = (),
        carrier: Sequence[Stage] = (),
        censor: Sequence[Stage] = (),
        world: Sequence[Stage] = (),
        families: Sequence[int] = (4, 6),
        resolver: Sequence[str] | None = None,
        gateway: str | None = None,
        seed: int,
    ) -> Line:
        """Takes a free slot; its namespace and TUN are used again. Raises LabError when all are in use.

        `resolver` are addresses instead of the operator's, or subscriber.IN_LINE; `gateway` is that of the first
        router. The stages nat.symmetric and nat.timeout, in whatever place, say how the line's NAT behaves (and that
        there is one).
        """
        who, how = OPERATORS[operator], ACCESSES[access]
        manner = subscriber.manner(how, [*home, *carrier, *censor, *world]) if 4 in families else None
        own, public = subscriber.addresses(who, how, next(self._numbers), sorted(families), manner)
        asked = tuple(resolver) if resolver is not None else (resolvers(who)[0 if 4 in families else 1],)
        asked = tuple(subscriber.beside(own) if each == subscriber.IN_LINE else each for each in asked)
        if not self._free:
            raise LabError(f"All {self._slots} lines are in use; release one, or make a Lab with more slots.")
        slot, routers = self._free.pop(), subscriber.routers(who, how, gateway)
        stages = tuple(home), tuple(carrier), tuple(censor), tuple(world)
        order = subscriber.Order(slot, how, own, public, asked, manner, routers, *stages, seed)
        try:
            self.ask("open", order)
        except LabError:
            self._free.append(slot)
            raise
        return Line(self, slot, self._namespaces[slot], who, how, own, public, asked)

    def release(self, line: Line) -> None:
        """Raises LabError with the traceback of a filter that failed on this line."""
        faults = self.ask("close", line.slot)
        self._free.append(line.slot)
        if faults:
            raise LabError(f"{len(faults)} packets were lost to a filter that failed. {faults[0]}")

    def ask(self, method: str, *arguments: Any) -> Any:
        """What the router says to an order. Raises LabError."""
        with self._turn:
            self._connection.send((method, arguments))
            return self._reply(END_SECONDS)

    def _reply(self, seconds: float) -> Any:
        try:
            done, result = self._connection.recv() if self._connection.poll(seconds) else (False, "The lab is stuck.")
        except EOFError:
            done, result = False, f"The lab's router ended; its log is {self._directory / 'router.log'}."
        if not done:
            raise LabError(result)
        return result

    def _start_router(self, stack: ExitStack) -> Connection:
        ours, theirs = socket.socketpair()
        prefix = f"{PREFIX}{os.getpid()}x{next(_serial)}"
        with theirs:
            command = [sys.executable, "-m", "tests.lab.router", str(theirs.fileno()), prefix, str(self._slots)]
            router = self._start(stack, command, "router", pass_fds=[theirs.fileno()])
        connection = Connection(ours.detach())
        stack.callback(router.wait, END_SECONDS)
        stack.callback(connection.close)
        return connection

    def _start_world(self, stack: ExitStack) -> None:
        command = [sys.executable, "-m", "tests.lab.world", self.world, str(self._directory / "servers")]
        world = self._start(stack, command, "world", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        stack.callback(world.communicate, timeout=END_SECONDS)
        assert world.stdout is not None
        if world.stdout.readline() != b"ready\n":
            log = (self._directory / "world.log").read_text()
            raise LabError(f"The world's servers did not start; their log ends:\n{log[-2000:]}")

    def _start(self, stack: ExitStack, command: Sequence[str], name: str, **how: Any) -> subprocess.Popen[bytes]:
        """In a session of its own: an interrupt from the keyboard is for us, who then end it in good order."""
        log = stack.enter_context((self._directory / f"{name}.log").open("wb"))
        return subprocess.Popen(command, cwd=ROOT, stderr=log, start_new_session=True, **how)

    def _write_files(self) -> None:
        directory = self._directory / "servers"
        signal_pem = (directory / "signal.pem").read_text()
        self.ca_file, self.targets_file = directory / "ca.pem", directory / "targets.yaml"
        self.networks_file = directory / "networks.csv"
        self.targets_file.write_text(targets_yaml(signal_pem))
        self.networks_file.write_text(networks_csv())
        self.every_target = parse(self.targets_file.read_bytes(), str(self.targets_file))
        self.targets = chosen(self.every_target, ())
        now_ms, known = int(time.time() * 1000), self.targets.authorities
        self.trust = Trust(self.ca_file.read_bytes(), known, as_of_ms=now_ms)
        self.old_trust = Trust((directory / "old-ca.pem").read_bytes(), known, as_of_ms=now_ms - OLD_MS)
