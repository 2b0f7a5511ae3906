"""coturn: STUN and TURN on UDP, TCP and TLS; an Allocate without credentials is answered with 401 and the realm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.certificates import Leaf
from tests.servers.process import free_port, running, where

CONFIG = """\
{listening}
listening-port={port}
realm={realm}
lt-cred-mech
user=nobody:never-used
fingerprint
{tls}
no-cli
no-rfc5780
no-multicast-peers
log-file=stdout
simple-log
userdb={directory}/turn.db
pidfile={directory}/turn.pid
min-port=49152
max-port=49200
"""


@dataclass(frozen=True)
class Coturn:
    address: str
    port: int
    realm: str
    tls_port: int | None = None


def config(addresses: Sequence[str], port: int, realm: str, directory: Path, tls: str = "no-tls\nno-dtls") -> str:
    """With addresses named one by one: a wildcard socket would answer from another address than was asked."""
    listening = "\n".join(f"listening-ip={address}" for address in addresses)
    return CONFIG.format(listening=listening, port=port, realm=realm, directory=directory, tls=tls)


def tls_lines(leaf: Leaf, port: int, directory: Path) -> str:
    certificate, key = leaf.write(directory, "turn")
    return f"tls-listening-port={port}\ncert={certificate}\npkey={key}"


@contextmanager
def coturn(
    directory: Path,
    realm: str = "relay.example",
    addresses: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    inside: str | None = None,
    leaf: Leaf | None = None,
) -> Iterator[Coturn]:
    """Over TLS and DTLS too where there is a `leaf`."""
    server = Coturn(addresses[0], port or free_port(), realm, free_port() if leaf else None)
    path = directory / "turnserver.conf"
    tls = tls_lines(leaf, server.tls_port, directory) if leaf and server.tls_port else "no-tls\nno-dtls"
    path.write_text(config(addresses, server.port, realm, directory, tls))
    questions = [f"stun:{where(address, server.port)}" for address in addresses]
    questions += [f"tls:{where(address, server.tls_port)}" for address in addresses if server.tls_port]
    with running([program("coturn"), "-c", str(path), "--prod"], directory, questions, inside):
        yield server
