"""What happens between a device and the first public hop, and on the link itself: harmless, however it looks.

A captive portal, a router that is too clever, a link that loses, delays, doubles, reorders, or dies. Each maker takes
the parameters in its docstring.
"""

from __future__ import annotations

import ipaddress
from random import Random

from tests.lab.filters.aim import is_of, passes
from tests.lab.model import Fate, Filter, Parameters
from tests.lab.packets import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    TCP,
    TTL,
    UDP,
    View,
    dns_question,
    packed,
    parse,
    readdressed,
    reply_tcp,
    reset_back,
    udp,
    unreachable,
    with_ttl,
)

DNS, HTTP, SIP = 53, 80, 5060
NO_ROUTE = 0  # code of ICMP unreachable, in both families
FIRST_PORT, PORTS = 16_384, 32_768  # of a NAT that gives others
INITIAL = 1_000_000  # the portal's first sequence number
REDIRECT = "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


# --- Boxes at home, in a hotel, at a workplace ------------------------------------------------------------------


def make_portal(parameters: Parameters, random: Random) -> Filter:
    """`location`: where every page leads to · `others`: `drop` or `reset` for TCP that is not HTTP. DNS passes.

    `spares`: addresses of connectivity checks, which it lets through so that devices stay on the network.
    """
    spared = frozenset(map(packed, parameters.get("spares", ())))
    page = REDIRECT.format(parameters["location"]).encode()
    resets = parameters.get("others", "drop") == "reset"

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if view.far(up)[1] == DNS or view.far(up)[0] in spared:
            return passes(packet, up)
        if not up or view.protocol != TCP or view.flags & RST:
            return []
        if view.destination_port == HTTP:
            return _server(view, page)
        return [Fate(reset_back(view), False)] if resets else []

    return filter_


def _server(view: View, page: bytes) -> list[Fate]:
    """A whole web server without memory: accepts, answers whatever is said with one page, and ends."""
    if view.flags & SYN:
        return [Fate(reply_tcp(view, b"", SYN | ACK, INITIAL), False)]
    if view.payload:
        return [Fate(reply_tcp(view, page, FIN | PSH | ACK), False)]
    return [Fate(reply_tcp(view, b"", ACK), False)] if view.flags & FIN else []


def make_tls_proxy(parameters: Parameters, random: Random) -> Filter:
    """`to`: a server of either family that has a certificate for everybody · `spares`: addresses left alone.

    It accepts the connection itself and makes another: with whatever TTL a packet came, it goes on with a fresh one.
    """
    servers = {len(each): each for each in map(packed, parameters["to"])}
    spared = frozenset(map(packed, parameters.get("spares", ())))
    genuine: dict[tuple[bytes, int], tuple[bytes, int]] = {}  # near end → whom it meant

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if view.protocol != TCP or view.far(up)[1] != 443 or view.far(up)[0] in spared:
            return passes(packet, up)
        if up:
            genuine[view.near(up)] = view.far(up)
            fresh = with_ttl(packet, TTL)
            return passes(readdressed(fresh, destination=(servers[len(view.destination)], 443)), up)
        return passes(readdressed(packet, source=genuine.get(view.near(up), view.far(up))), up)

    return filter_


def make_ports(parameters: Parameters, random: Random) -> Filter:
    """`tcp` and `udp`: the only ports of the internet's that are let through. ICMP passes."""
    allowed = {TCP: frozenset(parameters["tcp"]), UDP: frozenset(parameters["udp"])}

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        meant = allowed.get(view.protocol)
        return passes(packet, up) if meant is None or view.far(up)[1] in meant else []

    return filter_


def make_sip_alg(parameters: Parameters, random: Random) -> Filter:
    """`public`: the address that it writes into SIP over UDP in place of the line's own. Nothing else is touched."""
    public = str(parameters["public"]).encode()

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not up or view.protocol != UDP or view.destination_port != SIP or b"SIP/2.0" not in view.payload:
            return passes(packet, up)
        rewritten = view.payload.replace(str(ipaddress.ip_address(view.source)).encode(), public)
        return passes(udp(view.near(up), view.far(up), rewritten, view.ttl), up)

    return filter_


def make_syn_limit(parameters: Parameters, random: Random) -> Filter:
    """At most `each_second` new TCP connections a second, as protection against floods; more are dropped."""
    recent: list[float] = []

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if not up or view.protocol != TCP or view.flags & (SYN | ACK) != SYN:
            return passes(packet, up)
        recent[:] = [then for then in recent if now - then < 1]
        if len(recent) >= parameters["each_second"]:
            return []
        recent.append(now)
        return passes(packet, up)

    return filter_


def make_udp_quota(parameters: Parameters, random: Random) -> Filter:
    """Only the first `flows` UDP flows over IPv4 get a port of the NAT's. DNS needs none: the box asks for itself."""
    open_: set[tuple[bytes, int]] = set()

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if view.version != 4 or view.protocol != UDP or view.far(up)[1] == DNS:
            return passes(packet, up)
        if up and len(open_) < parameters["flows"]:
            open_.add(view.near(up))
        return passes(packet, up) if view.near(up) in open_ else []

    return filter_


def make_rebinding(parameters: Parameters, random: Random) -> Filter:
    """A NAT gives every UDP flow another port each `period` seconds, and forgets the one before. DNS is not kept."""
    period, began = parameters["period"], random.random() * parameters["period"]
    open_: dict[int, tuple[int, tuple[bytes, int]]] = {}  # outer port → in which period, and whose it was

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        view = parse(packet)
        if view.protocol != UDP or view.far(up)[1] == DNS:
            return passes(packet, up)
        current = int((now + began) / period)
        if up:
            outer = FIRST_PORT + (view.source_port * 7919 + current * 104_729) % PORTS
            open_[outer] = current, view.near(up)
            return passes(readdressed(packet, source=(view.source, outer)), up)
        then, near = open_.get(view.destination_port, (None, view.near(up)))
        return passes(readdressed(packet, destination=near), up) if then == current else []

    return filter_


# --- The link ---------------------------------------------------------------------------------------------------


def make_duplicate(parameters: Parameters, random: Random) -> Filter:
    """`fraction` of the packets arrives twice, the second time `seconds` later."""
    fraction, seconds = parameters["fraction"], parameters["seconds"]

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        once = Fate(packet, up)
        return [once, Fate(packet, up, seconds)] if random.random() < fraction else [once]

    return filter_


def make_reorder(parameters: Parameters, random: Random) -> Filter:
    """`fraction` of the packets is overtaken by what is sent in the next `seconds`."""
    fraction, seconds = parameters["fraction"], parameters["seconds"]

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        return [Fate(packet, up, seconds if random.random() < fraction else 0.0)]

    return filter_


def make_bloat(parameters: Parameters, random: Random) -> Filter:
    """Somebody else's upload fills the queue up to `depth` seconds and lets it drain, each `period` seconds."""
    depth, period = parameters["depth"], parameters["period"]
    leaves = 0.0

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        nonlocal leaves
        if not up:
            return passes(packet, up)
        phase = now / period % 1.0
        leaves = max(leaves, now + depth * (2 * phase if phase < 0.5 else 2 - 2 * phase))
        return [Fate(packet, up, leaves - now)]

    return filter_


def make_rate(parameters: Parameters, random: Random) -> Filter:
    """`rate` bytes a second each way, behind a queue of `queue` seconds; what does not fit is dropped."""
    speed, queue = parameters["rate"], parameters["queue"]
    free = {True: 0.0, False: 0.0}

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        begins = max(free[up], now)
        if begins - now > queue:
            return []
        free[up] = begins + len(packet) / speed
        return [Fate(packet, up, free[up] - now)]

    return filter_


def make_gap(parameters: Parameters, random: Random) -> Filter:
    """Nothing passes for `seconds`, beginning `after` seconds from the first packet."""
    after, seconds = parameters["after"], parameters["seconds"]
    first: float | None = None

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        nonlocal first
        first = now if first is None else first
        return [] if after <= now - first < after + seconds else passes(packet, up)

    return filter_


def make_dies_at(parameters: Parameters, random: Random) -> Filter:
    """The link is dead from the first packet on that goes to `addresses`, or asks for `names` or names below.

    `router`: addresses of the box that then says so by ICMP, to IPv4 and IPv6; none: nobody says anything.
    """
    addresses, names = frozenset(map(packed, parameters["addresses"])), tuple(parameters["names"])
    router = {len(each): each for each in map(packed, parameters.get("router", ()))}
    dead = False

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        nonlocal dead
        view = parse(packet)
        dead = dead or (up and (view.destination in addresses or _asks_for(view, names)))
        if not dead:
            return passes(packet, up)
        says = up and router.get(len(view.destination))
        return [Fate(unreachable(view, says, NO_ROUTE), False)] if says else []

    return filter_


def make_family(parameters: Parameters, random: Random) -> Filter:
    """`family` 4 or 6 does not work at all, although there is a route."""

    def filter_(packet: bytes, up: bool, now: float) -> list[Fate]:
        return [] if packet[0] >> 4 == parameters["family"] else passes(packet, up)

    return filter_


def _asks_for(view: View, names: tuple[str, ...]) -> bool:
    question = dns_question(view.payload) if view.protocol == UDP and view.destination_port == DNS else None
    return question is not None and is_of(question[0], names)
