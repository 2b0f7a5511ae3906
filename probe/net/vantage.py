"""Where am I: the device's own view of its link. Nothing here sends a packet.

What is found out about the volunteer (own addresses, the resolver's address) is used on the spot and never kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from probe.addresses import family_of, is_address, is_private, prefix_of
from probe.model import Access, Resolver, Transport
from probe.net.dialer import Dialer

ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}  # documentation addresses: a route towards them is a default route
DISCARD = 9


ResolverKey = tuple[str, int]  # name and index: tells the link's own resolvers apart


class LinkResolver(Struct, frozen=True, kw_only=True):
    """A resolver to ask. `name`, `index` and `prefix` are what is recorded of it; its address is not."""

    name: str
    address: str
    index: int = 0  # among the link's own of this name
    port: int = 53
    prefix: str | None = None
    independent: bool = False
    transport: Transport = Transport.UDP
    server_name: str | None = None  # over TLS

    @property
    def key(self) -> ResolverKey:
        return self.name, self.index


class LinkSnapshot(Struct, frozen=True, kw_only=True):
    """The state of the link: when it differs after a cycle, the network changed meanwhile."""

    own_addresses: frozenset[str]
    families: frozenset[int]
    interface: str | None


async def link_snapshot(dialer: Dialer, root: Path) -> LinkSnapshot:
    """The own addresses and families, as the routing table gives them, and the interface of the default route."""
    own: dict[int, str] = {}
    for family, address in ELSEWHERE.items():
        try:
            datagrams = await dialer.udp(address, DISCARD)
        except OSError:
            continue
        own[family] = datagrams.local[0]
        datagrams.close()
    return LinkSnapshot(
        own_addresses=frozenset(own.values()), families=frozenset(own), interface=default_interface(root)
    )


# --- Resolvers ------------------------------------------------------------------------------------------------


def system_resolvers(root: Path, known: Sequence[Resolver]) -> list[LinkResolver]:
    """The first two servers of resolv.conf(5), as the device itself would ask them."""
    try:
        lines = (root / "etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    addresses = [words[1] for words in fields if len(words) > 1 and words[0] == "nameserver"]
    return [describe_resolver(address, 53, known) for address in addresses if is_address(address)][:2]


# Asked where no server is known; who answers then, and by what, is the system's affair.
SYSTEM = LinkResolver(name="system", address="", transport=Transport.UNKNOWN)


def numbered(resolvers: Iterable[LinkResolver]) -> list[LinkResolver]:
    """The resolvers, each with its index among those of its name; one that is given twice is one."""
    seen: Counter[str] = Counter()
    told = []
    for resolver in dict.fromkeys(resolvers):
        told.append(replace(resolver, index=seen[resolver.name]))
        seen[resolver.name] += 1
    return told


def independent_resolvers(known: Sequence[Resolver], families: frozenset[int]) -> list[LinkResolver]:
    """One address of each public resolver that is asked beside the link's own, by every way in which it can be."""
    chosen = []
    for resolver in known:
        usable = [address for address in resolver.addresses if family_of(address) in families]
        if resolver.independent and usable:
            chosen += [
                LinkResolver(
                    name=resolver.name, address=usable[0], port=port, independent=True, transport=transport,
                    server_name=name,
                )
                for transport, port, name in _ways(resolver)
            ]  # fmt: skip
    return chosen


def _ways(resolver: Resolver) -> Iterator[tuple[Transport, int, str | None]]:
    yield Transport.UDP, 53, None
    if resolver.tls is not None:
        yield Transport.TLS, 853, resolver.tls
    if resolver.https is not None:
        yield Transport.HTTPS, 443, resolver.https


def describe_resolver(address: str, port: int, known: Sequence[Resolver]) -> LinkResolver:
    """The resolver as it may be told of: a well-known name, `private`, or `isp` with the prefix that it lies in."""
    name = next((resolver.name for resolver in known if address in resolver.addresses), None)
    if name is None and is_private(address):
        name = "private"
    prefix = None if name else prefix_of(address)
    return LinkResolver(name=name or "isp", address=address, port=port, prefix=prefix)


# --- Devices --------------------------------------------------------------------------------------------------


def default_interface(root: Path) -> str | None:
    """The interface of the default route: of IPv4 (proc(5), /proc/net/route), else of IPv6.

    A VPN often leaves the default route and covers it with two halves; then it is theirs.
    """
    table, table6 = root / "proc/net/route", root / "proc/net/ipv6_route"
    half = _first_match(table, 0, {1: "00000080", 7: "00000080"})  # 128.0.0.0/1, bytes reversed
    half6 = _first_match(table6, -1, {0: "8".ljust(32, "0"), 1: "01"})
    whole = _first_match(table, 0, {1: "00000000", 7: "00000000"})
    return half or half6 or whole or _first_match(table6, -1, {0: "0" * 32, 1: "00"})


def detect_access(root: Path, interface: str | None) -> Access:
    """WiFi or Ethernet where the kernel says so; what the WiFi hangs on cannot be seen from here."""
    if interface is None:
        return Access.UNKNOWN
    device = root / "sys/class/net" / interface
    if exists(device / "wireless") or exists(device / "phy80211"):
        return Access.WIFI
    if "DEVTYPE" in read(device / "uevent") or not exists(device / "device"):
        return Access.UNKNOWN
    return Access.ETHERNET if read(device / "type").strip() == "1" else Access.UNKNOWN


def _first_match(path: Path, column: int, wanted: dict[int, str]) -> str | None:
    for line in read(path).splitlines():
        words = line.split()
        if len(words) > 8 and all(words[at] == value for at, value in wanted.items()) and words[column] != "lo":
            return words[column]
    return None


def read(path: Path) -> str:
    """The text of a file; nothing for what cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def exists(path: Path) -> bool:
    """The path exists; False also for what may not be looked at."""
    try:
        return path.exists()
    except OSError:
        return False
