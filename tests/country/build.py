"""The country, running: namespaces, servers, and lines with what the ISP does to them."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from tests.components import require
from tests.country import plan
from tests.country.interference import Interference
from tests.country.namespaces import Host, add, bits, forward, inside, join, name, remove, remove_orphans, run
from tests.servers.caddy import caddy, sites_for
from tests.servers.certificates import Authority, Leaf
from tests.servers.coturn import coturn
from tests.servers.dnsmasq import EVERYTHING, NXDOMAIN, liar
from tests.servers.process import prefix
from tests.servers.unbound import unbound

NEEDS = ("root", "iproute2", "nftables", "iptables", "coturn", "caddy", "unbound", "dnsmasq-base")
HOOKS = {
    "forward": "type filter hook forward priority 0;",
    "prerouting": "type nat hook prerouting priority dstnat;",
}
PREFIX = "rb"
_serial = itertools.count()


class Country:
    """A context manager, which leaves nothing behind. The files are what a probe or a collector is given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = f"{PREFIX}{os.getpid()}x{next(_serial)}"
        self.isp, self.world = f"{self.name}-isp", f"{self.name}-world"
        self.authority = Authority.create("Public authority of the country")
        self.signal = Authority.create("Signal's own authority")
        self.forger = Authority.create("Authority of the forger")
        self.ca_file = self._write("ca.pem", self.authority.pem.decode())
        self.targets_file = self._write("targets.yaml", plan.targets_yaml(self.signal.pem.decode()))
        self.networks_file = self._write("networks.csv", plan.NETWORKS)
        self._namespaces: list[str] = []
        self._numbers = itertools.count(1)
        self._stack = ExitStack()

    def __enter__(self) -> Country:
        require(*NEEDS)
        remove_orphans(PREFIX)
        with ExitStack() as stack:
            stack.callback(remove, self._namespaces)
            self._build()
            _start_all(stack, self._servers())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- Lines and controls ---

    def line(self, does: Interference | None = None, *, families: Sequence[int] = (4, 6), routed: bool = True) -> Host:
        """A new volunteer's line, and what the ISP does to it."""
        number = next(self._numbers)
        addresses = {4: plan.LINE_V4.format(100 + number), 6: f"2001:db8:100:{number}::2"}
        host = Host(f"{self.name}-line{number}", f"line{number}", tuple(addresses[family] for family in families))
        self._attach(host, self.isp, plan.ISP_V4, routed)
        interfere(self.isp, host.device, does or Interference())
        return host

    def control(self, number: int) -> Host:
        """A measuring point beyond the ISP: number 1 or 2, in different networks."""
        addresses = plan.OTHER_V4.format(64 * number - 54), f"2001:db8:20{number}::2"
        host = Host(f"{self.name}-control{number}", f"control{number}", addresses)
        self._attach(host, self.world, plan.WORLD_V4, True)
        return host

    def met(self, line: Host, pattern: str = "") -> int:
        """Packets of this line that met rules of the ISP with the pattern in their text."""
        return met(self.isp, line.device, pattern)

    def _attach(self, host: Host, router: str, gateways: str, routed: bool) -> None:
        gateway = gateways.format(plan.GATEWAY)
        self._add(host.namespace, gateways.format(plan.RESOLVER))
        join(router, host.device, host.namespace, "wan")
        name(host.namespace, "wan", host.addresses)
        inside(router, *(back(address, host.device) for address in host.addresses))
        if routed:
            inside(host.namespace, *(onward(address, gateway, "wan") for address in host.addresses))

    def _write(self, filename: str, text: str) -> Path:
        path = self.directory / filename
        path.write_text(text)
        return path

    # --- Building ---

    def _add(self, namespace: str, resolver: str) -> None:
        self._namespaces.append(namespace)
        add(namespace, resolver)

    def _build(self) -> None:
        for namespace in (self.isp, self.world):
            self._add(namespace, plan.WORLD_V4.format(plan.RESOLVER))
            forward(namespace)
        join(self.world, "isp", self.isp, "world")
        at_isp = (plan.GATEWAY, plan.RESOLVER, plan.PORTAL, *plan.LIARS.values())
        abroad = (plan.GATEWAY, plan.RESOLVER, plan.COLLECTOR, plan.FORGER, plan.NEUTRAL_STUN)
        name(self.isp, "lo", _addresses(at_isp, plan.at_isp))
        name(self.world, "lo", [*_addresses((*abroad, *plan.WEB_SERVERS, *plan.RELAYS), plan.in_world)])
        name(self.world, "lo", [plan.SECOND_NEUTRAL])
        gateway = plan.WORLD_V4.format(plan.GATEWAY)
        inside(self.isp, onward("0.0.0.0", gateway, "world"), onward("::", gateway, "world"))
        inside(
            self.world,
            f"route add 198.51.100.0/24 via {plan.ISP_V4.format(plan.GATEWAY)} dev isp onlink",
            f"route add {plan.LINE_V4.format(0)}/24 via {plan.ISP_V4.format(plan.GATEWAY)} dev isp onlink",
            "route add 2001:db8:100::/40 via fe80::2 dev isp",
            f"route add blackhole {plan.WORLD_V4.format(plan.DEAD)}",
        )

    def _servers(self) -> Iterator[AbstractContextManager[Any]]:
        """Not started yet."""
        genuine = sites_for(self.authority, *plan.CERTIFIED) | sites_for(self.signal, plan.PINNED)
        forged = sites_for(self.forger, *plan.CERTIFIED, plan.PINNED)
        page = "<title>Welcome! Please sign in</title>"
        portal = [plan.ISP_V4.format(plan.PORTAL)]
        yield self._web("web", genuine, _addresses(plan.WEB_SERVERS, plan.in_world), self.world)
        yield self._web("forger", forged, plan.in_world(plan.FORGER), self.world)
        yield self._web("portal", forged, portal, self.isp, body=page, check_status=200)
        for realm, numbers in plan.REALMS.items():
            second = [plan.SECOND_NEUTRAL] if plan.NEUTRAL_STUN in numbers else []
            yield coturn(self._own(realm), realm, [*_addresses(numbers, plan.in_world), *second], 3478, self.world)
        yield unbound(self._own("independent"), plan.NAMES, plan.in_world(plan.RESOLVER), 53, self.world)
        yield unbound(self._own("resolver"), plan.NAMES, plan.at_isp(plan.RESOLVER), 53, self.isp)
        yield from self._liars()

    def _liars(self) -> Iterator[AbstractContextManager[Any]]:
        lies = {"forged": plan.WORLD_V4.format(plan.FORGER), "bogon": plan.BOGON, "nxdomain": NXDOMAIN}
        for lie, told in lies.items():
            yield self._liar(lie, dict.fromkeys(plan.LIED_ABOUT, told), plan.NAMES)
        edge = plan.WORLD_V4.format(plan.WHATSAPP_EDGE)
        yield self._liar("edge", {"web.whatsapp.example": edge}, plan.NAMES)
        yield self._liar("nothing", {EVERYTHING: NXDOMAIN}, {})
        only_v4 = {known: addresses[:1] for known, addresses in plan.NAMES.items()}
        yield self._liar("no-ipv6", {}, only_v4)
        place = plan.at_isp(plan.LIARS["servfail"])
        yield unbound(self._own("servfail"), plan.NAMES, place, 53, self.isp, failing=plan.LIED_ABOUT)

    def _liar(self, lie: str, told: dict[str, str], truth: dict[str, tuple[str, ...]]) -> AbstractContextManager[Any]:
        return liar(self._own(lie), told, truth, plan.at_isp(plan.LIARS[lie]), 53, self.isp)

    def _web(
        self, directory: str, sites: dict[str, Leaf], addresses: Sequence[str], where: str, **more: Any
    ) -> AbstractContextManager[Any]:
        return caddy(self._own(directory), sites, addresses, (80, 443), inside=where, **more)

    def _own(self, directory: str) -> Path:
        path = self.directory / directory
        path.mkdir()
        return path


def interfere(router: str, device: str, does: Interference) -> None:
    """Makes a router do it to the line behind a device."""
    chains = {"forward": does.forward, "prerouting": does.prerouting}
    lines = [f"table inet {device} {{"]
    for chain, rules in chains.items():
        lines += [f"chain {chain} {{", HOOKS[chain], *(_concrete(rule, device) for rule in rules), "}"]
    run(*prefix(router), "nft", "-f", "-", stdin="\n".join([*lines, "}\n"]))
    for tool, chain, rule in itertools.product(("iptables", "ip6tables"), ("FORWARD", "INPUT"), does.strings):
        if _speaks(tool, rule):
            run(*prefix(router), tool, "-w", "-A", chain, "-i", device, *rule)


def met(router: str, device: str, pattern: str = "") -> int:
    """Packets that met rules for the line behind a device, those with the pattern in their text."""
    rules = run(*prefix(router), "nft", "list", "table", "inet", device).splitlines()
    matching = [rule for rule in rules if re.search(pattern, rule)]
    return sum(int(count) for rule in matching for count in re.findall(r"counter packets (\d+)", rule))


def _start_all(stack: ExitStack, servers: Iterator[AbstractContextManager[Any]]) -> None:
    """At once, since each is mostly waited for; those that came up are ended even if another did not."""
    with ThreadPoolExecutor(8) as pool:
        started = [pool.submit(stack.enter_context, server) for server in servers]
    for future in started:
        future.result()


def _addresses(numbers: Sequence[int], of: Any) -> list[str]:
    return [address for number in numbers for address in of(number)]


def back(address: str, device: str) -> str:
    """The router's route to a host."""
    via = "via fe80::2 " if ":" in address else ""
    return f"route add {address}/{bits(address)} {via}dev {device}"


def onward(address: str, gateway: str, device: str) -> str:
    """A default route for the family of an address."""
    route = "::/0 via fe80::1" if ":" in address else f"0.0.0.0/0 via {gateway} onlink"
    return f"route add {route} dev {device}"


def _speaks(tool: str, rule: Sequence[str]) -> bool:
    """Whether a rule is of this tool's family; one that names no destination is of both."""
    named = rule[rule.index("-d") + 1] if "-d" in rule else None
    return named is None or (":" in named) is (tool == "ip6tables")


def _concrete(rule: str, device: str) -> str:
    return rule.replace("FROM ", f'iifname "{device}" ').replace("TO ", f'oifname "{device}" ')
