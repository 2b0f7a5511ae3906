"""The lab's network, running: lines to measure from, a world of real servers to measure, and what lies between.

    with Lab(directory) as lab:
        line = lab.line("iam", "4g", censor=[Stage("ip.drop", {"addresses": ("203.0.113.23",)})], seed=7)
        … setns into line.namespace (tun.enter), or run line.command("ringback", "check", …) …
        lab.release(line)

The packets are carried by a process of its own (loop.py), which makes the filters from Stages by name, so that only
data crosses. Servers run in the namespace `lab.world` (world.py), as whoever is root in this user namespace:
`python -m tests.lab.rootless COMMAND` gives that to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.model import Targets
from probe.secure.trust import Trust
from tests.lab.model import Access, Operator, Stage


class LabError(RuntimeError):
    """The lab cannot do what it is asked, or a filter failed; a sentence, or the filter's traceback."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A subscriber's connection, until it is released."""

    lab: Lab
    number: int
    namespace: str
    operator: Operator
    access: Access
    addresses: tuple[str, ...]  # the device's own: private IPv4 behind a NAT, global IPv6
    public: tuple[str, ...]  # what the world sees
    resolvers: tuple[str, ...]  # also in the namespace's resolv.conf

    def set(
        self, *, home: Sequence[Stage] | None = None, censor: Sequence[Stage] | None = None,
        world: Sequence[Stage] | None = None,
    ) -> None:  # fmt: skip
        """Other stages from now on; None leaves a place as it is. Packets under way finish the old path."""
        raise NotImplementedError

    def met(self) -> Mapping[str, int]:
        """For each filter of the current path, how many packets it dropped, changed, delayed or answered."""
        raise NotImplementedError

    def command(self, *arguments: str, vpn: bool = False) -> list[str]:
        """A command as a subscriber's device runs it: in the namespace, with its resolv.conf.

        The line's device is a TUN, which looks like a VPN's; what betrays it is hidden unless `vpn`.
        """
        raise NotImplementedError


class Lab:
    """A context manager, which leaves nothing behind."""

    world: str  # the servers' namespace; COLLECTOR's addresses are free for a collector there
    targets_file: Path
    ca_file: Path
    networks_file: Path
    targets: Targets
    trust: Trust

    def __init__(self, directory: Path, slots: int = 60, servers: bool = True) -> None:
        """`directory` is for configurations and logs. Without servers the world is empty, for tests of the path."""

    def __enter__(self) -> Lab:
        raise NotImplementedError

    def __exit__(self, *_: Any) -> None:
        raise NotImplementedError

    def line(
        self, operator: str, access: str, *, home: Sequence[Stage] = (), censor: Sequence[Stage] = (),
        world: Sequence[Stage] = (), families: Sequence[int] = (4, 6), resolver: Sequence[str] | None = None,
        seed: int,
    ) -> Line:  # fmt: skip
        """Takes a free slot; its namespace and TUN are used again. Raises LabError when all are in use.

        `resolver` are addresses instead of the operator's. The stages nat.symmetric and nat.timeout, in whatever
        place, say how the line's NAT behaves (and that there is one).
        """
        raise NotImplementedError

    def release(self, line: Line) -> None:
        """Raises LabError with the traceback of a filter that failed on this line."""
        raise NotImplementedError
