"""A whole cycle behind a resolver that answers every name itself, to its verdicts: nobody is accused, nothing is ok."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from probe.cycle import Cycle, run_cycle
from probe.local_verdicts import judge_all, latest
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.session import Settings
from probe.model import Expect, State, Void
from probe.net.vantage import LinkResolver
from tests.probe.builders import RESOLVER, endpoint, instruments, refusal, stun_reply, target, targets
from tests.scripted import Key, ScriptedDialer, Tcp, Udp, run

NEUTRALS = ("one.example", "two.example", "three.example", "four.example")
GENUINE = ("192.0.2.1", "203.0.113.2", "198.51.100.3", "192.0.2.4", "203.0.113.5", "192.0.2.6")
LITERAL = "9.9.9.9"
RELAY = endpoint("turn", "relay.example", expect=Expect(realm="viber.com"))
CHAT = endpoint("tcp", "chat.example", 443)
EVERYTHING = targets(
    *(target(f"baseline/{host.partition('.')[0]}", endpoint("stun", host)) for host in NEUTRALS),
    target("baseline/literal", endpoint("stun", LITERAL)),
    target("viber/call", RELAY),
    target("viber/chat", CHAT),
)
HOSTS = (*NEUTRALS, RELAY.host, CHAT.host)


def resolver(told: dict[str, str]) -> Callable[[bytes], bytes]:
    def reply(request: bytes) -> bytes:
        asked = dns.message.from_wire(request)
        answer = dns.message.make_response(asked)
        question = asked.question[0]
        if question.rdtype == 1:
            address = told[str(question.name).rstrip(".")]
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", address))
        return answer.to_wire()

    return reply


def measured(addresses: list[str], *, answered: bool, accepted: bool) -> tuple[Cycle, dict[str, State]]:
    """Every name leads to one of the addresses: is anybody there, and are connections accepted?"""
    told = dict(zip(HOSTS, addresses, strict=True))
    scripts: dict[Key, Udp] = {
        ("udp", RESOLVER, 53): Udp(always=[resolver(told)]),
        ("udp", LITERAL, 3478): Udp(always=[stun_reply()]),
        ("tcp", told[CHAT.host], 443): Tcp(hangs=not accepted),
    }
    if answered:
        scripts |= {("udp", told[host], 3478): Udp(always=[stun_reply()]) for host in NEUTRALS}
        scripts["udp", told[RELAY.host], 3478] = Udp(always=[refusal(401, "viber.com")])
    settings = Settings(resolvers=(LinkResolver(name="isp", address=RESOLVER),), root=Path("/nowhere"))

    async def work() -> Cycle:
        tools = instruments(ScriptedDialer(scripts, own={4: "192.168.1.7"}))
        assert asyncio.get_running_loop().time() == 0
        return await run_cycle(EVERYTHING, tools, settings, AllocateBudget(), lambda *_: None)

    cycle = run(work())
    verdicts = latest(judge_all(cycle.measurements, EVERYTHING, []))
    return cycle, {each.target: each.state for each in verdicts if each.target.startswith("viber/")}


def test_a_truthful_resolver_lets_services_be_ok() -> None:
    cycle, states = measured(list(GENUINE), answered=True, accepted=True)
    assert ([each.truthful for each in cycle.link.resolvers], cycle.link.void) == ([True], None)
    assert states == {"viber/call": State.INSUFFICIENT, "viber/chat": State.OK}  # a relay that answers is no call yet


INVENTED = {
    "one private address": ["10.10.10.10"] * 6,
    "private addresses": [f"10.7.0.{number}" for number in range(6)],
    "benchmarks": [f"198.18.0.{number}" for number in range(6)],
    "somebody's own": [f"28.0.0.{number}" for number in range(6)],
    "the home": ["192.168.1.1"] * 6,
}


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("name", INVENTED)
def test_a_resolver_that_answers_every_name_itself_makes_no_verdict(name: str, answered: bool, accepted: bool) -> None:
    cycle, states = measured(INVENTED[name], answered=answered, accepted=accepted)
    assert cycle.link.up
    assert [each.truthful for each in cycle.link.resolvers] == [False]
    assert set(states.values()) <= {State.INSUFFICIENT, State.IMPAIRED}
    if answered:
        assert cycle.link.void is Void.PROXY
