"""What `Entry.settings` means: what is special about the line, the device on it, and those who look on.

What happens to packets is said by stages; here is the rest. A run without settings is a device whose clock is right,
with the default route on the line itself, which asks the operator's resolver and is compared with two live controls.

The device describes itself in files (/proc, /sys): `lay_out` writes them into a directory that is given to the probe
as its root. Every run needs one, since the lab's own lines are TUN devices, which the probe rightly takes for a VPN.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tests.lab.model import Access, Operator
from tests.lab.places import resolvers as resolvers_of
from tests.lab.plan import FOREIGN_RESOLVER as FOREIGN
from tests.lab.plan import OPERATORS, OTHER_V4, RESOLVER, WORLD_V4
from tests.lab.subscriber import IN_LINE

HOME_RESOLVER = "192.168.1.1"  # the box at home, for what asks a private address
FOREIGN_RESOLVER = OTHER_V4.format(FOREIGN)  # truthful, of nobody's network here, without a well-known name
Device = Literal["wlan0", "eth0", "wwan0", "tun0", "wg0"]
OF_ACCESS: Mapping[str, Device] = {"wifi": "wlan0", "adsl": "eth0"}  # what the device sees of an access; else wwan0
ROUTE_HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEFAULT_ROUTE = "{}\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
FILES: Mapping[Device, Mapping[str, str]] = {  # below /sys/class/net/DEVICE
    "wlan0": {"type": "1\n", "uevent": "DEVTYPE=wlan\n", "wireless/status": "0\n", "device/class": "0x028000\n"},
    "eth0": {"type": "1\n", "uevent": "INTERFACE=eth0\n", "device/class": "0x020000\n"},
    "wwan0": {"type": "65534\n", "uevent": "DEVTYPE=wwan\n", "device/class": "0x020000\n"},
    "tun0": {"type": "65534\n", "uevent": "INTERFACE=tun0\n", "tun_flags": "0x1001\n"},
    "wg0": {"type": "65534\n", "uevent": "DEVTYPE=wireguard\n"},
}


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that an entry may say. The defaults are those of an ordinary run."""

    # The line
    families: tuple[int, ...] = (4, 6)
    nat: Literal["access", "symmetric"] = "access"  # `access`: as the access has it
    nat_timeout: float | None = None  # seconds, of a UDP mapping; a line that has no NAT then gets one
    operators: tuple[str, ...] | None = None  # the only ones that an entry is about; None: all of the country
    gateway: str | None = None  # the first router's IPv4 address, where it is an unusual one
    services: tuple[str, ...] = ()  # those on request that are measured too
    egress: str | None = None  # an operator: the line is of one network, and its packets come out of this one (roaming)
    # The device
    clock_skew_ms: int = 0  # how much its clock is ahead
    resolvers: tuple[str, ...] = ("operator",)  # those of its resolv.conf: see resolver_addresses; or an address
    device: Device | None = None  # that the default route leads into; None: what fits the access
    freezes: tuple[float, float] | None = None  # seconds after which, and for how many, nothing on it runs
    clock_steps: tuple[float, int] | None = (
        None  # seconds after which somebody sets its clock ahead, and by how many ms
    )
    files: int | None = None  # the most descriptors that a process may have open
    trust: Literal["new", "old"] = "new"  # old: from before the younger of the lab's two authorities
    changes_after: float | None = None  # seconds, after which the default route leads into another device
    changes_to: Device = "wwan0"
    declared: str | None = None  # the access that the volunteer says; None: the true one
    scale: float | None = None  # of the probe's limits, where the outcome depends on them; None: the runner's choice
    # Those who look on
    controls: Literal["live", "dead", "one", "disagree", "none", "died", "stale", "without-ipv6"] = "live"
    spares_controls: bool = False  # the world's stages hold for the country only: a vendor's choice
    collector: Literal["live", "dead"] = "live"


# `controls`: live, both measure the same world · dead, both measured without a link · one, the second is missing
# · disagree, the second meets what the line meets and the first does not · none, there are none · died, both measured
# before the world became what it is, and afterwards · stale, both measured before that, and not since
# · without-ipv6, both have IPv4 alone.


def parse(settings: Mapping[str, Any]) -> Settings:
    """Raises ValueError with a sentence for what has no meaning."""
    try:
        parsed = msgspec.convert(dict(settings), Settings)
    except msgspec.ValidationError as error:
        raise ValueError(f"Settings of an entry make no sense: {error}.") from error
    if parsed.egress is not None and parsed.egress not in OPERATORS:
        raise ValueError(f"`egress` must be an operator of the plan, not {parsed.egress}.")
    return parsed


def resolver_addresses(settings: Settings, operator: Operator) -> tuple[str, ...]:
    """What the device asks, in order. `operator` and `operator6` are the network's own, over IPv4 and IPv6.

    `home6` is the box at home, by an address of the line's own prefix.
    """
    over4, over6 = resolvers_of(operator)
    named = {
        "home6": IN_LINE,
        "operator": over4,
        "operator6": over6,
        "world": WORLD_V4.format(RESOLVER),
        "home": HOME_RESOLVER,
    }
    return tuple(named.get(resolver, resolver) for resolver in settings.resolvers)


def device_of(settings: Settings, access: Access) -> Device:
    return settings.device or OF_ACCESS.get(access.name, "wwan0")


def lay_out(root: Path, device: Device) -> None:
    """The files by which the probe knows the device of the default route. Called again, the route moves."""
    for name, content in FILES[device].items():
        _write(root / "sys/class/net" / device / name, content)
    _write(root / "proc/net/route", ROUTE_HEAD + DEFAULT_ROUTE.format(device))


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
