"""A few words of iproute2: namespaces with a resolv.conf of their own, joined by pairs of virtual devices."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.patience import PATIENCE
from tests.servers.process import prefix

RESOLV_CONF = Path("/etc/netns")  # iproute2 mounts NAME/resolv.conf over /etc/resolv.conf for what it runs in NAME


@dataclass(frozen=True)
class Host:
    """A namespace with one device, `wan`, to a router."""

    namespace: str
    device: str  # the router's end of it
    addresses: tuple[str, ...]

    def command(self, *arguments: str) -> list[str]:
        return [*prefix(self.namespace), *arguments]


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}\n{stdin}")
    return done.stdout


def ip(*lines: str) -> None:
    """Several commands of `ip` in one process."""
    run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def inside(namespace: str, *lines: str) -> None:
    """The same in a namespace, with one process more."""
    run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(lines) + "\n")


def add(namespace: str, resolver: str) -> None:
    directory = RESOLV_CONF / namespace
    directory.mkdir(parents=True)
    (directory / "resolv.conf").write_text(f"nameserver {resolver}\noptions timeout:1 attempts:1\n")
    ip(f"netns add {namespace}")
    inside(namespace, "link set lo up")


def remove_orphans(prefix: str) -> None:
    """What killed runs left: namespaces PREFIX<pid>x… without that process, and the servers in them."""
    for path in RESOLV_CONF.glob(f"{prefix}*"):
        owner = re.match(rf"{prefix}(\d+)x", path.name)
        if owner and not Path("/proc", owner[1]).exists():
            pids = subprocess.run(["ip", "netns", "pids", path.name], capture_output=True, text=True, check=False)
            for pid in pids.stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            remove([path.name])


def remove(namespaces: Sequence[str]) -> None:
    """Whatever state they are in; devices go with their namespaces."""
    for namespace in namespaces:
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
        shutil.rmtree(RESOLV_CONF / namespace, ignore_errors=True)


def forward(namespace: str) -> None:
    """Makes a router of it, one that answers every wrong packet with ICMP (the default limits the rate)."""
    values = {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv4/icmp_ratelimit": 0, "ipv6/icmp/ratelimit": 0}
    script = "".join(f"echo {value} > /proc/sys/net/{key}\n" for key, value in values.items())
    run(*prefix(namespace), "sh", "-ec", script)


def join(router: str, device: str, namespace: str, far_device: str) -> None:
    """A pair of devices with link-local addresses: fe80::1 on the router's end, fe80::2 on the other."""
    ip(f"link add {device} netns {router} type veth peer name {far_device} netns {namespace}")
    for place, name, address in ((router, device, "fe80::1"), (namespace, far_device, "fe80::2")):
        inside(place, f"link set {name} addrgenmode none up", f"address add {address}/64 dev {name} nodad")


def name(namespace: str, device: str, addresses: Sequence[str]) -> None:
    inside(namespace, *(f"address add {one}/{bits(one)} dev {device} nodad" for one in addresses))


def bits(address: str) -> int:
    return 128 if ":" in address else 32
