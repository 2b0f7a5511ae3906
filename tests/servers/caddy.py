"""caddy: HTTPS with certificates of our own making, plain HTTP with a portal check and a Date, and HTTP/3 if asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.components import program
from tests.servers.certificates import Authority, Leaf
from tests.servers.process import free_port, running, where

CONFIG = """\
{{
	admin off
	auto_https off
	http_port {http_port}
	https_port {https_port}
	servers {{
		protocols h1 h2{h3}
	}}
}}
:{http_port} {{
	bind {addresses}
	respond /generate_204 {check}
	respond {body}
}}
"""

SITE = """\
{names} {{
	bind {addresses}
	tls {certificate} {key}
	respond {body}
}}
"""


@dataclass(frozen=True)
class Caddy:
    address: str
    http_port: int
    https_port: int
    leaves: dict[str, Leaf]  # name → the certificate that is shown for it


def config(
    sites: dict[str, Leaf], addresses: Sequence[str], ports: tuple[int, int], body: str, check: str, directory: Path,
    h3: bool = False,
) -> str:  # fmt: skip
    """One HTTP site for every name, one HTTPS site for each name with its own certificate."""
    bound, quoted, more = " ".join(addresses), f"`{body}`", " h3" if h3 else ""
    text = CONFIG.format(http_port=ports[0], https_port=ports[1], addresses=bound, body=quoted, check=check, h3=more)
    for number, (name, leaf) in enumerate(sites.items()):
        certificate, key = leaf.write(directory, f"site{number}")
        text += SITE.format(
            names=f"https://{name}:{ports[1]}", addresses=bound, certificate=certificate, key=key, body=quoted
        )
    return text


@contextmanager
def caddy(
    directory: Path,
    sites: dict[str, Leaf],
    addresses: Sequence[str] = ("127.0.0.1",),
    ports: tuple[int, int] | None = None,
    body: str = "hello",
    inside: str | None = None,
    check_status: int = 204,
    h3: bool = False,
) -> Iterator[Caddy]:
    """`check_status` is what a captive-portal check (/generate_204) gets; a portal's own is not 204."""
    check = "204" if check_status == 204 else f"`{body}` {check_status}"
    http_port, https_port = ports or (free_port(), free_port())
    path = directory / "Caddyfile"
    path.write_text(config(sites, addresses, (http_port, https_port), body, check, directory, h3))
    command = ["env", f"HOME={directory}", program("caddy"), "run", "--adapter", "caddyfile", "--config", str(path)]
    questions = [f"http:{where(address, http_port)}" for address in addresses]
    questions += [f"tls:{where(address, https_port)}" for address in addresses if sites]
    with running(command, directory, questions, inside):
        yield Caddy(addresses[0], http_port, https_port, sites)


def sites_for(authority: Authority, *names: str) -> dict[str, Leaf]:
    """A truthful certificate for each name."""
    return {name: authority.leaf(name) for name in names}
