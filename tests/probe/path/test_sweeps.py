"""What failed for good is followed beside neutrals, in bounds, and kept in the records of its target."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from probe.codecs import stun
from probe.cycle import Cycle, run_cycle
from probe.measuring.allocate_budget import ALLOCATES_PER_HOUR, AllocateBudget
from probe.measuring.session import Settings
from probe.model import Expect, Hop, HopKind, Measurement, ReplyKind, Step, Sweep, Target, Transport
from probe.net.vantage import LinkResolver
from probe.path.packets import Route
from probe.path.sweeps import AT_ONCE, FURTHER, MOST, SWEEP_BYTES, WAVES, SweptRoute, limited
from probe.path.ttl_probe import TRIES, Packet, Replies, Reply
from tests.probe.builders import dns_reply, endpoint, instruments, refusal, stun_reply, target, targets
from tests.scripted import Key, ScriptedDialer, Tcp, Udp, run

NEUTRAL, RELAY, CHAT, OTHER = "203.0.113.4", "203.0.113.5", "203.0.113.44", "203.0.113.45"
RESOLVER = "203.0.113.53"
PUBLIC = "198.51.100.77"  # what the internet sees of the line
ROUTERS = ["192.168.1.1", "198.51.101.1", "192.0.2.1"]
HOPS = (  # what is kept of them
    Hop(ttl=1, came=ReplyKind.EXCEEDED, kind=HopKind.PRIVATE),
    Hop(ttl=2, came=ReplyKind.EXCEEDED, kind=HopKind.PUBLIC, prefix="198.51.101.0/24"),
    Hop(ttl=3, came=ReplyKind.EXCEEDED, kind=HopKind.PUBLIC, prefix="192.0.2.0/24"),
)
DISTANCE = len(ROUTERS) + 1
MAPPED = ("XOR-MAPPED-ADDRESS", stun.Address(PUBLIC, 50123))
BASELINE = target("baseline/stun", endpoint("stun", NEUTRAL))
CALL = target("viber/call", endpoint("turn", RELAY, expect=Expect(realm="viber.com")))
WEB = target("viber/chat", endpoint("tcp", "chat.example", 443))
SETTINGS = Settings(resolvers=(LinkResolver(name="isp", address=RESOLVER),), root=Path("/nowhere"))


class Path4:
    """A path of three routers, behind which some places answer; a failing packet is seen by `seen_by` of them."""

    def __init__(
        self,
        seen_by: int = len(ROUTERS),
        fate: ReplyKind = ReplyKind.SILENCE,
        routers: Sequence[str] = ROUTERS,
        loses: Sequence[int] | set[int] = (),
        mute: Sequence[int] | set[int] = (),
    ) -> None:
        self.seen_by, self.fate, self.routers = seen_by, fate, routers
        self.loses = set(loses)  # the first word of these about a failing packet
        self.mute = set(mute)  # these speak of the first packet, and of no other
        self.swept: list[tuple[Packet, Sequence[int]]] = []
        self.at_once = self.most_at_once = 0

    async def sweep(self, packet: Packet, ttls: Sequence[int], scale: float) -> Replies:
        self.swept.append((packet, ttls))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(1)
        self.at_once -= 1
        replies = {ttl: self._reply(packet, ttl) for ttl in ttls}
        return Replies(by_ttl=replies, bytes_sent=len(ttls) * len(packet.payload), packets_sent=len(ttls))

    def _reply(self, packet: Packet, ttl: int) -> Reply:
        fails = packet.address != NEUTRAL
        if ttl in self.mute and len(self.swept) > 1:
            return Reply(came=ReplyKind.SILENCE)
        if fails and ttl in self.loses:
            self.loses.remove(ttl)
            return Reply(came=ReplyKind.SILENCE)
        if ttl <= (self.seen_by if fails else len(ROUTERS)):
            return Reply(came=ReplyKind.EXCEEDED, sender=ipaddress.ip_address(self.routers[ttl - 1]).packed)
        if fails:
            return Reply(came=self.fate)
        return Reply(came=ReplyKind.ANSWER, data=stun_reply(MAPPED)(packet.payload))

    def asked(self, address: str) -> list[Sequence[int]]:
        return [ttls for packet, ttls in self.swept if packet.address == address]


def scripts(**changes: Udp) -> dict[Key, Udp]:
    return {
        ("udp", NEUTRAL, 3478): changes.get("neutral", Udp(always=[stun_reply(MAPPED)])),
        ("udp", RELAY, 3478): changes.get("relay", Udp()),
        ("udp", RESOLVER, 53): changes.get("resolver", Udp(always=[dns_reply(CHAT)])),
        ("tcp", CHAT, 443): changes.get("chat", Tcp()),
    }


def cycled(path: Any, *what: Target, own: str = "192.168.1.7", budget: Any = None, **changes: Any) -> Cycle:
    dialer = ScriptedDialer(scripts(**changes), own={4: own})
    tools = instruments(dialer)
    everything = targets(BASELINE, *(what or (CALL,)))

    async def work() -> Cycle:
        return await run_cycle(everything, tools, SETTINGS, budget or AllocateBudget(), lambda *_: None, path)

    return run(work())


def of(cycle: Cycle, name: str) -> list[Measurement]:
    return [each for each in cycle.measurements if each.target == name]


def test_a_silent_relay_is_followed_beside_a_neutral_one() -> None:
    path = Path4(seen_by=1)
    first, second = of(cycled(path), "viber/call")
    assert (first.round, second.round) == (1, 2)
    assert first.sweeps == second.sweeps
    failing, neutral = second.sweeps
    silent = tuple(Hop(ttl=ttl, came=ReplyKind.SILENCE) for ttl in range(2, DISTANCE + FURTHER + 1))
    assert failing == Sweep(
        step=Step.STUN, host=RELAY, port=3478, transport=Transport.UDP, family=4, address=RELAY,
        hops=(HOPS[0], *silent), bytes_sent=28 * (DISTANCE + FURTHER + 2) + 20 * 2, packets_sent=DISTANCE + FURTHER + 4,
    )  # fmt: skip
    assert (neutral.neutral, neutral.step, neutral.host, neutral.address) == (True, Step.STUN, NEUTRAL, NEUTRAL)
    assert neutral.hops[: DISTANCE - 1] == HOPS
    assert {hop.came for hop in neutral.hops[DISTANCE - 1 :]} == {ReplyKind.ANSWER}


def test_the_neutral_goes_first_and_ends_where_it_is_answered() -> None:
    path = Path4()
    cycled(path)
    assert path.swept[0][0].address == NEUTRAL
    assert path.asked(NEUTRAL) == [WAVES[0]]
    assert path.asked(RELAY) == [range(1, DISTANCE + FURTHER + 1)]


def test_where_routers_spoke_of_the_neutral_it_is_asked_again() -> None:
    """Silence there may be a loss, and would say that the packet did not come so far."""
    path = Path4(seen_by=2, loses={2})
    followed = of(cycled(path), "viber/call")[1].sweeps[0]
    assert path.asked(RELAY) == [range(1, DISTANCE + FURTHER + 1), [2, 3]]
    assert followed.hops[:2] == HOPS[:2]
    assert {hop.came for hop in followed.hops[2:]} == {ReplyKind.SILENCE}
    assert [hop.ttl for hop in followed.hops] == [*range(1, DISTANCE + FURTHER + 1)]


def test_a_router_that_has_said_enough_tells_nothing_by_its_silence() -> None:
    """It speaks so many times a second: of the neutral packet it is silent now, too."""
    path = Path4(seen_by=1, mute={2})
    followed = of(cycled(path), "viber/call")[1].sweeps[0]
    assert [hop.ttl for hop in followed.hops] == [1, *range(3, DISTANCE + FURTHER + 1)]
    assert path.asked(NEUTRAL) == [WAVES[0], [2, 3]]


def test_what_answers_is_not_followed_nor_anything_of_it_kept() -> None:
    path = Path4()
    cycle = cycled(path, relay=Udp(always=[refusal(401, "viber.com")]))
    assert path.swept == []
    assert all(each.sweeps == () for each in cycle.measurements)


def test_the_lines_own_address_is_compared_with_and_not_kept() -> None:
    """The router at home speaks from its outer side: with the address that the internet knows the line by."""
    cycle = cycled(Path4(routers=(PUBLIC, *ROUTERS[1:])))
    assert of(cycle, "viber/call")[0].sweeps[0].hops[0] == Hop(ttl=1, came=ReplyKind.EXCEEDED, kind=HopKind.OWN)
    text = msgspec.json.encode(cycle).decode()
    assert PUBLIC not in text
    assert "198.51.100." not in text
    assert "192.168.1." not in text


def test_where_all_udp_is_silent_it_is_followed_how_far_datagrams_get() -> None:
    """To the relay and to the neutral alike; who stops UDP within the home is told so from who does it further on."""
    path = Path4()
    portal = target("baseline/portal", endpoint("http", "203.0.113.80", 80, expect=Expect(status=204)))
    page = Tcp([b"HTTP/1.1 204 No Content\r\n\r\n"])
    dialer = ScriptedDialer({**scripts(neutral=Udp()), ("tcp", "203.0.113.80", 80): page}, own={4: "192.168.1.7"})

    async def work() -> Cycle:
        tools = instruments(dialer)
        return await run_cycle(
            targets(BASELINE, portal, CALL), tools, SETTINGS, AllocateBudget(), lambda *_: None, path
        )

    cycle = run(work())
    assert cycle.link.up
    assert {packet.address for packet, _ in path.swept} == {NEUTRAL, RELAY}
    failing, neutral = of(cycle, "viber/call")[-1].sweeps
    assert (failing.address, neutral.address, neutral.neutral) == (RELAY, NEUTRAL, True)


def test_a_name_that_is_denied_is_asked_again_of_the_same_resolver() -> None:
    def told(request: bytes) -> bytes:
        return dns_reply(NEUTRAL)(request) if b"neutral" in request else dns_reply(rcode=3)(request)

    named = target("baseline/stun", endpoint("stun", "neutral.example"))
    path = Path4(seen_by=0, fate=ReplyKind.ANSWER)
    dialer = ScriptedDialer(scripts(resolver=Udp(always=[told])), own={4: "192.168.1.7"})

    async def work() -> Cycle:
        tools = instruments(dialer)
        return await run_cycle(targets(named, WEB), tools, SETTINGS, AllocateBudget(), lambda *_: None, path)

    measured, again = of(run(work()), "viber/chat")
    assert measured.sweeps == again.sweeps
    failing, neutral = measured.sweeps
    assert (failing.step, failing.host, failing.address, failing.neutral) == (Step.DNS, "chat.example", None, False)
    assert (neutral.step, neutral.host, neutral.neutral) == (Step.DNS, "neutral.example", True)
    assert RESOLVER not in msgspec.json.encode(measured).decode()


def counted(spent: list[str]) -> Callable[[Any, int], bool]:
    def spend(where: Any, now_ms: int) -> bool:
        spent.append(where.address)
        return spent.count(where.address) <= ALLOCATES_PER_HOUR

    return spend


def test_a_relay_that_leaves_a_binding_unanswered_is_asked_for_no_more_allocations() -> None:
    spent: list[str] = []
    budget: Any = type("Counting", (), {"spend": staticmethod(counted(spent))})()
    path = Path4()
    cycled(path, budget=budget)
    assert spent == [RELAY] * 2  # of the two rounds
    assert path.asked(RELAY) != []


def bound_but_not_allocated(request: bytes) -> bytes:
    message = stun.parse(request)
    return stun_reply(MAPPED)(request) if message.method == stun.Method.BINDING else b"junk"


def test_an_allocation_that_is_followed_is_one_more() -> None:
    path = Path4(seen_by=1)
    cycle = cycled(path, relay=Udp(always=[bound_but_not_allocated]))
    assert [each.step for each in of(cycle, "viber/call")[1].sweeps] == [Step.TURN, Step.STUN]
    none_left: Any = type("Spent", (), {"spend": staticmethod(counted([RELAY] * (ALLOCATES_PER_HOUR - 2)))})()
    path = Path4(seen_by=1)
    cycle = cycled(path, relay=Udp(always=[bound_but_not_allocated]), budget=none_left)
    assert of(cycle, "viber/call")[1].sweeps == ()


def test_what_is_followed_is_bounded() -> None:
    relays = [f"203.0.113.{number}" for number in range(100, 105 + MOST)]
    many = [target(f"service{number}/call", endpoint("turn", relay)) for number, relay in enumerate(relays)]
    path = Path4()
    cycle = cycled(path, *many)
    followed = {packet.address for packet, _ in path.swept} - {NEUTRAL}
    assert len(followed) == MOST
    assert path.most_at_once <= AT_ONCE
    assert sum(bool(each.sweeps) for each in cycle.measurements if each.round == 2) == MOST


def test_it_takes_no_more_than_its_share_of_a_data_plan() -> None:
    """First one of each target, then the others: here relays over which long packets go."""
    routes = [
        Route(step=Step.QUIC, host=f"{name}.example", packet=Packet(
            transport=Transport.UDP, address=f"203.0.113.{number}", port=443, payload=bytes(1200),
        ))
        for number, name in enumerate("abcdefgh", start=1)
    ]  # fmt: skip
    binding = Route(step=Step.STUN, host="n", packet=replace(routes[0].packet, payload=bytes(20)), neutral=True)
    far = Replies(by_ttl={12: Reply(came=ReplyKind.ANSWER)}, bytes_sent=0, packets_sent=0)
    neutral = {binding.kind: SweptRoute(binding, far)}
    takes = TRIES * 1200 * (12 + FURTHER)
    whole = limited({"one": [[each] for each in routes[:4]], "two": [[each] for each in routes[4:]]}, neutral)
    fitting = SWEEP_BYTES // takes
    assert 1 < fitting < len(routes)
    assert sum(map(len, whole.values())) == fitting
    assert abs(len(whole["one"]) - len(whole["two"])) <= 1
    assert limited({"one": [[routes[0]]]}, {}) == {}


def test_a_tunnel_is_not_followed(tmp_path: Path) -> None:
    tunnel = tmp_path / "sys/class/net/tun0"
    tunnel.mkdir(parents=True)
    (tunnel / "tun_flags").write_text("0x1001\n")
    route = tmp_path / "proc/net/route"
    route.parent.mkdir(parents=True)
    route.write_text("Iface\ntun0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n")
    path = Path4()
    dialer = ScriptedDialer(scripts(), own={4: "192.168.1.7"})

    async def work() -> Cycle:
        tools = instruments(dialer)
        settings = msgspec.structs.replace(SETTINGS, root=tmp_path)
        return await run_cycle(targets(BASELINE, CALL), tools, settings, AllocateBudget(), lambda *_: None, path)

    assert run(work()).link.void == "vpn"
    assert path.swept == []
