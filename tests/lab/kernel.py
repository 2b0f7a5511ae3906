"""The kernel as a second censor: lines that reach the lab's own servers through veth, nft, xt_string and conntrack.

    line ── veth ── isp (nft, iptables, dnsmasq and unbound as liars, conntrack CGNAT) ── veth ── the lab's world

Nothing of the lab's packet loop or filters is on this path: what a technique does is said in the words of nft, iptables
and dnsmasq (kernel_rules.py), and IPv4 goes through the NAT of conntrack, shared by all lines.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.country.build import back, interfere, onward
from tests.country.interference import Interference
from tests.country.namespaces import Host, add, forward, inside, join, name, remove, run
from tests.lab import plan
from tests.lab.kernel_rules import Lie, doing
from tests.lab.model import Stage
from tests.lab.net import Lab
from tests.servers.dnsmasq import NXDOMAIN, liar
from tests.servers.process import prefix
from tests.servers.unbound import unbound

NEEDS = ("root", "iproute2", "nftables", "iptables", "coturn", "caddy", "unbound", "dnsmasq-base")
OPERATOR = plan.OPERATORS["iam"]
INSIDE, PUBLIC = "100.64.100.{}", "30.18.100.{}"  # before and behind the operator's NAT
SHARED_V4, LINES_V6 = "30.18.100.1-30.18.100.4", "2001:db8:a:ff00::/56"
LINE_V6 = "2001:db8:a:ff{:02x}::2"
LIARS = "100.64.101.{}", "2001:db8:a:fe00::{}"
CGNAT = f"""\
table ip cgnat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {INSIDE.format(0)}/24 oifname "world" snat to {SHARED_V4} fully-random
    }}
}}
"""
UDP_TIMEOUTS = {"nf_conntrack_udp_timeout": 30, "nf_conntrack_udp_timeout_stream": 60}


class Kernel:
    """An operator made of the kernel, beside those of a running lab. A context manager, which leaves nothing behind."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab, self._directory = lab, directory
        self._name = f"rbk{os.getpid()}"
        self._isp = f"{self._name}-isp"
        self._namespaces: list[str] = []
        self._numbers = itertools.count(10)
        self._stack = ExitStack()

    def __enter__(self) -> Kernel:
        with ExitStack() as stack:
            stack.callback(remove, self._namespaces)
            self._build()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def line(self, stages: Sequence[Stage]) -> Host:
        """A new line, and what the kernel does to it. Raises NotShared before anything is made."""
        what, number = doing(stages), next(self._numbers)
        host = Host(f"{self._name}-line{number}", f"line{number}", (INSIDE.format(number), LINE_V6.format(number)))
        self._add(host.namespace)
        join(self._isp, host.device, host.namespace, "wan")
        name(host.namespace, "wan", host.addresses)
        inside(self._isp, *(back(address, host.device) for address in host.addresses))
        inside(host.namespace, *(onward(address, INSIDE.format(1), "wan") for address in host.addresses))
        rules = what.rules
        for lie in what.lies:
            self._tell(lie, number)
            rules |= asked_instead(lie, number)
        interfere(self._isp, host.device, rules)
        return host

    def _build(self) -> None:
        """The operator's router, and routes between it and the world, whose own default leads into the lab."""
        self._add(self._isp)
        forward(self._isp)
        join(self._lab.world, "kernel", self._isp, "world")
        self._stack.callback(run, "ip", "-n", self._isp, "link", "delete", "world")
        name(self._isp, "lo", [INSIDE.format(1), *(PUBLIC.format(last) for last in range(1, 5))])
        inside(self._isp, onward("0.0.0.0", PUBLIC.format(99), "world"), onward("::", "", "world"))
        name(self._lab.world, "kernel", [PUBLIC.format(99)])
        inside(
            self._lab.world,
            f"route add {PUBLIC.format(0)}/24 via {PUBLIC.format(1)} dev kernel onlink",
            f"route add {LINES_V6} via fe80::2 dev kernel",
        )
        run(*prefix(self._isp), "nft", "-f", "-", stdin=CGNAT)
        timeouts = "".join(f"echo {value} > /proc/sys/net/netfilter/{key}\n" for key, value in UDP_TIMEOUTS.items())
        run(*prefix(self._isp), "sh", "-ec", timeouts)

    def _add(self, namespace: str) -> None:
        self._namespaces.append(namespace)
        add(namespace, OPERATOR.resolver)

    def _tell(self, lie: Lie, number: int) -> None:
        """A resolver at the operator that lies, and is truthful about all else."""
        addresses = [form.format(number) for form in LIARS]
        name(self._isp, "lo", addresses)
        directory = self._directory / f"liar{number}"
        directory.mkdir(parents=True)
        truth = {each: addresses_of(each) for each in plan.NAMES if not is_below(each, lie.names)}
        if lie.told == "SERVFAIL":
            server: Any = unbound(directory, truth, addresses, 53, self._isp, failing=lie.names)
        else:
            told = NXDOMAIN if isinstance(lie.told, str) else lie.told
            server = liar(directory, dict.fromkeys(lie.names, told), truth, addresses, 53, self._isp)
        self._stack.enter_context(server)


def asked_instead(lie: Lie, number: int) -> Interference:
    """Questions to the resolvers that lie, or to all, are led to the liar."""
    return Interference(
        prerouting=tuple(
            f"FROM meta nfproto {version} {among(lie.resolvers, family)} {protocol} dport 53 counter "
            f"dnat {family} to {form.format(number)}"
            for version, family, form in zip(("ipv4", "ipv6"), ("ip", "ip6"), LIARS, strict=True)
            for protocol in ("udp", "tcp")
            if lie.resolvers is None or of_family(lie.resolvers, family)
        )
    )


def among(addresses: Sequence[str] | None, family: str) -> str:
    return "" if addresses is None else f"{family} daddr {{ {', '.join(of_family(addresses, family))} }}"


def of_family(addresses: Sequence[str], family: str) -> list[str]:
    return [one for one in addresses if (":" in one) is (family == "ip6")]


def is_below(host: str, names: Sequence[str]) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in names)


def addresses_of(host: str) -> tuple[str, str]:
    number = plan.NAMES[host]
    return plan.WORLD_V4.format(number), plan.WORLD_V6.format(number)
