"""unbound: a resolver on UDP, TCP and, with a certificate, TLS and HTTPS, that knows the names it is given and forwards
nothing to anyone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.certificates import Leaf
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
    tls_port: int = 0
    https_port: int = 0


def config(
    names: Mapping[str, Sequence[str]], addresses: Sequence[str], port: int, directory: Path, failing: Sequence[str],
    in_tls: Sequence[str] = (),
) -> str:  # fmt: skip
    """The root as a static zone: what is not told here does not exist, so no question leaves the machine.

    A failing name is one to ask 127.0.0.1 for, which unbound never asks: SERVFAIL, at once.
    """
    lines = [f"interface: {address}@{port}" for address in addresses]
    lines += in_tls
    told = [name for name in names if name not in failing]
    lines += [f'local-data: "{record}"' for name in told for record in records(name, names[name])]
    lines += [f'local-zone: "{name}." transparent' for name in failing]
    stubs = "".join(f'stub-zone:\n\tname: "{name}."\n\tstub-addr: 127.0.0.1\n' for name in failing)
    return CONFIG.format(directory=directory, lines="\n".join(f"\t{line}" for line in lines)) + stubs


def tls_lines(leaf: Leaf, server: Unbound, directory: Path) -> list[str]:
    certificate, key = leaf.write(directory, "unbound")
    lines = [f"interface: {server.address}@{each}" for each in (server.tls_port, server.https_port)]
    lines += [f"tls-port: {server.tls_port}", f"https-port: {server.https_port}"]
    return [*lines, f'tls-service-pem: "{certificate}"', f'tls-service-key: "{key}"']


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
    leaf: Leaf | None = None,
) -> Iterator[Unbound]:
    """`failing` names get SERVFAIL. Over TLS and HTTPS too where there is a `leaf`."""
    tls_port, https_port = (free_port(), free_port()) if leaf else (0, 0)
    server = Unbound(addresses[0], port or free_port(), names, tls_port, https_port)
    path = directory / "unbound.conf"
    in_tls = tls_lines(leaf, server, directory) if leaf else []
    path.write_text(config(names, addresses, server.port, directory, failing, in_tls))
    questions = [f"dns:{where(address, server.port)}" for address in addresses]
    questions += [f"tls:{where(server.address, each)}" for each in (tls_port, https_port) if each]
    with running([program("unbound"), "-d", "-c", str(path)], directory, questions, inside):
        yield server
