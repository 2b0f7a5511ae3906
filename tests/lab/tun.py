"""Network namespaces, made in one go, and TUN devices in them whose packets this process reads and writes.

Needs root of a user namespace only, with a /run/netns of its own (rootless.py).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.netlink import Netlink, family

NAMESPACES = Path("/run/netns")
RESOLV_CONF = Path("/etc/netns")  # `ip netns exec NAME` mounts NAME/resolv.conf over /etc/resolv.conf
DEVICE = "wan"
LOOPBACK = 1  # always the first device
CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
LIBC = ctypes.CDLL(None, use_errno=True)

# Nothing is remembered of a path, for the next line in this namespace has another; nothing is said unasked.
QUIET = {
    "ipv4/tcp_no_metrics_save": "1",
    "ipv4/icmp_ratelimit": "0",
    "ipv6/icmp/ratelimit": "0",
    "ipv6/conf/default/addr_gen_mode": "1",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/router_solicitations": "0",
}


class Device:
    """A TUN device, up, with the netlink socket of its namespace."""

    def __init__(self, namespace: str) -> None:
        with inside(namespace):
            for key, value in QUIET.items():
                _write(Path("/proc/sys/net", key), value)
            self.fd = _open_tun(DEVICE)
            self.index = socket.if_nametoindex(DEVICE)
            self.netlink = Netlink()
        self.namespace = namespace
        self._addresses: tuple[str, ...] = ()
        self.netlink.lift(LOOPBACK)
        self.netlink.lift(self.index)

    def name(self, addresses: Sequence[str]) -> None:
        """Has exactly these addresses from now on, and a default route for their families."""
        for old in self._addresses:
            self.netlink.remove_address(self.index, old)
        families: set[int] = {family(new) for new in addresses}
        every: set[int] = {socket.AF_INET, socket.AF_INET6}
        for each in every - families:
            self.netlink.remove_default(self.index, each)
        for new in addresses:
            self.netlink.add_address(self.index, new)
        for each in families:
            self.netlink.add_default(self.index, each)
        self._addresses = tuple(addresses)

    def serve(self, addresses: Sequence[str]) -> None:
        """The namespace has these addresses, not on the device, and answers through it."""
        for address in addresses:
            self.netlink.add_address(LOOPBACK, address)
        for each in (socket.AF_INET, socket.AF_INET6):
            self.netlink.add_default(self.index, each)

    def close(self) -> None:
        os.close(self.fd)
        self.netlink.close()


def create(namespaces: Sequence[str]) -> None:
    """In one process of `ip`, which takes a millisecond for each."""
    batch = "".join(f"netns add {name}\n" for name in namespaces)
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True, capture_output=True)
    for name in namespaces:
        (RESOLV_CONF / name).mkdir(parents=True, exist_ok=True)


def remove(namespaces: Sequence[str]) -> None:
    """Whatever is left of them."""
    batch = "".join(f"netns delete {name}\n" for name in namespaces)
    subprocess.run(["ip", "-force", "-batch", "-"], input=batch, text=True, check=False, capture_output=True)
    for name in namespaces:
        shutil.rmtree(RESOLV_CONF / name, ignore_errors=True)


def tell_resolvers(namespace: str, resolvers: Sequence[str]) -> None:
    """For what is run by `ip netns exec`."""
    lines = "".join(f"nameserver {address}\n" for address in resolvers)
    (RESOLV_CONF / namespace / "resolv.conf").write_text(lines + "options timeout:1 attempts:1\n")


def enter(namespace: str) -> None:
    """This thread is in the namespace from now on. Raises OSError."""
    fd = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        _set(fd)
    finally:
        os.close(fd)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread is in the namespace meanwhile."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(namespace)
        yield
    finally:
        _set(home)
        os.close(home)


def _set(fd: int) -> None:
    if LIBC.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def _open_tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd


def _write(path: Path, value: str) -> None:
    if path.exists():  # not every kernel has every one
        path.write_text(value)
