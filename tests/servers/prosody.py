"""prosody: a real XMPP server, in clear with STARTTLS, and inside TLS from the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.certificates import Authority
from tests.servers.process import free_port, running

CONFIG = """\
daemonize = false
run_as_root = true
pidfile = "{directory}/pid"
data_path = "{directory}"
interfaces = {{ "{address}" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
c2s_direct_tls_ssl = {{ certificate = "{certificate}"; key = "{key}"; }}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{}}
modules_enabled = {{ "tls"; "saslauth" }}
modules_disabled = {{ "s2s"; "offline" }}
authentication = "internal_hashed"
c2s_require_encryption = true
log = {{ {{ levels = {{ min = "warn" }}, to = "console" }} }}
VirtualHost "{domain}"
	ssl = {{ certificate = "{certificate}"; key = "{key}"; }}
"""


@dataclass(frozen=True)
class Prosody:
    address: str
    port: int
    tls_port: int
    domain: str


@contextmanager
def prosody(
    directory: Path, authority: Authority, domain: str = "chat.example", address: str = "127.0.0.1",
    ports: tuple[int, int] | None = None, inside: str | None = None,
) -> Iterator[Prosody]:  # fmt: skip
    server = Prosody(address, *(ports or (free_port(), free_port())), domain)
    certificate, key = authority.leaf(domain).write(directory, "prosody")
    path = directory / "prosody.cfg.lua"
    path.write_text(
        CONFIG.format(
            directory=directory, address=address, port=server.port, tls_port=server.tls_port, domain=domain,
            certificate=certificate, key=key,
        )
    )  # fmt: skip
    command = [program("prosody"), "-F", "--config", str(path)]
    questions = [f"xmpp:{address}:{server.port}", f"tls:{address}:{server.tls_port}"]
    with running(command, directory, questions, inside):
        yield server
