"""dnsmasq as a liar: a resolver that gives forged answers for some names, or for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.process import free_port, running, where

NXDOMAIN = ""  # as the lie about a name: it does not exist
Lie = str | Sequence[str]  # an address, or several
EVERYTHING = "#"  # as the name of a lie: all names that are not told apart
CONFIG = """\
keep-in-foreground
no-resolv
no-hosts
no-daemon
bind-interfaces
pid-file=
user=root
group=root
local-ttl=60
port={port}
{lines}
"""


@dataclass(frozen=True)
class Liar:
    address: str
    port: int
    lies: Mapping[str, Lie]


def config(lies: Mapping[str, Lie], truth: Mapping[str, Sequence[str]], addresses: Sequence[str], port: int) -> str:
    """What is in neither map is refused, since there is nobody to ask."""
    lines = [f"listen-address={address}" for address in addresses]
    lines += [f"address=/{name}/{told}" for name, lie in lies.items() for told in _each(lie)]
    lines += [f"host-record={name},{','.join(told)}" for name, told in truth.items() if name not in lies]
    # Authoritative for the names it knows: a question for the other family is answered with nothing, not refused.
    lines += [f"local=/{name}/" for name in {*lies, *truth} - {EVERYTHING}]
    return CONFIG.format(port=port, lines="\n".join(lines))


def _each(lie: Lie) -> Sequence[str]:
    return [lie] if isinstance(lie, str) else lie


@contextmanager
def liar(
    directory: Path,
    lies: Mapping[str, Lie],
    truth: Mapping[str, Sequence[str]] | None = None,
    addresses: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    inside: str | None = None,
) -> Iterator[Liar]:
    server = Liar(addresses[0], port or free_port(), lies)
    path = directory / "dnsmasq.conf"
    path.write_text(config(lies, truth or {}, addresses, server.port))
    questions = [f"dns:{where(address, server.port)}" for address in addresses]
    with running([program("dnsmasq-base"), "-C", str(path)], directory, questions, inside):
        yield server
