"""The world's real servers: `python -m tests.lab.world NAMESPACE DIRECTORY`, until its standard input ends.

coturn for every relay with its realm, one caddy for every name (HTTP, HTTPS, HTTP/3) with certificates that are right
or wrong by address, one unbound for all resolvers, which tells the truth, and for protocols of the apps' own the tests'
servers, with keys of the lab's. It says `ready` once all of them answer, and ends exactly those that it started.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.components import program
from tests.lab import places, plan, tun
from tests.lab.places import PINNED
from tests.servers import msturn, sip, viber
from tests.servers.certificates import Authority, Leaf
from tests.servers.coturn import coturn
from tests.servers.mtproto import mtproto_server
from tests.servers.noise import noise_server
from tests.servers.process import running, where
from tests.servers.unbound import unbound

NEEDS = ("iproute2", "coturn", "caddy", "unbound")
ALIASES = 12  # of a genuine certificate, long ones, which make it some 3 kB long
LONGEST_LABEL = 63  # RFC 1035
ROOT = Path(__file__).parents[2]
PUBLIC, SIGNAL = "Public authority of the lab", "Signal's own authority"
CHAT_PORT = 5222  # where the block page's server takes connections too, whatever is then said
PAGES = {
    plan.BLOCK_PAGE: ("<title>Access to this site is forbidden</title>This is a simulation.", 403),
    plan.PORTAL: ("<title>Welcome! Please sign in</title>This is a simulation.", 200),
}
CADDY = """\
{
	admin off
	auto_https off
	servers {
		protocols h1 h2 h3
	}
}
"""
PLAIN = """\
http://:{port} {{
	bind {addresses}
	respond /generate_204 {check}
	respond `{body}` {status}
}}
"""
SECURE = """\
{names} {{
	bind {addresses}
	tls {certificate} {key}
	respond `hello`
}}
"""


@dataclass(frozen=True)
class Site:
    """Web servers at some addresses: which certificate for which names."""

    addresses: tuple[str, ...]
    leaves: Mapping[tuple[str, ...], Leaf]
    page: tuple[str, int] | None = None  # instead of what a genuine server answers in plain HTTP


def sites(public: Authority, signal: Authority, younger: Authority) -> list[Site]:
    """The genuine ones and those that go wrong, which have one certificate for all names but the pinned one."""
    genuine: dict[tuple[str, ...], Leaf] = {
        (name,): (younger if name in places.YOUNG else public).leaf(name, *_aliases(name)) for name in _others()
    }
    genuine[PINNED,] = signal.leaf(PINNED, *_aliases(PINNED))
    replaced, replaced_signal, forger, antivirus = map(
        Authority.create, ("Public authority, 2nd generation", "Signal, 2nd", "Ministry", "Antivirus Web Shield")
    )
    wrong = {
        plan.EXPIRED: _pair(public, signal, since=datetime.now(UTC) - timedelta(days=97)),
        plan.ROTATED: _pair(replaced, replaced_signal),
        plan.PROXY: _pair(antivirus, antivirus),
        plan.BLOCK_PAGE: {_every_name(): forger.leaf(*_every_name()), (PINNED,): forger.leaf(PINNED)},
        plan.PORTAL: {_others(): forger.leaf("portal.hotel.example"), (PINNED,): forger.leaf("portal.hotel.example")},
        plan.COPYCAT: _pair(*map(Authority.create, (PUBLIC, SIGNAL))),  # the genuine ones' names, and keys of its own
        plan.OTHER_EDGE: _pair(younger, signal),
        plan.RENAMED: {_others(): public.leaf("www.renamed.example"), (PINNED,): signal.leaf("new.signal.example")},
    }
    everywhere = (*places.in_world(*places.WEB), *places.caches())
    return [Site(everywhere, genuine)] + [
        Site(tuple(places.in_world(number)), leaves, PAGES.get(number)) for number, leaves in wrong.items()
    ]


def _pair(public: Authority, signal: Authority, **dates: Any) -> dict[tuple[str, ...], Leaf]:
    return {_others(): public.leaf(*_others(), **dates), (PINNED,): signal.leaf(PINNED, **dates)}


def _aliases(name: str) -> list[str]:
    """So long that a server's first flight takes several full packets, as large services' certificates make it.

    Few, for every client reads all of them.
    """
    where = ".".join(label.ljust(LONGEST_LABEL, "x") for label in ("data-centre", "region"))
    return [f"{f'edge-{number}'.ljust(LONGEST_LABEL, 'x')}.{where}.{name}" for number in range(ALIASES)]


def _every_name() -> tuple[str, ...]:
    return tuple(name for name in plan.NAMES if name != PINNED)


def _others() -> tuple[str, ...]:
    return tuple(name for name in places.WEB_NAMES if name != PINNED)


def caddyfile(all_sites: Sequence[Site], directory: Path) -> str:
    text = CADDY
    for number, site in enumerate(all_sites):
        bound = " ".join(site.addresses)
        text += _plain(80, site.addresses, site.page)
        for serial, (names, leaf) in enumerate(site.leaves.items()):
            certificate, key = leaf.write(directory, f"site{number}-{serial}")
            listed = [", ".join(f"https://{name}:443" for name in names)]
            if names == (places.NEUTRAL_NAME,):
                listed.append(f"https://{names[0]}:{plan.NEUTRAL_PORT}")
            text += "".join(
                SECURE.format(names=each, addresses=bound, certificate=certificate, key=key) for each in listed
            )
    return text + _plain(CHAT_PORT, places.in_world(plan.BLOCK_PAGE), PAGES[plan.BLOCK_PAGE])


def _plain(port: int, addresses: Sequence[str], page: tuple[str, int] | None) -> str:
    body, status = page or ("hello", 200)
    check = "204" if page is None else f"`{body}` {status}"
    return PLAIN.format(port=port, addresses=" ".join(addresses), check=check, body=body, status=status)


def web(directory: Path) -> AbstractContextManager[Any]:
    """Writes the authorities too, which probes are to trust: ca.pem and signal.pem beside the servers' directories.

    old-ca.pem is what was trusted before the younger of the two public authorities was there.
    """
    public, signal, younger = map(Authority.create, (PUBLIC, SIGNAL, "Younger public authority"))
    (directory.parent / "ca.pem").write_bytes(public.pem + younger.pem)
    (directory.parent / "old-ca.pem").write_bytes(public.pem)
    (directory.parent / "signal.pem").write_bytes(signal.pem)
    all_sites = sites(public, signal, younger)
    path = directory / "Caddyfile"
    path.write_text(caddyfile(all_sites, directory))
    questions = [f"{kind}:{where(site.addresses[-1], port)}" for site in all_sites for kind, port in KINDS]
    command = ["env", f"HOME={directory}", program("caddy"), "run", "--adapter", "caddyfile", "--config", str(path)]
    return running(command, directory, questions)


KINDS = (("http", 80), ("tls", 443))
# Servers of our own, what to ask them, and how they want to be told where to listen.
SPEAKERS = ((viber, "tcp", "{}"), (msturn, "msturn", "{}"), (sip, "sip", "udp:{}"))


def servers(directory: Path) -> Iterator[AbstractContextManager[Any]]:
    """Not started yet; the slowest first."""
    yield web(_own(directory, "web"))
    names = {name: places.in_world(number)[:2] for name, number in plan.NAMES.items()}
    yield unbound(_own(directory, "resolvers"), names, places.all_resolvers(), 53)
    yield noise_server(_own(directory, "noise"), places.spoken_at("noise"))
    yield mtproto_server(_own(directory, "mtproto"), places.spoken_at("mtproto"))
    crowded = [(address, 443) for address in places.in_world(plan.CROWDED)]
    yield mtproto_server(_own(directory, "mtproto-crowded"), crowded, guise="refusing")
    for module, question, form in SPEAKERS:
        yield _speaker(_own(directory, question), module, question, form)
    for (realm, port), numbers in places.RELAYS.items():
        yield coturn(_own(directory, f"{realm}-{port}"), realm, places.in_world(*numbers), port)


def _speaker(directory: Path, module: ModuleType, question: str, form: str) -> AbstractContextManager[Any]:
    listening = [where(*place) for place in places.spoken_at(module.__name__.rpartition(".")[2])]
    options = [word for each in listening for word in ("--listen", form.format(each))]
    command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", module.__name__, *options]
    return running(command, directory, [f"{question}:{each}" for each in listening])


def _own(directory: Path, name: str) -> Path:
    path = directory / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def main(namespace: str, directory: Path) -> None:
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # the world is not the device that is busy; only real root may ask for it
    tun.enter(namespace)
    with ExitStack() as stack:
        with ThreadPoolExecutor(8) as pool:  # at once, since each is mostly waited for
            started = [pool.submit(stack.enter_context, server) for server in servers(directory)]
        for future in started:
            future.result()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
