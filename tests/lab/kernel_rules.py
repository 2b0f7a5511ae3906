"""The lab's stages in the kernel's words: rules of nft and of xt_string, and lies to be told by a resolver.

What the kernel cannot do by name or by time (a race, a reset beside the path, a reply that is dropped because of what
was asked) is NotShared, with the reason. The words are those of tests/country; kernel.py does what is said here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.country import interference as does
from tests.country.interference import Interference
from tests.lab.model import Parameters, Stage

FAMILIES = {"ipv4": "ip", "ipv6": "ip6"}  # in nft's words: nfproto → header
REJECTIONS = {0: "no-route", 1: "host-unreachable", 3: "port-unreachable", 13: "admin-prohibited"}  # by ICMP's code
CODES = ("NXDOMAIN", "SERVFAIL")  # that our liars can give
SYN = "tcp flags & (syn | ack) == syn"
Translate = Callable[[Parameters], "Doing"]


class NotShared(Exception):
    """The kernel cannot do this, and why."""


@dataclass(frozen=True)
class Lie:
    """Questions for names, to `resolvers` or to anybody, get a code or addresses instead of the truth."""

    names: tuple[str, ...]
    told: str | tuple[str, ...]
    resolvers: tuple[str, ...] | None


@dataclass(frozen=True)
class Doing:
    """What the kernel is to do to one line."""

    rules: Interference = field(default_factory=Interference)
    lies: tuple[Lie, ...] = ()

    def __or__(self, other: Doing) -> Doing:
        """Raises NotShared."""
        whole = Doing(self.rules | other.rules, self.lies + other.lies)
        if len(whole.lies) > 1 or (whole.lies and whole.rules.prerouting):
            raise NotShared("a packet is led elsewhere once only")
        return whole


def doing(stages: Iterable[Stage]) -> Doing:
    """Raises NotShared."""
    whole = Doing()
    for stage in stages:
        if stage.filter not in KERNEL:
            raise NotShared(f"{stage.filter} is beyond nft and xt_string")
        whole |= KERNEL[stage.filter](stage.parameters)
    return whole


# --- Stages as rules ------------------------------------------------------------------------------------------


def aimed(parameters: Parameters, protocol: str | None = None) -> list[tuple[str, str]]:
    """Beginnings of rules, each for packets of one direction and family: `FROM ip daddr { … } tcp dport { … }`."""
    wanted, ports = parameters.get("protocol", protocol), parameters.get("ports")
    if ports and not wanted:
        raise NotShared("ports of whatever protocol")
    ways = {"up": ("FROM",), "down": ("TO",), "both": ("FROM", "TO")}[parameters.get("direction", "both")]
    rules = []
    for way, (family, those) in itertools.product(ways, by_family(parameters.get("addresses")).items()):
        far = "d" if way == "FROM" else "s"
        words = [way, f"meta nfproto {family}"]
        words += [f"{FAMILIES[family]} {far}addr {{ {', '.join(those)} }}"] if those else []
        words += [f"{wanted} {far}port {{ {', '.join(map(str, ports))} }}"] if ports else []
        words += [f"meta l4proto {wanted}"] if wanted else []
        rules.append((family, " ".join(words)))
    return rules


def by_family(addresses: Sequence[str] | None) -> dict[str, list[str]]:
    """Without addresses: both families, any address."""
    if addresses is None:
        return {family: [] for family in FAMILIES}
    split = {"ipv4": [one for one in addresses if ":" not in one], "ipv6": [one for one in addresses if ":" in one]}
    return {family: those for family, those in split.items() if those}


def dropped(parameters: Parameters, protocol: str | None = None, bytes_: str = "") -> Doing:
    return Doing(Interference(tuple(f"{rule} {bytes_} counter drop" for _, rule in aimed(parameters, protocol))))


def upward(parameters: Parameters, protocol: str | None, action: str) -> Doing:
    aim = {**parameters, "direction": "up"}
    return Doing(Interference(tuple(f"{rule} {action}" for _, rule in aimed(aim, protocol))))


def rejected(parameters: Parameters) -> Doing:
    code = parameters.get("code", 13)
    if code not in REJECTIONS:
        raise NotShared(f"nft sends no ICMP code {code}")
    return upward(parameters, parameters.get("protocol"), f"counter reject with icmpx type {REJECTIONS[code]}")


def redirected(parameters: Parameters) -> Doing:
    to, port = parameters["to"], parameters["to_port"]
    family = "ipv6" if ":" in to else "ipv4"
    where = f"[{to}]:{port}" if family == "ipv6" else f"{to}:{port}"
    rules = [
        f"{rule} counter dnat {FAMILIES[family]} to {where}"
        for of, rule in aimed({**parameters, "direction": "up"})
        if of == family
    ]
    return Doing(Interference(prerouting=tuple(rules)))


def stun_dropped(parameters: Parameters, message: str = "") -> Doing:
    return dropped(parameters, "udp", f"{message} {does.STUN_COOKIE}")


def all_udp_dropped(parameters: Parameters) -> Doing:
    spared = ", ".join(map(str, parameters.get("except_ports") or (0,)))
    return Doing(
        Interference((f"FROM udp dport != {{ {spared} }} counter drop", f"TO udp sport != {{ {spared} }} counter drop"))
    )


def names_dropped(parameters: Parameters) -> Doing:
    return Doing(strung(does.drop_name(each) for each in parameters["names"]))


def names_reset(parameters: Parameters) -> Doing:
    if not parameters.get("in_path") or parameters.get("both"):
        raise NotShared("the kernel resets towards one side, and swallows what made it")
    return Doing(strung(does.reset_name(each) for each in parameters["names"]))


def silenced(parameters: Parameters) -> Doing:
    if parameters.get("qtypes"):
        raise NotShared("xt_string does not read the type of a question")
    resolvers = parameters.get("resolvers") or ()
    return Doing(strung(does.silence_name(each, *resolvers) for each in parameters["names"]))


def strung(each: Iterable[Interference]) -> Interference:
    return Interference(strings=tuple(rule for one in each for rule in one.strings))


def lied(parameters: Parameters) -> Doing:
    """By a resolver that is asked instead: it cannot race the true one, nor look at the type of a question."""
    if parameters.get("keep") or parameters.get("qtypes"):
        raise NotShared("a liar that is asked instead neither races the true resolver nor lies for one family")
    code, address = parameters.get("rcode"), parameters.get("address", ())
    if code not in (None, *CODES):
        raise NotShared(f"no liar of ours says {code}")
    told = code or ((address,) if isinstance(address, str) else tuple(address))
    return Doing(lies=(Lie(tuple(parameters["names"]), told, parameters.get("resolvers")),))


KERNEL: dict[str, Translate] = {
    "ip.drop": dropped,
    "ip.reset": lambda parameters: upward(parameters, "tcp", f"{SYN} counter reject with tcp reset"),
    "ip.reject": rejected,
    "redirect": redirected,
    "tls.sni.drop": names_dropped,
    "tls.sni.reset": names_reset,
    "udp.all.drop": all_udp_dropped,
    "udp.port.drop": lambda parameters: dropped(parameters, "udp"),
    "stun.cookie.drop": stun_dropped,
    "stun.reply.drop": lambda parameters: stun_dropped({**parameters, "direction": "down"}, "@th,64,8 0x01"),
    "turn.allocate.drop": lambda parameters: stun_dropped({**parameters, "direction": "up"}, does.STUN_ALLOCATE),
    "dns.silent": silenced,
    "dns.answer": lied,
}
