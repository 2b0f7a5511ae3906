"""One target on a scripted network: which addresses are tried, when, how many at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import Trace
from probe.measuring.allocate_budget import AllocateBudget, Budget
from probe.measuring.byte_budget import ByteBudget
from probe.measuring.measurer import Findings, Measurer, observations
from probe.model import AlsoDial, Endpoint, Expect, Grade, NotAttempted, Outage, Step, Target, Via
from probe.net.vantage import LinkResolver
from tests.probe.builders import (
    NOW_MS,
    RESOLVER,
    dns_reply,
    endpoint,
    instruments,
    observation,
    refusal,
    stun_reply,
    target,
)
from tests.scripted import OWN, Key, Later, ScriptedDialer, Tcp, Udp, run

WORLD = "203.0.113.54"
ISP = LinkResolver(name="isp", address=RESOLVER, prefix="203.0.0.0/16")
INDEPENDENT = LinkResolver(name="world", address=WORLD, independent=True)
BOTH, V4 = frozenset({4, 6}), frozenset({4})
FOUR = [f"192.0.2.{number}" for number in range(10, 16)]
SIX = [f"2001:db8::{number}" for number in range(10, 16)]


def chat(host: str = "chat.example") -> Endpoint:
    return endpoint("tcp", host, 443)


CHAT = chat()


def network(own: Iterable[str] = (), world: Iterable[str] | None = None, accepts: Iterable[str] = ()) -> ScriptedDialer:
    """`own` and `world` are what the two resolvers answer; `accepts` are addresses that accept connections."""
    scripts: dict[Key, Udp] = {("udp", RESOLVER, 53): Udp(always=[dns_reply(*own)])}
    if world is not None:
        scripts["udp", WORLD, 53] = Udp(always=[dns_reply(*world)])
    refused = Tcp(refuses=ConnectionRefusedError(111, "x"))
    scripts |= {("tcp", address, 443): refused for address in (*own, *(world or ()))}
    scripts |= {("tcp", address, 443): Tcp() for address in accepts}
    return ScriptedDialer(scripts)


def measured(
    dialer: ScriptedDialer, what: Target, families: frozenset[int] = BOTH, budget: Budget | None = None,
    resolvers: Iterable[LinkResolver] = (ISP, INDEPENDENT), extra: Iterable[AlsoDial] = (),
    byte_budget: ByteBudget | None = None, **changes: Any,
) -> Findings:  # fmt: skip
    async def work() -> Findings:
        given = instruments(dialer, **changes)
        measurer = Measurer(given, list(resolvers), families, budget or AllocateBudget(), byte_budget)
        return await measurer.measure(what, extra)

    found = run(work())
    assert dialer.still_open == []
    return found


def tried(found: Findings) -> list[tuple[str | None, Via]]:
    return [(attempt.address, attempt.via) for attempt in found.attempts]


# --- Addresses --------------------------------------------------------------------------------------------------


def test_up_to_four_addresses_of_each_family() -> None:
    dialer = network([*FOUR, *SIX], world=[], accepts=[FOUR[0]])
    found = measured(dialer, target("svc/chat", chat()))
    assert tried(found) == [(address, Via.SYSTEM) for address in (*FOUR[:4], *SIX[:4])]
    assert [attempt.grade for attempt in found.attempts] == [Grade.TRANSPORT] + [None] * 7
    assert [attempt.observations[0].failure for attempt in found.attempts] == [None] + ["connection_refused"] * 7


def test_a_literal_address_is_tried_without_asking_anybody() -> None:
    dialer = network(accepts=[FOUR[0]])
    found = measured(dialer, target("svc/chat", chat(FOUR[0])))
    assert tried(found) == [(FOUR[0], Via.LITERAL)]
    assert found.resolutions == ()
    assert dialer.dialled == [("tcp", FOUR[0], 443)]


def test_what_only_an_independent_resolver_knows_is_tried_when_the_rest_failed() -> None:
    found = measured(network(FOUR[:2], world=[FOUR[1], FOUR[2]], accepts=[FOUR[2]]), target("svc/chat", chat()))
    assert tried(found) == [(FOUR[0], Via.SYSTEM), (FOUR[1], Via.SYSTEM), (FOUR[2], Via.INDEPENDENT)]
    assert found.attempts[2].grade is Grade.TRANSPORT


def test_and_not_when_one_got_through() -> None:
    dialer = network(FOUR[:2], world=[FOUR[2]], accepts=[FOUR[1], FOUR[2]])
    assert tried(measured(dialer, target("svc/chat", chat()))) == [(FOUR[0], Via.SYSTEM), (FOUR[1], Via.SYSTEM)]
    assert ("tcp", FOUR[2], 443) not in dialer.dialled


def test_the_name_by_which_a_service_reports_an_outage_is_asked_for_and_never_dialled() -> None:
    dialer = network(["127.0.0.2"], world=["127.0.0.2", *SIX[:1]])
    what = msgspec.structs.replace(
        target("svc/chat", chat(FOUR[0])), outage=Outage(name="uptime.example", address="127.0.0.2")
    )
    found = measured(dialer, what)
    asked = [(each.host, each.observation.dns) for each in found.resolutions]
    assert [(host, facts and (facts.qtype, facts.resolver, facts.answers)) for host, facts in asked] == [
        ("uptime.example", ("A", "isp", ("127.0.0.2",))),
        ("uptime.example", ("A", "world", ("127.0.0.2",))),
    ]
    assert tried(found) == [(FOUR[0], Via.LITERAL)]


def dial(address: str, where: Endpoint = CHAT, **more: Any) -> AlsoDial:
    given = {name: getattr(where, name) for name in ("host", "port", "transport", "handshake")}
    return AlsoDial(address=address, **{"target": "svc/chat", **given, **more})


def test_where_others_failed_is_tried_last_and_once() -> None:
    dialer = network(FOUR[:1], world=[FOUR[1]], accepts=[FOUR[3]])
    extra = [dial(address) for address in (FOUR[3], FOUR[0], FOUR[1], FOUR[3], SIX[0])]
    found = measured(dialer, target("svc/chat", chat()), V4, extra=extra)
    assert tried(found) == [
        (FOUR[0], Via.SYSTEM),
        (FOUR[1], Via.INDEPENDENT),
        (FOUR[3], Via.ALSO),
        (SIX[0], Via.ALSO),
    ]
    assert found.attempts[2].grade is Grade.TRANSPORT
    assert found.attempts[3].not_attempted is NotAttempted.NO_FAMILY


def test_it_is_tried_also_when_another_address_got_through() -> None:
    dialer = network(FOUR[:1], world=[], accepts=FOUR[:2])
    assert tried(measured(dialer, target("svc/chat", chat()), V4, extra=[dial(FOUR[1])])) == [
        (FOUR[0], Via.SYSTEM),
        (FOUR[1], Via.ALSO),
    ]


@pytest.mark.parametrize(
    "strange",
    [
        dial(FOUR[1], target="svc/web"),
        dial(FOUR[1], host="other.example"),
        dial(FOUR[1], port=25),
        dial(FOUR[1], handshake="tls"),
        dial("10.0.0.1"),
        dial(OWN[4]),
    ],
)
def test_nothing_else_is_dialled_for_others(strange: AlsoDial) -> None:
    dialer = network(FOUR[:1], world=[], accepts=FOUR[:1])
    own = frozenset(OWN.values())
    found = measured(dialer, target("svc/chat", chat()), extra=[strange], own_addresses=own)
    assert tried(found) == [(FOUR[0], Via.SYSTEM)]
    assert strange.address not in [address for _, address, _ in dialer.dialled]


def test_a_name_that_the_links_resolver_denies_is_tried_by_the_independent_one() -> None:
    dialer = network(world=[FOUR[0]], accepts=[FOUR[0]])
    dialer.scripts["udp", RESOLVER, 53] = Udp(always=[dns_reply(rcode=3)])
    found = measured(dialer, target("svc/chat", chat()))
    assert tried(found) == [(FOUR[0], Via.INDEPENDENT)]
    seen = [each.observation for each in found.resolutions]
    failures = Counter((each.dns.resolver, each.failure) for each in seen if each.dns)
    assert failures == {("isp", "dns_nxdomain_error"): 2, ("world", None): 1, ("world", "dns_no_answer"): 1}


def test_the_same_address_from_two_resolvers_is_tried_once() -> None:
    second = LinkResolver(name="isp", address=WORLD)
    found = measured(network(FOUR[:1], world=FOUR[:1]), target("svc/chat", chat()), resolvers=[ISP, second])
    assert tried(found) == [(FOUR[0], Via.SYSTEM)]


def test_the_volunteers_own_address_is_never_dialled() -> None:
    dialer = network([OWN[4], FOUR[0]], world=[OWN[4]])
    found = measured(dialer, target("svc/chat", chat()), own_addresses=frozenset(OWN.values()))
    assert tried(found) == [(FOUR[0], Via.SYSTEM)]
    assert ("tcp", OWN[4], 443) not in dialer.dialled
    answers = {answer for each in found.resolutions if each.observation.dns for answer in each.observation.dns.answers}
    assert answers == {"self", FOUR[0]}


def test_a_family_that_the_link_does_not_carry_is_not_tried() -> None:
    dialer = network([*FOUR[:1], *SIX[:1]])
    found = measured(dialer, target("svc/chat", chat(SIX[0])), V4)
    assert [(each.not_attempted, each.observations, each.grade) for each in found.attempts] == [
        (NotAttempted.NO_FAMILY, (), None)
    ]
    assert dialer.dialled == []
    found = measured(dialer, target("svc/chat", chat()), V4)
    assert {each.observation.dns.qtype for each in found.resolutions if each.observation.dns} == {"A"}


def test_each_host_is_asked_for_once_also_with_several_ports() -> None:
    where = (chat(), endpoint("tcp", "chat.example", 5222))
    dialer = network(FOUR[:1])
    found = measured(dialer, target("svc/chat", *where), V4, resolvers=[ISP])
    assert len(dialer.sent_to(("udp", RESOLVER, 53))) == 1
    assert [attempt.port for attempt in found.attempts] == [443, 5222]


def test_each_question_and_attempt_has_a_port_of_its_own() -> None:
    dialer = network(FOUR[:3], world=[])
    measured(dialer, target("svc/chat", chat()))
    ports = [each.local[1] for each in dialer.opened]
    assert len(set(ports)) == len(ports)


def test_times_count_from_the_targets_start() -> None:
    dialer = network(accepts=FOUR[:1])
    dialer.scripts["udp", RESOLVER, 53] = Udp(always=[Later(0.25, dns_reply(FOUR[0]))])
    found = measured(dialer, target("svc/chat", chat()), V4, resolvers=[ISP])
    assert [each.observation.took_us for each in found.resolutions] == [250_000]
    assert found.attempts[0].observations[0].started_us == 250_000


def test_what_comes_late_to_a_question_is_waited_for() -> None:
    dialer = network(accepts=FOUR[:1])
    dialer.scripts["udp", RESOLVER, 53] = Udp(always=[dns_reply(FOUR[0]), Later(2.0, dns_reply(FOUR[1]))])
    found = measured(dialer, target("svc/chat", chat()), V4, resolvers=[ISP])
    assert found.resolutions[0].observation.dns is not None
    assert found.resolutions[0].observation.dns.late == (FOUR[1],)
    assert tried(found) == [(FOUR[0], Via.SYSTEM)]


# --- Limits -----------------------------------------------------------------------------------------------------


class Crowd:
    """A handshake that only watches how many of its kind there are at a time, by host."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def __call__(self, trace: Trace, where: Endpoint) -> Grade:
        for key in (where.host, "all"):
            self.now[key] += 1
            self.most[key] = max(self.most[key], self.now[key])
        await asyncio.sleep(1)
        for key in (where.host, "all"):
            self.now[key] -= 1
        return Grade.TRANSPORT


def test_two_attempts_at_a_time_with_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd()
    monkeypatch.setitem(HANDSHAKES, "tcp", crowd)
    found = measured(network(FOUR), target("svc/chat", chat("a.example"), chat("b.example")), V4, resolvers=[ISP])
    assert len(found.attempts) == 8
    assert crowd.most == {"a.example": 2, "b.example": 2, "all": 4}


def relay(*addresses: str) -> tuple[ScriptedDialer, Target]:
    scripts: dict[Key, Udp] = {("udp", address, 3478): Udp(always=[refusal(401)]) for address in addresses}
    where = [endpoint("turn", address, expect=Expect(realm="relay.example")) for address in addresses]
    return ScriptedDialer(scripts), target("svc/call", *where)


def test_a_relay_is_asked_four_times_an_hour_and_no_more() -> None:
    dialer, call = relay("203.0.113.4", "203.0.113.5")
    budget = AllocateBudget()
    founds = [measured(dialer, call, budget=budget) for _ in range(5)]
    assert [attempt.grade for attempt in founds[3].attempts] == [Grade.MARKED] * 2
    assert [attempt.not_attempted for attempt in founds[4].attempts] == [NotAttempted.COOLDOWN] * 2
    assert [attempt.observations for attempt in founds[4].attempts] == [(), ()]
    assert len(dialer.sent) == 8


@pytest.mark.parametrize("handshake", ["turn", "turn-google", "msturn"])
def test_every_way_of_asking_a_relay_spends_of_the_same_hour(handshake: str) -> None:
    dialer, _ = relay("203.0.113.4")
    budget = AllocateBudget()
    asked = target("svc/call", *(endpoint(handshake, "203.0.113.4", port) for port in range(3478, 3483)))
    attempts = measured(dialer, asked, budget=budget).attempts
    assert [attempt.not_attempted for attempt in attempts].count(NotAttempted.COOLDOWN) == 1


def test_the_budget_holds_for_what_is_dialled_for_others() -> None:
    where = endpoint("turn", "relay.example", expect=Expect(realm="relay.example"))
    scripts: dict[Key, Udp] = {("udp", FOUR[0], 3478): Udp(always=[refusal(401)])}
    dialer = ScriptedDialer({**scripts, ("udp", RESOLVER, 53): Udp(always=[dns_reply()])})
    extra, budget = [dial(FOUR[0], where, target="svc/call")], AllocateBudget()
    what = target("svc/call", where)
    founds = [measured(dialer, what, V4, budget, resolvers=[ISP], extra=extra) for _ in range(5)]
    assert founds[3].attempts[0].grade is Grade.MARKED
    assert founds[4].attempts[0].not_attempted is NotAttempted.COOLDOWN


def test_only_relays_have_a_budget() -> None:
    class Empty:
        def spend(self, endpoint: Endpoint, now_ms: int) -> bool:
            return False

    dialer = ScriptedDialer({("udp", "203.0.113.4", 3478): Udp(always=[stun_reply()])})
    found = measured(dialer, target("svc/call", endpoint("stun")), budget=Empty())
    assert found.attempts[0].grade is Grade.BOUND


def test_what_a_data_plan_does_not_allow_is_not_tried() -> None:
    """Of four addresses in each family, the first of each stays; names are counted too."""
    dialer = network([*FOUR, *SIX], world=[], accepts=[FOUR[0]])
    byte_budget = ByteBudget(10_000)
    byte_budget.take([observation(Step.TLS, bytes_received=4_000)])
    found = measured(dialer, target("svc/chat", chat()), byte_budget=byte_budget)
    dialled = [attempt.address for attempt in found.attempts if attempt.not_attempted is None]
    assert dialled == [FOUR[0], SIX[0]]
    assert {attempt.not_attempted for attempt in found.attempts} == {None, NotAttempted.BUDGET}
    assert byte_budget.spent == 4_000 + sum(each.bytes_sent + each.bytes_received for each in observations(found))


def test_what_a_data_plan_does_not_allow_costs_no_allocate() -> None:
    budget, relay = AllocateBudget(), endpoint("turn", "203.0.113.4")
    for byte_budget, reason in ((ByteBudget(500), NotAttempted.BUDGET), (ByteBudget(), None)):
        dialer = ScriptedDialer({("udp", "203.0.113.4", 3478): Udp(always=[refusal(401)])})
        found = measured(dialer, target("svc/call", relay), budget=budget, byte_budget=byte_budget)
        assert [attempt.not_attempted for attempt in found.attempts] == [reason]
    assert [budget.spend(replace(relay, address="203.0.113.4"), NOW_MS) for _ in range(4)] == [True] * 3 + [False]


def test_a_family_that_is_not_carried_costs_no_budget() -> None:
    class Unasked:
        def spend(self, endpoint: Endpoint, now_ms: int) -> bool:
            raise AssertionError

    _, call = relay("2001:db8::4")
    assert measured(ScriptedDialer(), call, V4, Unasked()).attempts[0].not_attempted is NotAttempted.NO_FAMILY


# --- Mistakes of ours -------------------------------------------------------------------------------------------


def test_a_mistake_in_a_handshake_costs_one_attempt(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(trace: Trace, where: Endpoint) -> Grade:
        raise KeyError("a mistake of ours")

    monkeypatch.setitem(HANDSHAKES, "tls", broken)
    where = (chat(FOUR[0]), endpoint("tls", FOUR[0], 443))
    found = measured(network(accepts=FOUR), target("svc/chat", *where))
    assert [(each.grade, each.not_attempted) for each in found.attempts] == [
        (Grade.TRANSPORT, None),
        (None, NotAttempted.INTERNAL),
    ]
    assert "The handshake tls could not be made" in caplog.text


def test_a_measurement_that_is_cancelled_leaves_nothing_open() -> None:
    dialer = network(FOUR[:1], world=[])
    dialer.scripts["udp", FOUR[0], 3478] = Udp()

    async def work() -> int:
        measurer = Measurer(instruments(dialer), [ISP, INDEPENDENT], BOTH, AllocateBudget())
        task = asyncio.create_task(measurer.measure(target("svc/call", endpoint("stun", "call.example"))))
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert run(work()) == 1
    assert ("udp", FOUR[0], 3478) in dialer.dialled
    assert dialer.still_open == []
