"""Names by getaddrinfo, where no resolver is known."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from probe.cycle import Cycle, run_cycle
from probe.handshakes.dns import Question
from probe.handshakes.system_dns import resolve_by_system
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.session import Settings
from probe.model import DnsFacts, Observation, Via
from probe.net.system_names import system_addresses
from tests.probe.builders import endpoint, instruments, stun_reply, target, targets, traced
from tests.scripted import OWN, ScriptedDialer, Tcp, Udp, run

QUESTION = Question(host="chat.example", qtype="A", address="", resolver="system")


def told(*found: str, error: OSError | None = None) -> Observation:
    async def names(host: str, family: int) -> tuple[str, ...]:
        assert (host, family) == ("chat.example", 4)
        if error is not None:
            raise error
        return found

    trace = traced(
        lambda each: resolve_by_system(each, QUESTION), system_names=names, own_addresses=frozenset(OWN.values())
    )
    (seen,) = trace.observations()
    return seen


def test_addresses_are_kept_and_the_lines_own_are_not() -> None:
    seen = told("203.0.113.44", OWN[4])
    assert (seen.failure, seen.dns and seen.dns.answers) == (None, ("203.0.113.44", "self"))
    assert seen.dns is not None
    assert (seen.dns.resolver, str(seen.dns.transport), seen.dns.rcode) == ("system", "unknown", None)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (socket.EAI_NONAME, "dns_nxdomain_error"),
        (socket.EAI_NODATA, "dns_no_answer"),
        (socket.EAI_AGAIN, "dns_temporary_failure"),
        (socket.EAI_FAIL, "dns_non_recoverable_failure"),
        (-99, "dns_non_recoverable_failure"),
    ],
)
def test_errors_in_the_fields_words(code: int, failure: str) -> None:
    assert told(error=socket.gaierror(code, "chat.example at 198.51.100.7")).failure == failure


def test_no_address_is_no_answer() -> None:
    assert told().failure == "dns_no_answer"


def test_a_system_that_says_nothing_is_given_up() -> None:
    async def never(host: str, family: int) -> tuple[str, ...]:
        await asyncio.Event().wait()
        raise AssertionError

    trace = traced(lambda each: resolve_by_system(each, QUESTION), system_names=never)
    assert trace.observations()[0].failure == "generic_timeout_error"


def test_a_device_without_resolv_conf_asks_its_system(tmp_path: Path) -> None:
    """Its answers are dialled as those of the link's own resolver, and checked on neutral names like any other's."""

    async def names(host: str, family: int) -> tuple[str, ...]:
        return ({"neutral.example": "203.0.113.4", "chat.example": "203.0.113.44"}[host],)

    neutral, chat = endpoint("stun", "neutral.example"), endpoint("tcp", "chat.example", 443)
    everything = targets(target("baseline/stun", neutral), target("viber/chat", chat))
    dialer = ScriptedDialer(
        {("udp", "203.0.113.4", 3478): Udp(always=[stun_reply()]), ("tcp", "203.0.113.44", 443): Tcp()},
        own={4: OWN[4]},
    )

    async def work() -> Cycle:
        tools = instruments(dialer, system_names=names)
        return await run_cycle(everything, tools, Settings(root=tmp_path), AllocateBudget(), lambda *_: None)

    cycle = run(work())
    assert [(each.resolver, each.truthful) for each in cycle.link.resolvers] == [("system", True)]
    (measured,) = [each for each in cycle.measurements if each.target == "viber/chat"]
    assert [(each.address, each.via) for each in measured.attempts] == [("203.0.113.44", Via.SYSTEM)]
    facts = [each.observation.dns for each in measured.resolutions]
    assert {facts.resolver for facts in facts if isinstance(facts, DnsFacts)} == {"system"}


async def test_the_real_thing_is_asked_without_a_search_list(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(name: str, port: None, **how: object) -> list[tuple[object, ...]]:
        asked.append((name, how["family"]))
        return [(how["family"], how["type"], 6, "", ("203.0.113.44", 0))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert await system_addresses("chat.example", 4) == ("203.0.113.44",)
    assert asked == [("chat.example.", socket.AF_INET)]


async def test_an_error_of_the_real_thing_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(socket.gaierror):
        await system_addresses("chat.example", 4)
