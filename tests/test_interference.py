"""What an ISP does to a line, and what Ringback then says: in the country of tests/country, with real servers.

Each expectation follows from what the technique does and from what can be known of it on the line, by section 4 of
the design: `blocked` takes an artefact (a certificate that is not the service's, an address that no service has, a
resolver that another one contradicts); silence and resets, which a fault could cause as well, are at most
`likely_blocked`, and only where a control reached the very address and something excludes a lost route and the
service's own doing: here that the address answers another name or method. What only looks like blocking accuses nobody.

All lines are measured side by side, each once; the tests then look at what was said of them, by `ringback check`
with the results of two controls, and by a collector that knows the same controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.country import interference as does
from tests.country.build import NEEDS, Country
from tests.country.interference import Interference
from tests.country.measuring import SCALE, Collector, Json, Outcome, check, collector, controls, identity
from tests.country.namespaces import Host
from tests.country.plan import (
    COLLECTOR,
    SIGNAL_CHAT,
    TELEGRAM_CALL,
    VIBER_CALL,
    VIBER_CHAT,
    WHATSAPP_CHAT,
    WHATSAPP_WEB,
    WORLD_V4,
)
from tests.traces import Traces

pytestmark = pytest.mark.needs(*NEEDS)

NONE = Interference()
State = tuple[str, str | None]  # state, mechanism
OK: State = ("ok", None)
INSUFFICIENT: State = ("insufficient", None)
CALLS = ("viber/call", "telegram/call", "signal/call")
NAMED = ("whatsapp/web", "signal/chat")  # by a name, with a certificate for it
ALL_NAMED = ("whatsapp/chat", *NAMED)
CLEAN: dict[str, State] = {
    "whatsapp/chat": OK,
    "whatsapp/web": OK,
    "viber/chat": OK,
    "signal/chat": OK,
    **dict.fromkeys(CALLS, INSUFFICIENT),  # a relay that answers is no call that passes
    "imo/web": ("down", None),  # it answers nobody, the two controls included
}
NOTHING = dict.fromkeys(CLEAN, INSUFFICIENT)
PORTAL: dict[str, State] = dict.fromkeys(CLEAN, ("insufficient", "local.portal"))
ACCUSING = {"blocked", "likely_blocked"}
AT_ONCE = 12  # checks: each is mostly waiting
DEAD = f"http://{WORLD_V4.format(COLLECTOR)}:9"
NOBODY = f"ringback:{'0' * 64}@{DEAD}"


def likely(mechanism: str, *targets: str) -> dict[str, State]:
    return dict.fromkeys(targets, ("likely_blocked", mechanism))


def unclear(*targets: str) -> dict[str, State]:
    """The ISP has one router, behind which nobody speaks: an address that dies there may have died anywhere."""
    return dict.fromkeys(targets, ("impaired", None))


def blocked(mechanism: str, *targets: str) -> dict[str, State]:
    return dict.fromkeys(targets, ("blocked", mechanism))


def resolver(*targets: str) -> dict[str, State]:
    return dict.fromkeys(targets, ("impaired", "local.resolver"))


@dataclass(frozen=True)
class Case:
    """A line, and how the targets are judged that it hits; the others are as on a clean line."""

    what: Interference = NONE
    hit: Mapping[str, State] = field(default_factory=dict)
    alone: Mapping[str, State] = field(default_factory=dict)  # by a probe, which cannot tell whose a resolver is
    unsaid: Sequence[str] = ()  # targets of which no more is expected than that nobody is accused
    families: tuple[int, ...] = (4, 6)
    routed: bool = True
    controls: str = "live"
    collector: str = "live"
    scale: str = SCALE

    def expected(self) -> dict[str, State]:
        return {target: state for target, state in (CLEAN | dict(self.hit)).items() if target not in self.unsaid}


INTERFERENCE = {
    "tcp-drop": Case(does.drop("tcp", WHATSAPP_CHAT), unclear("whatsapp/chat")),
    "tcp-drop-literal": Case(does.drop("tcp", VIBER_CHAT), unclear("viber/chat")),
    "tcp-reset": Case(does.reset_on_syn(WHATSAPP_CHAT), unclear("whatsapp/chat")),
    "tcp-prohibited": Case(does.prohibit("tcp", WHATSAPP_CHAT), unclear("whatsapp/chat")),
    # Neither Allocate nor Binding is answered, while a neutral Binding on the same port is: it is the address. Whether
    # the ISP drops it, or a route to it is lost, or the service keeps the country out, one line alone does not tell.
    "udp-drop": Case(does.drop("udp", *VIBER_CALL), unclear("viber/call")),
    "udp-prohibited": Case(does.prohibit("udp", *VIBER_CALL), unclear("viber/call")),
    # The same relay answers a Binding: it is the method.
    "allocate-drop": Case(does.drop_allocate(), likely("turn.allocate.drop", *CALLS)),
    "sni-drop": Case(does.drop_name("web.whatsapp.example"), likely("tls.sni.drop", "whatsapp/web")),
    "sni-reset": Case(does.reset_name("web.whatsapp.example"), likely("tls.sni.reset", "whatsapp/web")),
    "tls-mitm": Case(does.intercept(WHATSAPP_WEB), blocked("tls.mitm", "whatsapp/web")),
    "tls-mitm-pinned": Case(does.intercept(SIGNAL_CHAT), blocked("tls.mitm", "signal/chat")),
    # A TCP connection to the forger looks like one to the service: nothing is expected of whatsapp/chat.
    "dns-forged": Case(
        does.lying_resolver("forged"), blocked("dns.forged", *NAMED), resolver(*NAMED), ["whatsapp/chat"]
    ),
    "dns-hijacked": Case(
        does.hijacked_dns("forged"), blocked("dns.forged", *NAMED), resolver(*NAMED), ["whatsapp/chat"]
    ),
    "dns-bogon": Case(does.lying_resolver("bogon"), blocked("dns.forged", *ALL_NAMED), resolver(*ALL_NAMED)),
    "dns-nxdomain": Case(does.lying_resolver("nxdomain"), blocked("dns.nxdomain", *ALL_NAMED), resolver(*ALL_NAMED)),
    "dns-servfail": Case(does.lying_resolver("servfail"), likely("dns.servfail", *ALL_NAMED), resolver(*ALL_NAMED)),
    "dns-silent": Case(
        does.silence_name("web.whatsapp.example"), likely("dns.silent", "whatsapp/web"), {"whatsapp/web": INSUFFICIENT}
    ),
}
HIDDEN = does.drop("tcp", WHATSAPP_CHAT) | does.drop("udp", *VIBER_CALL) | does.drop_name("web.whatsapp.example")
HIDDEN_HIT = dict.fromkeys(("whatsapp/chat", "whatsapp/web", "viber/call", "imo/web"), INSUFFICIENT)
HARMLESS = {
    "nothing": Case(),
    "no-ipv6": Case(families=(4,)),
    "no-route": Case(routed=False, hit=NOTHING),
    "cut-off": Case(does.cut_off(), NOTHING, collector="none"),
    # At full limits: with SYNs at 0, 1, 3 and 7 s both rounds are silent by chance once in 30 000 runs.
    "loss": Case(does.loss(15), unsaid=[*CLEAN], scale="1.0"),
    "portal": Case(does.captive_portal(), PORTAL, collector="none"),
    # With neutral UDP or neutral STUN dead too, nothing can be said of the relays; TCP is not touched.
    "udp-all": Case(does.drop_udp()),
    "stun-all": Case(does.drop_stun()),
    # The service's own redundancy: Telegram's other relay answers.
    "one-relay-of-two": Case(does.drop("udp", TELEGRAM_CALL[0])),
    "resolver-denies-all": Case(
        does.lying_resolver("nothing"), unsaid=["whatsapp/chat", *NAMED, "signal/call", "imo/web"]
    ),
    "resolver-without-ipv6": Case(does.lying_resolver("no-ipv6")),
    "control-dead": Case(HIDDEN, HIDDEN_HIT, controls="dead", collector="uncontrolled"),
    "control-away": Case(HIDDEN, HIDDEN_HIT, controls="away", collector="uncontrolled"),
    "collector-dead": Case(collector="dead"),
}
CASES = INTERFERENCE | HARMLESS
UNSENT = ("no-route", "cut-off", "portal", "collector-dead")  # what was seen stays on the line


@dataclass(frozen=True)
class Runs:
    """Everything that was measured, and what was then said and kept."""

    country: Country
    lines: Mapping[str, Host]
    outcomes: Mapping[str, Outcome]
    judged: Mapping[str, Json]  # by the collectors: measurement → verdict
    stores: tuple[Path, ...]  # the collectors' data


class Field:
    """The controls, then all lines side by side."""

    def __init__(self, country: Country, stack: ExitStack) -> None:
        self.country, self.stack = country, stack
        self.pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))

    def measure(self) -> Runs:
        hosts = [self.country.control(number) for number in (1, 2)]
        keys = [identity(self.country.directory / f"probe-{host.device}") for host in hosts]
        with collector(self.country, 8321, keys) as live, collector(self.country, 8322, keys) as uncontrolled:
            sent = {"live": live.named, "uncontrolled": uncontrolled.named, "dead": NOBODY}
            upload = {name: ["--collector", url] for name, url in sent.items()} | {
                "none": ["--collector", NOBODY, "--no-upload"]
            }
            seen = self._controls(hosts, live)
            lines = {
                name: self.country.line(case.what, families=case.families, routed=case.routed)
                for name, case in CASES.items()
            }
            slowest_first = sorted(CASES, key=lambda name: CASES[name].scale, reverse=True)
            pending = {
                name: self.pool.submit(
                    check, self.country, lines[name], *upload[case.collector], *seen[case.controls],
                    scale=case.scale,
                )
                for name in slowest_first
                for case in (CASES[name],)
            }  # fmt: skip
            outcomes = {name: future.result() for name, future in pending.items()}
            self._send(hosts, live)  # once more, now that lines have failed
            judged = live.verdicts() | uncontrolled.verdicts()
        return Runs(self.country, lines, outcomes, judged, (live.data, uncontrolled.data))

    def _controls(self, hosts: Sequence[Host], live: Collector) -> dict[str, list[str]]:
        """What is passed with --control: results of live controls, of one without a link, of one that is gone."""
        alive = self._send(hosts, live)
        dead = check(self.country, self.country.line(routed=False), "--no-upload")
        return {"live": controls(alive), "dead": controls([dead]), "away": ["--control", DEAD]}

    def _send(self, hosts: Sequence[Host], live: Collector) -> list[Outcome]:
        sent = ("--collector", live.named)
        return [*self.pool.map(lambda host: check(self.country, host, "--one-key", *sent), hosts)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with ExitStack() as stack:
        country = stack.enter_context(Country(tmp_path_factory.mktemp("country")))
        yield Field(country, stack).measure()


@pytest.mark.parametrize("name", CASES)
def test_check_says_what_was_done(runs: Runs, name: str) -> None:
    case, outcome = CASES[name], runs.outcomes[name]
    assert outcome.code == 0, outcome.said
    told = {target: state for target, state in outcome.states().items() if target not in case.unsaid}
    assert told == case.expected() | case.alone


@pytest.mark.parametrize("name", [name for name in CASES if name not in UNSENT])
def test_the_collector_says_what_was_done(runs: Runs, name: str) -> None:
    case, outcome = CASES[name], runs.outcomes[name]
    told = {target: runs.judged[verdict["uid"]] for target, verdict in outcome.verdicts.items()}
    states = {target: (verdict["state"], verdict["mechanism"]) for target, verdict in told.items()}
    assert {target: state for target, state in states.items() if target not in case.unsaid} == case.expected()
    assert {(verdict["country"], verdict["asn"], verdict["is_control"]) for verdict in told.values()} == {
        ("XL", 64500, False)
    }


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_blocking_accuses_nobody(runs: Runs, name: str) -> None:
    verdicts = [line for line in runs.outcomes[name].lines if line["type"] == "verdict"]
    verdicts += [runs.judged[verdict["uid"]] for verdict in verdicts if verdict["uid"] in runs.judged]
    assert verdicts
    assert [verdict for verdict in verdicts if verdict["state"] in ACCUSING and name not in ("control-dead",)] == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.what != NONE])
def test_the_interference_was_met(runs: Runs, name: str) -> None:
    if not CASES[name].what.strings:
        assert runs.country.met(runs.lines[name]) > 0


@pytest.mark.parametrize("name", ["no-route", "cut-off"])
def test_without_internet_nothing_is_dialled_but_the_baseline(runs: Runs, name: str) -> None:
    outcome = runs.outcomes[name]
    assert outcome.summary["conclusion"] == "this link has no internet: nothing can be concluded"
    for measurement in outcome.measurements:
        if not measurement["target"].startswith("baseline/"):
            assert measurement["not_attempted"] == "no_link"
            assert not measurement.get("attempts")
            assert not measurement.get("resolutions")
    if name == "cut-off":
        assert runs.country.met(runs.lines[name], "203.0.113.11") == 0  # the rules that count the services
        assert runs.country.met(runs.lines[name], "drop") > 0


@pytest.mark.parametrize("name", UNSENT)
def test_what_could_not_be_sent_is_kept(runs: Runs, name: str) -> None:
    assert runs.outcomes[name].verdicts
    assert Traces.of_probe(runs.outcomes[name].data).batches > 0


def test_no_address_of_a_volunteer_is_kept_or_sent(runs: Runs) -> None:
    addresses = [address for line in runs.lines.values() for address in line.addresses]
    everything = Traces()
    for outcome in runs.outcomes.values():
        everything.add(outcome.out.encode())
        everything.add_directory(outcome.data)
    for store in runs.stores:
        everything.add_directory(store)
        everything.add(store.with_name("log").read_bytes())
    assert everything.batches >= len(CASES)
    assert everything.rows > len(CASES)
    assert everything.found(addresses) == []
    assert everything.found(["203.0.113.22"]) == ["203.0.113.22"]  # that it would be found: the service's is kept
