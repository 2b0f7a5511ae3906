"""unbound: a resolver on UDP and TCP that knows the names it is given and forwards nothing to anyone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.process import free_port, running, where

CONFIG = """\
server:
	username: ""
	chroot: ""
	directory: "{directory}"
	pidfile: "{directory}/unbound.pid"
	do-daemonize: no
	use-syslog: no
	num-threads: 1
	module-config: "iterator"
	access-control: 0.0.0.0/0 allow
	access-control: ::0/0 allow
	hide-version: yes
	local-zone: "." static
{lines}
remote-control:
	control-enable: no
"""


@dataclass(frozen=True)
class Unbound:
    address: str
    port: int
    names: Mapping[str, Sequence[str]]


def config(
    names: Mapping[str, Sequence[str]], addresses: Sequence[str], port: int, directory: Path, failing: Sequence[str]
) -> str:
    """The root as a static zone: what is not told here does not exist, so no question leaves the machine.

    A failing name is one to ask 127.0.0.1 for, which unbound never asks: SERVFAIL, at once.
    """
    lines = [f"interface: {address}@{port}" for address in addresses]
    told = [name for name in names if name not in failing]
    lines += [f'local-data: "{record}"' for name in told for record in records(name, names[name])]
    lines += [f'local-zone: "{name}." transparent' for name in failing]
    stubs = "".join(f'stub-zone:\n\tname: "{name}."\n\tstub-addr: 127.0.0.1\n' for name in failing)
    return CONFIG.format(directory=directory, lines="\n".join(f"\t{line}" for line in lines)) + stubs


def records(name: str, addresses: Sequence[str]) -> list[str]:
    kinds = {4: "A", 6: "AAAA"}
    return [f"{name}. 60 IN {kinds[ipaddress.ip_address(one).version]} {one}" for one in addresses]


@contextmanager
def unbound(
    directory: Path,
    names: Mapping[str, Sequence[str]],
    addresses: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    inside: str | None = None,
    failing: Sequence[str] = (),
) -> Iterator[Unbound]:
    """`failing` names get SERVFAIL."""
    server = Unbound(addresses[0], port or free_port(), names)
    path = directory / "unbound.conf"
    path.write_text(config(names, addresses, server.port, directory, failing))
    questions = [f"dns:{where(address, server.port)}" for address in addresses]
    with running([program("unbound"), "-d", "-c", str(path)], directory, questions, inside):
        yield server
