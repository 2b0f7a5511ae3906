"""coturn: a STUN and TURN server on UDP and TCP that answers an Allocate without credentials with 401 and its realm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.process import free_port, running, where

CONFIG = """\
{listening}
listening-port={port}
realm={realm}
lt-cred-mech
user=nobody:never-used
fingerprint
no-tls
no-dtls
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


def config(addresses: Sequence[str], port: int, realm: str, directory: Path) -> str:
    """With addresses named one by one: a wildcard socket would answer from another address than was asked."""
    listening = "\n".join(f"listening-ip={address}" for address in addresses)
    return CONFIG.format(listening=listening, port=port, realm=realm, directory=directory)


@contextmanager
def coturn(
    directory: Path,
    realm: str = "relay.example",
    addresses: Sequence[str] = ("127.0.0.1",),
    port: int | None = None,
    inside: str | None = None,
) -> Iterator[Coturn]:
    server = Coturn(addresses[0], port or free_port(), realm)
    path = directory / "turnserver.conf"
    path.write_text(config(addresses, server.port, realm, directory))
    questions = [f"stun:{where(address, server.port)}" for address in addresses]
    with running([program("coturn"), "-c", str(path), "--prod"], directory, questions, inside):
        yield server
