"""A whole cycle on a scripted network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from probe.addresses import prefix_of
from probe.codecs import stun
from probe.cycle import TARGETS_IN_FLIGHT, Cycle, needs_second_round, run_cycle
from probe.failure import INTERRUPTED, REFUSED, TIMEOUT, Failed
from probe.handshakes import HANDSHAKES
from probe.handshakes.trace import Trace
from probe.measuring.allocate_budget import AllocateBudget
from probe.measuring.measurer import Findings
from probe.measuring.resolution import Lookup
from probe.measuring.session import Settings
from probe.model import (
    Access,
    AlsoDial,
    Combine,
    DnsFacts,
    Endpoint,
    Expect,
    Grade,
    NotAttempted,
    Resolution,
    Resolver,
    Step,
    Target,
    Targets,
    Transport,
    Tunnel,
    Via,
    Void,
)
from probe.net.dialer import Datagrams, Stream
from probe.net.vantage import LinkResolver
from tests.probe.builders import (
    NOW_MS,
    RESOLVER,
    attempt,
    dns_reply,
    endpoint,
    instruments,
    observation,
    refusal,
    stun_reply,
    target,
    targets,
)
from tests.probe.measuring.test_measurer import Crowd
from tests.scripted import OWN, Hourglass, Key, ScriptedDialer, Tcp, Udp, run

NEUTRAL, RELAY, WEB, CHAT = "203.0.113.4", "203.0.113.5", "203.0.113.80", "203.0.113.44"
NEUTRAL_STUN = ("udp", NEUTRAL, 3478)
BASELINE = (
    target("baseline/stun", endpoint("stun", NEUTRAL)),
    target("baseline/portal", endpoint("http", WEB, 80, expect=Expect(status=204))),
)
CALL = target("viber/call", endpoint("turn", RELAY, expect=Expect(realm="viber.com")))
CHAT_TARGET = target("viber/chat", endpoint("tcp", "chat.example", 443))
DEAD = Target(id="tango/call", plane=CALL.plane, not_measurable="no handshake yet")
ALL = targets(*BASELINE, CALL, CHAT_TARGET, DEAD)
SETTINGS = Settings(resolvers=(LinkResolver(name="isp", address=RESOLVER),), root=Path("/nowhere"))
PAGE = b"HTTP/1.1 204 No Content\r\nDate: Mon, 23 Nov 2026 09:10:11 GMT\r\n\r\n"
DATE_MS = 1_795_425_011_000
REFUSES = ConnectionRefusedError(111, "Connection refused")


def scripts(**changes: Udp) -> dict[Key, Udp]:
    return {
        NEUTRAL_STUN: changes.get("neutral", Udp(always=[stun_reply()])),
        ("tcp", WEB, 80): changes.get("web", Tcp([PAGE])),
        ("udp", RELAY, 3478): changes.get("relay", Udp(always=[refusal(401, "viber.com")])),
        ("udp", RESOLVER, 53): changes.get("resolver", Udp(always=[dns_reply(CHAT)])),
        ("tcp", CHAT, 443): changes.get("chat", Tcp()),
    }


def cycled(
    dialer: ScriptedDialer | None = None, what: Targets = ALL, settings: Settings = SETTINGS, **changes: Any
) -> Cycle:
    seed = changes.pop("seed", 1)
    dialer = dialer or ScriptedDialer(scripts(**changes))

    async def work() -> Cycle:
        return await run_cycle(what, instruments(dialer, seed=seed), settings, AllocateBudget(), lambda *_: None)

    cycle = run(work())
    assert dialer.still_open == []
    return cycle


def by_target(cycle: Cycle, round_: int = 1) -> dict[str, Any]:
    return {each.target: each for each in cycle.measurements if each.round == round_}


# --- A data plan ------------------------------------------------------------------------------------------------


def test_a_limit_leaves_out_and_the_second_look_has_none() -> None:
    silent = {"relay": Udp(), "chat": Tcp(hangs=True)}
    whole = by_target(cycled(**silent))
    limited = cycled(settings=replace(SETTINGS, max_bytes=1), **silent)
    first = by_target(limited)
    assert [each.not_attempted for each in whole["viber/call"].attempts] == [None]
    for name in ("viber/call", "viber/chat"):
        assert {each.not_attempted for each in first[name].attempts} == {NotAttempted.BUDGET}
    assert by_target(limited, 2) == {}  # what was not tried was not silent
    roomy = cycled(settings=replace(SETTINGS, max_bytes=3_000), **silent)
    assert {"viber/call", "viber/chat"} <= set(by_target(roomy, 2))


# --- A link that works ------------------------------------------------------------------------------------------


def test_every_target_has_a_measurement_of_this_cycle() -> None:
    cycle = cycled()
    assert sorted(each.target for each in cycle.measurements) == sorted(each.id for each in ALL.targets)
    assert {each.cycle for each in cycle.measurements} == {cycle.uid}
    assert {each.round for each in cycle.measurements} == {1}
    assert all(each.link == cycle.link for each in cycle.measurements)
    assert len({each.uid for each in cycle.measurements} | {cycle.uid}) == len(ALL.targets) + 1
    assert (cycle.started_ms, cycle.link.up, cycle.link.void) == (NOW_MS, True, None)


def test_what_was_reached() -> None:
    seen = by_target(cycled())
    assert seen["viber/call"].attempts[0].grade is Grade.MARKED
    assert (seen["viber/chat"].attempts[0].grade, seen["viber/chat"].attempts[0].via) == (Grade.TRANSPORT, Via.SYSTEM)
    assert seen["tango/call"].not_attempted is NotAttempted.NOT_MEASURABLE
    assert seen["tango/call"].attempts == ()


def test_the_clock_is_measured_and_said() -> None:
    cycle = cycled()
    assert cycle.clock_offset_ms == DATE_MS + 500 - NOW_MS
    assert {each.clock_offset_ms for each in cycle.measurements} == {cycle.clock_offset_ms}


def test_what_the_volunteer_said_is_said() -> None:
    settings = msgspec.structs.replace(SETTINGS, declared=Access.G4, behind=Access.ADSL)
    link = cycled(settings=settings).link
    assert (link.declared, link.behind, link.detected) == (Access.G4, Access.ADSL, Access.UNKNOWN)


def test_the_self_check_comes_before_everything_else() -> None:
    dialer = ScriptedDialer(scripts())
    cycled(dialer)
    neutral = {NEUTRAL_STUN, ("tcp", WEB, 80)}
    assert set(dialer.asked()[:2]) == neutral
    assert neutral.isdisjoint(dialer.asked()[2:])


def test_the_volunteers_addresses_are_nowhere() -> None:
    mapped = ("XOR-MAPPED-ADDRESS", stun.Address("198.18.77.66", 50123))
    cycle = cycled(neutral=Udp([stun_reply(mapped)]), resolver=Udp(always=[dns_reply(OWN[4], OWN[6], CHAT)]))
    text = msgspec.json.encode(cycle).decode()
    assert "self" in text
    assert not any(private in text for private in (*OWN.values(), "198.18.77.66", RESOLVER))


@pytest.mark.parametrize(
    ("address", "name", "prefix"),
    [
        ("2001:db8:7::1", "private", None),  # the home's router, in the line's own /64
        ("2001:db8:7:5::1", "isp", None),  # in its /48
        ("198.51.100.53", "isp", None),  # in its /24
        (RESOLVER, "isp", "203.0.113.0/24"),
    ],
)
def test_a_resolver_near_by_does_not_name_the_line(address: str, name: str, prefix: str | None) -> None:
    resolver = LinkResolver(name="isp", address=address, prefix=prefix_of(address))
    dialer = ScriptedDialer({**scripts(), ("udp", address, 53): Udp(always=[dns_reply(CHAT)])})
    cycle = cycled(dialer, settings=replace(SETTINGS, resolvers=(resolver,)))
    said = [each.observation.dns for each in by_target(cycle)["viber/chat"].resolutions]
    assert {(each.resolver, each.resolver_prefix) for each in said if each} == {(name, prefix)}


def test_each_of_the_links_own_resolvers_is_told_apart() -> None:
    second = "203.0.113.55"
    resolvers = (LinkResolver(name="isp", address=RESOLVER), LinkResolver(name="isp", address=second))
    dialer = ScriptedDialer({**scripts(), ("udp", second, 53): Udp(always=[dns_reply(rcode=3)])})
    cycle = cycled(dialer, settings=replace(SETTINGS, resolvers=resolvers))
    said = [each.observation for each in by_target(cycle)["viber/chat"].resolutions]
    assert {(each.dns.resolver, each.dns.resolver_index, each.failure) for each in said if each.dns} == {
        ("isp", 0, None),
        ("isp", 0, "dns_no_answer"),
        ("isp", 1, "dns_nxdomain_error"),
    }
    assert [(each.resolver, each.index) for each in cycle.link.resolvers] == [("isp", 0), ("isp", 1)]


def test_independent_resolvers_are_asked_too() -> None:
    world = Resolver(name="world", addresses=("203.0.113.54",), independent=True)
    dialer = ScriptedDialer(scripts())
    cycled(dialer, targets(*BASELINE, CHAT_TARGET, resolvers=[world]))
    assert ("udp", "203.0.113.54", 53) in dialer.dialled


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    dialer = ScriptedDialer(scripts())

    async def work() -> None:
        def progress(done: int, whole: int, target: str) -> None:
            told.append((done, whole))

        await run_cycle(ALL, instruments(dialer), SETTINGS, AllocateBudget(), progress)

    run(work())
    assert told == [(1, 2), (2, 2), (1, 2), (2, 2)]


# --- No link ------------------------------------------------------------------------------------------------------


def test_without_a_link_nothing_but_the_baseline_is_dialled() -> None:
    dialer = ScriptedDialer(scripts(neutral=Udp(), web=Tcp(hangs=True)))
    cycle = cycled(dialer)
    assert not cycle.link.up
    assert set(dialer.asked()) == {NEUTRAL_STUN, ("tcp", WEB, 80)}
    seen = by_target(cycle)
    assert {name: each.not_attempted for name, each in seen.items()} == {
        "baseline/stun": None,
        "baseline/portal": None,
        "viber/call": NotAttempted.NO_LINK,
        "viber/chat": NotAttempted.NO_LINK,
        "tango/call": NotAttempted.NOT_MEASURABLE,
    }
    assert seen["viber/call"].attempts == seen["viber/chat"].resolutions == ()
    assert by_target(cycle, 2) == {}


def test_a_private_address_that_answers_is_no_link() -> None:
    portal = target("baseline/stun", endpoint("stun", "10.0.0.1"))
    dialer = ScriptedDialer({**scripts(), ("udp", "10.0.0.1", 3478): Udp([stun_reply()])})
    assert not cycled(dialer, targets(portal, CALL)).link.up
    assert ("udp", RELAY, 3478) not in dialer.dialled


def test_a_device_without_any_network() -> None:
    dialer = ScriptedDialer(scripts(), own={})
    cycle = cycled(dialer)
    assert (cycle.link.up, cycle.link.neutrals) == (False, ())
    assert {each.not_attempted for each in by_target(cycle)["baseline/stun"].attempts} == {NotAttempted.NO_FAMILY}


def test_a_family_without_an_answer_is_not_tried_after_the_self_check() -> None:
    six = "2001:db8::4"
    what = targets(
        *BASELINE, target("baseline/six", endpoint("stun", six)), target("a/call", endpoint("stun", "2001:db8::5"))
    )
    dialer = ScriptedDialer(scripts())
    seen = by_target(cycled(dialer, what))
    assert seen["a/call"].attempts[0].not_attempted is NotAttempted.NO_FAMILY
    assert ("udp", six, 3478) in dialer.dialled


# --- What makes a cycle void --------------------------------------------------------------------------------------


def test_a_portal_voids_the_cycle() -> None:
    login = Tcp([b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://login.example/\r\n\r\n"])
    cycle = cycled(web=login)
    assert cycle.link.void is Void.PORTAL
    assert all(each.link.void is Void.PORTAL for each in cycle.measurements)


def test_a_tunnel_voids_the_cycle(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    zero = "00000000"
    (tmp_path / "proc/net/route").write_text(f"tun0\t{zero}\t{zero}\t1\t0\t0\t0\t{zero}\t0\t0\t0\n")
    (tmp_path / "sys/class/net/tun0").mkdir(parents=True)
    (tmp_path / "sys/class/net/tun0/tun_flags").touch()
    assert cycled(settings=msgspec.structs.replace(SETTINGS, root=tmp_path)).link.void is Void.VPN


class Moving(ScriptedDialer):
    """The device gets another address while it measures."""

    async def tcp(self, address: str, port: int) -> Any:
        self.own[4] = "198.51.100.8"
        return await super().tcp(address, port)


def test_a_network_that_changed_voids_the_cycle() -> None:
    cycle = cycled(Moving(scripts()))
    assert (cycle.link.up, cycle.link.void) == (True, Void.CHANGED)
    assert all(each.link.void is Void.CHANGED for each in cycle.measurements)


class Starved(ScriptedDialer):
    """Somebody else has the processor for so many seconds, just as the probe dials the chat server."""

    def __init__(self, seconds: float) -> None:
        super().__init__(scripts())
        self.seconds = seconds

    async def tcp(self, address: str, port: int) -> Any:
        if address == CHAT:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, Hourglass)
            loop.now += self.seconds
        return await super().tcp(address, port)


@pytest.mark.parametrize(("seconds", "void"), [(0.0, None), (0.9, None), (1.5, Void.STARVED), (30.0, Void.STARVED)])
def test_a_process_that_is_starved_concludes_nothing_and_says_how_late_it_was(
    seconds: float, void: Void | None
) -> None:
    cycle = cycled(Starved(seconds))
    assert cycle.link.void is void
    assert {(each.link.void, each.link.lag_ms) for each in cycle.measurements} == {(void, cycle.link.lag_ms)}
    assert seconds * 1000 - 250 <= cycle.link.lag_ms <= seconds * 1000


@pytest.mark.parametrize(("step_ms", "void"), [(0, None), (-900, None), (5_000, Void.CLOCK), (-86_400_000, Void.CLOCK)])
def test_a_clock_that_is_set_meanwhile_voids_the_cycle_and_moves_no_time(step_ms: int, void: Void | None) -> None:
    """NTP, or a device that slept: the wall clock leaps, and the monotonic one does not."""

    async def work() -> Cycle:
        loop = asyncio.get_running_loop()
        dialer = ScriptedDialer(scripts(relay=Udp()))  # ten seconds until the second round
        wall = lambda: NOW_MS + round(loop.time() * 1000) + (step_ms if loop.time() > 3 else 0)  # noqa: E731
        tools = instruments(dialer, wall_ms=wall)
        return await run_cycle(ALL, tools, SETTINGS, AllocateBudget(), lambda *_: None)

    cycle = run(work())
    assert cycle.link.void is void
    assert {each.link.void for each in cycle.measurements} == {void}
    assert cycle.clock_offset_ms == DATE_MS + 500 - NOW_MS
    assert all(NOW_MS <= each.started_ms <= NOW_MS + 60_000 for each in cycle.measurements)


def test_a_step_that_slept_through_its_limit_voids_the_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    async def frozen(trace: Trace, where: Endpoint) -> Grade:
        async with trace.step(Step.TCP, 10.0):
            raise Failed(INTERRUPTED)

    monkeypatch.setitem(HANDSHAKES, "tcp", frozen)
    assert cycled().link.void is Void.STARVED


# --- A mistake of ours costs no more than it must -----------------------------------------------------------------


class BrokenSweeper:
    async def sweep(self, *_: Any) -> Any:
        raise IndexError(OWN[4])


def everything(dialer: ScriptedDialer, sweeper: Any = None, settings: Settings = SETTINGS) -> Cycle:
    async def work() -> Cycle:
        tools = instruments(dialer)
        return await run_cycle(ALL, tools, settings, AllocateBudget(), lambda *_: None, sweeper)

    return run(work())


def test_a_sweep_that_fails_costs_the_sweeps_alone(caplog: pytest.LogCaptureFixture) -> None:
    silent = {"relay": Udp(), "chat": Tcp(hangs=True)}
    cycle = everything(ScriptedDialer(scripts(**silent)), BrokenSweeper())
    assert sorted(by_target(cycle)) == sorted(each.id for each in ALL.targets)
    assert set(by_target(cycle, 2)) == {"viber/call", "viber/chat"}
    assert "Following the path failed" in caplog.text
    assert "IndexError" in caplog.text
    assert OWN[4] not in caplog.text


def test_a_second_round_that_fails_costs_the_second_round_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("chat.example")

    monkeypatch.setattr("probe.cycle.second_round", broken)
    cycle = cycled(relay=Udp())
    assert sorted(by_target(cycle)) == sorted(each.id for each in ALL.targets)
    assert by_target(cycle, 2) == {}
    assert "The second round failed" in caplog.text


def test_a_target_that_cannot_be_measured_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask = Lookup.ask

    async def broken(self: Lookup, target: Target) -> None:
        if target.id == "viber/chat":
            raise RuntimeError("a bug")
        await ask(self, target)

    monkeypatch.setattr(Lookup, "ask", broken)
    seen = by_target(cycled())
    assert seen["viber/chat"].not_attempted is NotAttempted.INTERNAL
    assert seen["viber/call"].attempts[0].grade is Grade.MARKED
    assert "Measuring viber/chat failed" in caplog.text


def test_a_device_that_tells_nothing_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither /proc nor /sys nor resolv.conf may be read."""

    def closed(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    for name in ("read_text", "iterdir", "exists", "stat"):
        monkeypatch.setattr(Path, name, closed)
    cycle = everything(ScriptedDialer(scripts()), settings=Settings(root=Path("/")))
    assert (cycle.link.up, cycle.link.tunnel, cycle.link.void) == (True, Tunnel.UNKNOWN, None)
    assert by_target(cycle)["viber/call"].attempts[0].grade is Grade.MARKED


# --- The second look ------------------------------------------------------------------------------------------------


def test_what_was_silent_is_looked_at_again_with_other_ports_and_ids() -> None:
    dialer = ScriptedDialer(scripts(relay=Udp()))
    cycle = cycled(dialer)
    first, second = by_target(cycle)["viber/call"], by_target(cycle, 2)["viber/call"]
    assert list(by_target(cycle, 2)) == ["viber/call"]
    assert {each.attempts[0].observations[0].failure for each in (first, second)} == {"generic_timeout_error"}
    assert second.started_ms >= first.started_ms + 8000
    sent = [each for each in dialer.sent_to(("udp", RELAY, 3478)) if stun.parse(each.data).method == 3]
    assert len(sent) == 14
    assert len({each.port for each in sent}) == len({stun.parse(each.data).transaction_id for each in sent}) == 2


class Dying:
    """A link that carries nothing new after so many seconds."""

    def __init__(self, alive: ScriptedDialer, after: float) -> None:
        self.alive, self.dead, self.after = alive, ScriptedDialer({}), after

    def _now(self) -> ScriptedDialer:
        return self.alive if asyncio.get_running_loop().time() < self.after else self.dead

    async def udp(self, address: str, port: int) -> Datagrams:
        return await self._now().udp(address, port)

    async def tcp(self, address: str, port: int) -> Stream:
        return await self._now().tcp(address, port)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_each_is_looked_at_again_ten_seconds_after_its_first_look_and_as_soon_as_that(scale: float) -> None:
    """What lasts for a moment is over by then. They wait side by side, and the baseline for the last of them."""
    quick = target("imo/chat", endpoint("tcp", "203.0.113.45", 443))
    dialer = ScriptedDialer({**scripts(relay=Udp()), ("tcp", "203.0.113.45", 443): Tcp(refuses=REFUSES)})

    async def work() -> Cycle:
        tools = instruments(dialer, scale=scale)
        return await run_cycle(targets(*BASELINE, CALL, quick), tools, SETTINGS, AllocateBudget(), lambda *_: None)

    cycle = run(work())
    first, second = by_target(cycle), by_target(cycle, 2)
    began = {name: (second[name].started_ms - first[name].started_ms) / 1000 / scale for name in second}
    assert began == {"viber/call": pytest.approx(18, abs=0.2), "imo/chat": pytest.approx(10, abs=0.2)}
    neutral = dialer.sent_to(NEUTRAL_STUN)[1].at - dialer.sent_to(NEUTRAL_STUN)[0].at
    assert neutral / scale == pytest.approx(18, abs=0.2)


def test_who_waits_for_a_second_look_keeps_nobody_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """More are refused at once than may be in flight, and all are due at the same time."""
    many = [target(f"service{n}/chat", endpoint("tcp", f"203.0.113.{n}", 443)) for n in range(100, 130)]
    closed = {("tcp", f"203.0.113.{n}", 443): Tcp(refuses=REFUSES) for n in range(100, 130)}
    cycle = cycled(ScriptedDialer({**scripts(), **closed}), targets(*BASELINE, *many))
    started = {each.started_ms for each in by_target(cycle, 2).values()}
    assert len(by_target(cycle, 2)) == 30
    assert max(started) - min(started) < 1000


@pytest.mark.parametrize("after", [0.001, 3.0, 17.0])
def test_a_link_that_dies_meanwhile_is_silent_to_all_and_accuses_nobody(after: float) -> None:
    """The baseline is measured again beside the second round, and what it says goes with that round."""

    async def work() -> Cycle:
        dialer = Dying(ScriptedDialer(scripts(relay=Udp())), after)
        return await run_cycle(ALL, instruments(dialer), SETTINGS, AllocateBudget(), lambda *_: None)  # type: ignore[arg-type]

    cycle = run(work())
    second = by_target(cycle, 2)["viber/call"]
    assert cycle.link.up
    assert not second.link.up
    assert {each.failure for each in second.link.neutrals} == {"generic_timeout_error"}


def test_a_silent_relay_is_also_asked_for_a_binding_the_second_time() -> None:
    def answer(request: bytes) -> bytes:
        return stun_reply()(request) if stun.parse(request).method == 1 else b"junk"

    cycle = cycled(relay=Udp(always=[answer]))
    assert [each.handshake for each in by_target(cycle)["viber/call"].attempts] == ["turn"]
    again = by_target(cycle, 2)["viber/call"].attempts
    assert [(each.handshake, each.grade) for each in again] == [("turn", None), ("stun-padded", Grade.BOUND)]


def test_a_second_look_may_find_an_answer() -> None:
    calls = iter([Udp(), Udp(always=[refusal(401, "viber.com")])])

    class Recovering(ScriptedDialer):
        async def udp(self, address: str, port: int) -> Any:
            if address == RELAY:
                self.scripts["udp", address, port] = next(calls, Udp())
            return await super().udp(address, port)

    cycle = cycled(Recovering(scripts()))
    assert by_target(cycle)["viber/call"].attempts[0].grade is None
    assert by_target(cycle, 2)["viber/call"].attempts[0].grade is Grade.MARKED


def test_what_was_refused_is_not_looked_at_again() -> None:
    assert by_target(cycled(relay=Udp(always=[refusal(437)])), 2) == {}


@pytest.mark.parametrize("number", [101, 111, 113])
def test_an_icmp_error_is_looked_at_again(number: int) -> None:
    assert list(by_target(cycled(relay=Udp(always=[OSError(number, "x")])), 2)) == ["viber/call"]


def test_the_baseline_is_not_looked_at_again() -> None:
    assert by_target(cycled(neutral=Udp()), 2) == {}


ONE, TWO = endpoint("stun", "203.0.113.1"), endpoint("stun", "203.0.113.2")
PASSED, SILENT = observation(Step.STUN), observation(Step.STUN, "generic_timeout_error")


@pytest.mark.parametrize(
    ("combine", "second", "silent"),
    [
        (Combine.ANY_OF, SILENT, False),
        (Combine.ALL_OF, SILENT, True),
        (Combine.ALL_OF, PASSED, False),
        (Combine.ALL_OF, observation(Step.STUN, "connection_refused"), True),
        (Combine.ALL_OF, observation(Step.STUN, "unexpected_reply"), False),
    ],
)
def test_silence_is_looked_at_again_where_the_target_needs_it(combine: Combine, second: Any, silent: bool) -> None:
    grade = Grade.BOUND if second.failure is None else None
    attempts = (attempt(ONE, PASSED, grade=Grade.BOUND), attempt(TWO, second, grade=grade))
    what = target("svc/call", ONE, TWO, combine=combine)
    assert needs_second_round(what, Findings(started_ms=0, attempts=attempts)) is silent


def test_a_fallback_that_works_does_not_spare_udp_the_second_look() -> None:
    fallback = endpoint("turn", ONE.host, 443, transport=Transport.TCP)
    silent, works = attempt(ONE, observation(Step.STUN, TIMEOUT)), attempt(fallback, PASSED, grade=Grade.BOUND)
    what = target("svc/call", ONE, fallback)
    assert needs_second_round(what, Findings(started_ms=0, attempts=(silent, works)))
    assert not needs_second_round(
        what, Findings(started_ms=0, attempts=(attempt(ONE, PASSED, grade=Grade.BOUND), works))
    )


def test_what_follows_does_not_spare_what_leads_the_second_look() -> None:
    site, plain = endpoint("tls", "www.svc.example", 443), endpoint("http", "www.svc.example", 80)
    silent, works = attempt(site, observation(Step.TCP, TIMEOUT)), attempt(plain, PASSED, grade=Grade.TRANSPORT)
    what = target("svc/web", site, plain)
    assert needs_second_round(what, Findings(started_ms=0, attempts=(silent, works)))
    assert not needs_second_round(
        what, Findings(started_ms=0, attempts=(attempt(site, PASSED, grade=Grade.BOUND), works))
    )


@pytest.mark.parametrize("easy", ["stun", "reflector"])
def test_what_is_easy_to_answer_does_not_spare_relays_the_second_look(easy: str) -> None:
    relay, other = endpoint("turn", ONE.host), endpoint(easy, TWO.host)
    silent, works = attempt(relay, observation(Step.TURN, TIMEOUT)), attempt(other, PASSED, grade=Grade.BOUND)
    what = target("svc/call", relay, other)
    assert needs_second_round(what, Findings(started_ms=0, attempts=(silent, works)))
    met = attempt(relay, observation(Step.TURN), grade=Grade.BOUND)
    assert not needs_second_round(what, Findings(started_ms=0, attempts=(met, attempt(other, SILENT))))


def given(via: Via, failure: str | None) -> Any:
    grade = None if failure else Grade.TRANSPORT
    return attempt(CHAT_TARGET.endpoints[0], observation(Step.TCP, failure), address=CHAT, via=via, grade=grade)


@pytest.mark.parametrize(
    ("attempts", "silent"),
    [
        ([given(Via.SYSTEM, TIMEOUT), given(Via.INDEPENDENT, None)], True),
        ([given(Via.SYSTEM, TIMEOUT), given(Via.ALSO, None)], True),
        ([given(Via.SYSTEM, None), given(Via.ALSO, TIMEOUT)], False),
        ([given(Via.SYSTEM, "unexpected_reply"), given(Via.INDEPENDENT, TIMEOUT), given(Via.ALSO, TIMEOUT)], False),
        ([given(Via.SYSTEM, REFUSED)], True),
        ([given(Via.SYSTEM, "connection_reset")], True),
        ([given(Via.SYSTEM, "eof_error")], True),
        ([given(Via.SYSTEM, None), given(Via.ALSO, REFUSED)], False),
        ([given(Via.INDEPENDENT, None)], False),  # the link's resolver gave nothing to dial
        ([given(Via.INDEPENDENT, TIMEOUT)], True),
    ],
)
def test_only_what_an_app_would_dial_decides_whether_to_look_again(attempts: list[Any], silent: bool) -> None:
    assert needs_second_round(CHAT_TARGET, Findings(started_ms=0, attempts=tuple(attempts))) is silent


@pytest.mark.parametrize(
    ("failure", "beside", "silent"),
    [
        (TIMEOUT, "mtproto-obfuscated", True),
        ("connection_reset", "mtproto-obfuscated", True),
        ("unexpected_reply", "mtproto-obfuscated", False),
        (None, "mtproto-obfuscated", False),
        (TIMEOUT, "noise", False),
    ],
)
def test_a_form_that_fails_where_another_passes_is_worth_a_second_look(
    failure: str | None, beside: str, silent: bool
) -> None:
    plain, other = endpoint("mtproto-abridged"), endpoint(beside)
    grade = None if failure else Grade.MARKED
    attempts = (
        attempt(plain, PASSED, observation(Step.MTPROTO, failure), grade=grade),
        attempt(other, PASSED, grade=Grade.MARKED),
    )
    found = Findings(started_ms=0, attempts=attempts)
    assert needs_second_round(target("svc/chat", plain, other), found) is silent
    distant = msgspec.structs.replace(found, attempts=(attempts[0], msgspec.structs.replace(attempts[1], port=80)))
    assert not needs_second_round(target("svc/chat", plain, other), distant)


def test_a_resolver_that_stayed_silent_is_asked_again_though_another_led_somewhere() -> None:
    asked = observation(Step.DNS, TIMEOUT)
    found = Findings(
        started_ms=0,
        resolutions=(Resolution(host=CHAT_TARGET.endpoints[0].host, observation=asked),),
        attempts=(given(Via.INDEPENDENT, None),),
    )
    assert needs_second_round(CHAT_TARGET, found)


def about(qtype: str, failure: str | None = None, resolver: str = "isp", **facts: Any) -> Resolution:
    dns = DnsFacts(resolver=resolver, qtype=qtype, **facts)
    return Resolution(host=CHAT_TARGET.endpoints[0].host, observation=observation(Step.DNS, failure, dns=dns))


GIVEN, GIVEN6 = about("A", answers=("192.0.2.1",)), about("AAAA", answers=("2001:db8::1",))


@pytest.mark.parametrize(
    ("told", "again"),
    [
        ([GIVEN, GIVEN6], False),
        ([about("A", "dns_nxdomain_error")], True),
        ([about("A", "dns_servfail_error"), about("AAAA", "dns_no_answer")], True),
        ([about("A", "dns_refused_error"), about("A", resolver="private", answers=("192.0.2.1",))], True),
        ([about("A", TIMEOUT), GIVEN6], False),  # an app takes the other family
        ([GIVEN, about("AAAA", "dns_nxdomain_error")], False),
        ([GIVEN, about("AAAA", answers=("2001:db8::2",), late=("2001:db8::1",))], True),
        ([GIVEN, about("AAAA", answers=("d0::11",))], True),
        ([about("A", answers=("10.10.34.34",)), GIVEN6], True),
        ([about("A", answers=("self",)), GIVEN6], True),
        ([GIVEN, about("A", TIMEOUT, resolver="world", transport=Transport.TLS)], False),
    ],
)
def test_a_name_in_doubt_is_looked_at_again(told: list[Resolution], again: bool) -> None:
    """However its target fares: once is nothing, and one family's success ends no doubt about the other."""
    well = given(Via.SYSTEM, None)
    assert needs_second_round(CHAT_TARGET, Findings(started_ms=0, resolutions=tuple(told), attempts=(well,))) is again


def test_a_status_name_that_nobody_answers_for_is_no_reason_to_look_again() -> None:
    asked = Resolution(host="uptime.example", observation=observation(Step.DNS, TIMEOUT))
    found = Findings(started_ms=0, resolutions=(asked,), attempts=(given(Via.SYSTEM, None),))
    assert not needs_second_round(CHAT_TARGET, found)


def test_where_others_failed_is_dialled_once_a_cycle_and_never_for_the_self_check() -> None:
    def also(what: Target, address: str) -> AlsoDial:
        fields = {name: getattr(what.endpoints[0], name) for name in ("host", "port", "transport", "handshake")}
        return AlsoDial(target=what.id, address=address, **fields)

    neutral = target("baseline/tcp", endpoint("tcp", "neutral.example", 443))
    settings = msgspec.structs.replace(SETTINGS, extra_addresses=(also(CHAT_TARGET, WEB), also(neutral, RELAY)))
    dialer = ScriptedDialer(scripts(chat=Tcp(hangs=True)))
    seen = cycled(dialer, targets(*BASELINE, neutral, CHAT_TARGET), settings)
    rounds = [[each.via for each in by_target(seen, number)["viber/chat"].attempts] for number in (1, 2)]
    assert rounds == [[Via.SYSTEM, Via.ALSO], [Via.SYSTEM]]
    assert dialer.dialled.count(("tcp", WEB, 443)) == 1
    assert ("tcp", RELAY, 443) not in dialer.dialled


# --- Order, limits, mistakes ----------------------------------------------------------------------------------------

MANY = targets(
    *BASELINE, *(target(f"svc{number}/call", endpoint("stun", f"192.0.2.{number}")) for number in range(1, 31))
)


def test_the_same_random_bytes_give_the_same_cycle() -> None:
    def sent(seed: int) -> list[tuple[Key, bytes]]:
        dialer = ScriptedDialer(scripts())
        cycled(dialer, MANY, seed=seed)
        return [(each.key, each.data) for each in dialer.sent]

    assert sent(7) == sent(7)
    assert sent(7) != sent(8)


def test_the_order_is_another_in_each_cycle() -> None:
    orders = set()
    for seed in (1, 2, 3):
        dialer = ScriptedDialer(scripts())
        cycled(dialer, MANY, seed=seed)
        orders.add(tuple(key for key in dialer.asked() if key[1].startswith("192.")))
    assert len(orders) == 3


def test_at_most_eight_targets_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd()
    monkeypatch.setitem(HANDSHAKES, "stun", crowd)
    cycled(ScriptedDialer(scripts()), MANY)
    assert crowd.most["all"] == TARGETS_IN_FLIGHT == 8


def test_a_mistake_in_a_handshake_loses_no_other_target(monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside(trace: Trace, where: Endpoint) -> Grade:
        async with trace.step(Step.TURN, 8):
            raise ZeroDivisionError
        raise AssertionError

    async def outside(trace: Trace, where: Endpoint) -> Grade:
        raise Failed("raised where nothing records it")

    for broken, failure, reason in (
        (inside, "unknown_failure: ZeroDivisionError", "internal"),
        (outside, None, "internal"),
    ):
        monkeypatch.setitem(HANDSHAKES, "turn", broken)
        seen = by_target(cycled())
        assert seen["viber/chat"].attempts[0].grade is Grade.TRANSPORT
        (wrong,) = seen["viber/call"].attempts
        assert (wrong.grade, wrong.not_attempted) == (None, reason)
        assert [each.failure for each in wrong.observations] == ([failure] if failure else [])


def test_a_cycle_that_is_cancelled_leaves_nothing_open() -> None:
    dialer = ScriptedDialer(scripts(relay=Udp(), chat=Tcp(hangs=True)))

    async def work() -> int:
        task = asyncio.create_task(run_cycle(ALL, instruments(dialer), SETTINGS, AllocateBudget(), lambda *_: None))
        await asyncio.sleep(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        return len(asyncio.all_tasks())

    assert run(work()) == 1
    assert dialer.still_open == []
