"""Which packets a filter means: by the far end's address and port, by protocol and direction, by a service's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.lab.model import Fate, Parameters
from tests.lab.packets import ICMP, ICMP6, TCP, UDP, View, packed

PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP, "icmp6": ICMP6}
Aim = Callable[[View, bool], bool]


def aim(parameters: Parameters, protocol: str | None = None) -> Aim:
    """`addresses` and `ports` are of the internet's side; what is not given, or None, means any.

    `protocol` is the default of the parameter of that name, `direction` is `up`, `down` or `both`.
    """
    addresses, ports = _addresses(parameters.get("addresses")), _ports(parameters.get("ports"))
    wanted = parameters.get("protocol", protocol)
    number = PROTOCOLS[wanted] if wanted else None
    direction = parameters.get("direction", "both")

    def meant(view: View, up: bool) -> bool:
        if direction != "both" and up is not (direction == "up"):
            return False
        if number is not None and view.protocol != number:
            return False
        address, port = view.far(up)
        return (addresses is None or address in addresses) and (ports is None or port in ports)

    return meant


def passes(packet: bytes, up: bool) -> list[Fate]:
    return [Fate(packet, up)]


def is_of(name: str, names: Iterable[str]) -> bool:
    """The name itself, or one below it."""
    return any(name == each or name.endswith(f".{each}") for each in names)


def _addresses(given: Sequence[str] | None) -> frozenset[bytes] | None:
    return None if given is None else frozenset(packed(address) for address in given)


def _ports(given: Sequence[int] | None) -> frozenset[int] | None:
    return None if given is None else frozenset(given)
