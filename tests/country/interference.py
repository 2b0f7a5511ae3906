"""What an ISP can do to a line, as rules of the kernel: nft, with FROM and TO for packets from and to the line.

Every rule that interferes counts, so that a test can see that it was met.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.country.plan import FORGER, ISP_V4, ISP_V6, LIARS, PORTAL, RELAYS, RESOLVER, SERVICES, WORLD_V4, WORLD_V6

Rules = tuple[str, ...]
STUN_COOKIE = "@th,96,32 0x2112a442"
STUN_ALLOCATE = "@th,64,16 0x0003"
ADMIN_PROHIBITED = "reject with icmpx type admin-prohibited"


@dataclass(frozen=True)
class Interference:
    """Rules where the ISP forwards and where it rewrites destinations, and what it looks for in clear."""

    forward: Rules = ()
    prerouting: Rules = ()
    strings: tuple[tuple[str, ...], ...] = ()  # arguments of iptables

    def __or__(self, other: Interference) -> Interference:
        return Interference(
            self.forward + other.forward, self.prerouting + other.prerouting, self.strings + other.strings
        )


def towards(numbers: tuple[int, ...], protocol: str, action: str) -> Rules:
    """Packets of a protocol from the line to places in the world, of both families."""
    return tuple(
        f"FROM {family} daddr {{ {', '.join(form.format(number) for number in numbers)} }} "
        f"meta l4proto {protocol} counter {action}"
        for family, form in (("ip", WORLD_V4), ("ip6", WORLD_V6))
    )


def drop(protocol: str, *numbers: int) -> Interference:
    return Interference(towards(numbers, protocol, "drop"))


def reset_on_syn(*numbers: int) -> Interference:
    return Interference(towards(numbers, "tcp", "reject with tcp reset"))


def prohibit(protocol: str, *numbers: int) -> Interference:
    """ICMP `administratively prohibited`, sent by the ISP's router."""
    return Interference(towards(numbers, protocol, ADMIN_PROHIBITED))


def drop_allocate() -> Interference:
    """STUN messages that ask for an allocation, on any port to anyone; other STUN passes."""
    return Interference((f"FROM meta l4proto udp {STUN_ALLOCATE} {STUN_COOKIE} counter drop",))


def drop_stun() -> Interference:
    """Everything that carries STUN's cookie, either way."""
    return Interference(tuple(f"{way} meta l4proto udp {STUN_COOKIE} counter drop" for way in ("FROM", "TO")))


def drop_udp() -> Interference:
    """No UDP passes; the ISP's own resolver, which is not passed through, answers still."""
    return Interference(("FROM meta l4proto udp counter drop",))


def drop_name(name: str) -> Interference:
    """TCP segments that hold the name in clear, as a ClientHello does."""
    return _string("-p", "tcp", "--string", name, "-j", "DROP")


def reset_name(name: str) -> Interference:
    """The line is told, in the server's name, that the connection is over; the segment goes no further."""
    return _string("-p", "tcp", "--string", name, "-j", "REJECT", "--reject-with", "tcp-reset")


def silence_name(name: str, *resolvers: str) -> Interference:
    """Questions for the name (or for one below it) get no answer, whoever is asked, or whichever of these."""
    wire = "".join(f"{len(label):02x}{label.encode().hex()}" for label in name.split("."))
    asked = [("-d", resolver) for resolver in resolvers] or [()]
    return _strings([("-p", "udp", *each, "--hex-string", f"|{wire}|", "-j", "DROP") for each in asked])


def _string(*arguments: str) -> Interference:
    return _strings([arguments])


def _strings(rules: Iterable[tuple[str, ...]]) -> Interference:
    """Each with its `-m string --algo` put before what is looked for."""
    return Interference(strings=tuple(_matching(rule) for rule in rules))


def _matching(rule: tuple[str, ...]) -> tuple[str, ...]:
    at = next(place for place, word in enumerate(rule) if word in ("--string", "--hex-string"))
    return (*rule[:at], "-m", "string", "--algo", "bm", *rule[at:])


def lying_resolver(lie: str) -> Interference:
    """The ISP's resolver lies; others can be asked."""
    return Interference(
        prerouting=tuple(
            f"FROM {family} daddr {form.format(RESOLVER)} {protocol} dport 53 counter "
            f"dnat {family} to {form.format(LIARS[lie])}"
            for family, form in (("ip", ISP_V4), ("ip6", ISP_V6))
            for protocol in ("udp", "tcp")
        )
    )


def hijacked_dns(lie: str) -> Interference:
    """Whoever is asked on port 53, the liar answers."""
    return Interference(
        prerouting=tuple(
            f"FROM meta nfproto {version} {protocol} dport 53 counter dnat {family} to {form.format(LIARS[lie])}"
            for version, family, form in (("ipv4", "ip", ISP_V4), ("ipv6", "ip6", ISP_V6))
            for protocol in ("udp", "tcp")
        )
    )


def intercept(*numbers: int) -> Interference:
    """Web traffic to these places ends at the forger, who speaks in their name with certificates of his own."""
    return Interference(
        prerouting=tuple(
            f"FROM {family} daddr {{ {', '.join(form.format(number) for number in numbers)} }} tcp dport 443 counter "
            f"dnat {family} to {form.format(FORGER)}"
            for family, form in (("ip", WORLD_V4), ("ip6", WORLD_V6))
        )
    )


def loss(percent: int) -> Interference:
    """Each way, of everything that passes."""
    return Interference(tuple(f"{way} numgen random mod 100 < {percent} counter drop" for way in ("FROM", "TO")))


def captive_portal() -> Interference:
    """Web traffic ends at a sign-in page; all else is dropped but questions to the ISP's resolver."""
    web = f"FROM meta nfproto ipv4 tcp dport {{ 80, 443 }} counter dnat ip to {ISP_V4.format(PORTAL)}"
    return Interference(forward=("FROM counter drop",), prerouting=(web,))


def cut_off() -> Interference:
    """Nothing passes; what was meant for the services is counted apart."""
    seen = (*towards(SERVICES, "tcp", ""), *towards(RELAYS, "udp", ""))
    return Interference((*seen, "FROM counter drop"))
