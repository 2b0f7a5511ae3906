"""kamailio: a real SIP server on UDP and TCP that answers OPTIONS, and challenges REGISTER with its realm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.process import free_port, running

CONFIG = """\
#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:{address}:{port}
listen=tcp:{address}:{port}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "auth.so"
request_route {{
	force_rport();
	if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
	if (is_method("REGISTER")) {{ www_challenge("{realm}", "0"); exit; }}
	sl_send_reply("405", "Method Not Allowed");
}}
"""


@dataclass(frozen=True)
class Kamailio:
    address: str
    port: int
    realm: str


@contextmanager
def kamailio(
    directory: Path, address: str = "127.0.0.1", port: int | None = None, realm: str = "sip.example",
    inside: str | None = None,
) -> Iterator[Kamailio]:  # fmt: skip
    server = Kamailio(address, port or free_port(), realm)
    path = directory / "kamailio.cfg"
    path.write_text(CONFIG.format(address=address, port=server.port, realm=realm))
    place = f"{address}:{server.port}"
    command = [program("kamailio"), "-DD", "-E", "-m", "16", "-M", "4", "-f", str(path), "-Y", str(directory)]
    with running(command, directory, [f"sip:{place}"], inside):
        yield server
