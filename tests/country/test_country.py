"""The country is what its plan says: seen with a few bytes of our own, without any code of the product."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.country import interference as does
from tests.country.build import NEEDS, Country
from tests.country.interference import Interference
from tests.country.namespaces import RESOLV_CONF, Host, add, remove_orphans, run
from tests.country.plan import (
    CERTIFIED,
    DEAD,
    FORGER,
    ISP_V4,
    NEUTRAL_STUN,
    NEUTRAL_WEB,
    RESOLVER,
    SECOND_NEUTRAL,
    TELEGRAM_CALL,
    VIBER_CALL,
    WHATSAPP_WEB,
    WORLD_V4,
    WORLD_V6,
    in_world,
)
from tests.patience import PATIENCE
from tests.servers import answers
from tests.servers.process import where

pytestmark = pytest.mark.needs(*NEEDS)

WEB4, WEB6 = (f"tls:{where(address, 443)}" for address in in_world(WHATSAPP_WEB))
NEUTRAL4, NEUTRAL6 = (f"tls:{where(address, 443)}" for address in in_world(NEUTRAL_WEB))
STUN4, STUN6 = (f"stun:{where(address, 3478)}" for address in in_world(NEUTRAL_STUN))
RELAY4 = f"stun:{where(WORLD_V4.format(VIBER_CALL[0]), 3478)}"
OTHER_RELAY4 = f"stun:{where(WORLD_V4.format(TELEGRAM_CALL[0]), 3478)}"
SECOND4 = f"stun:{where(SECOND_NEUTRAL, 3478)}"
INDEPENDENT4 = f"dns:{where(WORLD_V4.format(RESOLVER), 53)}"
RESOLVER4 = f"dns:{where(ISP_V4.format(RESOLVER), 53)}"
EVERYTHING = {WEB4, WEB6, NEUTRAL4, NEUTRAL6, STUN4, STUN6, RELAY4, OTHER_RELAY4, SECOND4, INDEPENDENT4, RESOLVER4}
UDP = {STUN4, STUN6, RELAY4, OTHER_RELAY4, SECOND4, INDEPENDENT4}
SHORT = "0.6"  # seconds; for what is not to be answered
LONG = str(PATIENCE / 2)  # for what is

ASK = """
import dns.resolver, sys
resolver = dns.resolver.Resolver()  # reads /etc/resolv.conf
resolver.lifetime = 2
try:
    print(*sorted(str(one) for one in resolver.resolve(sys.argv[1], "A", tcp=sys.argv[2] == "tcp")))
except Exception as error:
    print(type(error).__name__)
"""
SHAKE = """
import socket, ssl, sys
socket.setdefaulttimeout(1.5)
context = ssl.create_default_context(cafile=sys.argv[3])
context.verify_flags |= ssl.VERIFY_X509_STRICT
try:
    plain = socket.create_connection((sys.argv[1], 443))
    context.wrap_socket(plain, server_hostname=sys.argv[2])
    print("verified")
except Exception as error:
    print(type(error).__name__, getattr(error, "verify_message", ""))
"""


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    with Country(tmp_path_factory.mktemp("country")) as country:
        yield country


def python(host: Host, *arguments: str) -> str:
    return run(*host.command(sys.executable, *arguments)).strip()


def unanswered(host: Host, questions: set[str], seconds: str = LONG) -> set[str]:
    command = host.command(sys.executable, answers.__file__, "--within", seconds, *sorted(questions))
    return set(subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout.split())


def assert_dead(host: Host, dead: set[str]) -> None:
    """Just these stay unanswered: the others are asked until they have answered, so that slow is not dead."""
    assert unanswered(host, EVERYTHING - dead) == set()
    assert unanswered(host, dead, SHORT) == dead


def test_a_line_reaches_everything(country: Country) -> None:
    line = country.line()
    assert unanswered(line, EVERYTHING) == set()
    assert python(line, "-c", ASK, "web.whatsapp.example", "udp") == WORLD_V4.format(WHATSAPP_WEB)
    assert python(line, "-c", ASK, "no.such.example", "tcp") == "NXDOMAIN"
    assert country.met(line) == 0


@pytest.mark.parametrize("number", [1, 2])
def test_a_control_reaches_everything_abroad_and_not_through_the_isp(country: Country, number: int) -> None:
    control = country.control(number)
    assert unanswered(control, EVERYTHING - {RESOLVER4}) == set()
    assert python(control, "-c", ASK, "web.whatsapp.example", "udp") == WORLD_V4.format(WHATSAPP_WEB)


def test_certificates_verify_for_those_who_trust_the_country(country: Country) -> None:
    line, trusted = country.line(), str(country.ca_file)
    for name in CERTIFIED:
        assert python(line, "-c", SHAKE, WORLD_V4.format(NEUTRAL_WEB), name, trusted) == "verified"
    forged = python(line, "-c", SHAKE, WORLD_V6.format(FORGER), "web.whatsapp.example", trusted)
    assert "unable to get local issuer certificate" in forged


def test_a_line_without_ipv6_reaches_the_rest(country: Country) -> None:
    line = country.line(families=(4,))
    assert_dead(line, {WEB6, NEUTRAL6, STUN6})


def test_a_line_without_routes_reaches_nothing(country: Country) -> None:
    assert_dead(country.line(routed=False), EVERYTHING)


def test_nobody_answers_for_the_dead(country: Country) -> None:
    dead = f"tls:{where(WORLD_V4.format(DEAD), 443)}"
    assert unanswered(country.line(), {dead}, SHORT) == {dead}


@pytest.mark.parametrize(
    ("what", "dead"),
    [
        (does.drop("tcp", WHATSAPP_WEB), {WEB4, WEB6}),
        (does.reset_on_syn(WHATSAPP_WEB), {WEB4, WEB6}),
        (does.prohibit("tcp", WHATSAPP_WEB), {WEB4, WEB6}),
        (does.drop("udp", *VIBER_CALL), {RELAY4}),
        (does.prohibit("udp", *VIBER_CALL), {RELAY4}),
        (does.drop_stun(), {STUN4, STUN6, RELAY4, OTHER_RELAY4, SECOND4}),
        (does.drop_udp(), UDP),
        (does.captive_portal(), UDP | {WEB6, NEUTRAL6}),
        (does.cut_off(), EVERYTHING - {RESOLVER4}),
    ],
    ids=["drop", "reset", "prohibit", "drop-relay", "prohibit-relay", "drop-stun", "drop-udp", "portal", "cut-off"],
)
def test_interference_stops_what_it_means_to_and_nothing_else(
    country: Country, what: Interference, dead: set[str]
) -> None:
    line = country.line(what)
    # The portal speaks for any address, but has no certificate for a client that names nobody.
    assert_dead(line, dead)
    assert country.met(line) > 0


def test_a_reset_is_seen_as_refused_and_a_rejection_as_unreachable(country: Country) -> None:
    trusted, address = str(country.ca_file), WORLD_V4.format(WHATSAPP_WEB)
    shake = ("-c", SHAKE, address, "web.whatsapp.example", trusted)
    assert "ConnectionRefusedError" in python(country.line(does.reset_on_syn(WHATSAPP_WEB)), *shake)
    assert "OSError" in python(country.line(does.prohibit("tcp", WHATSAPP_WEB)), *shake)


def test_a_name_in_a_client_hello_is_found(country: Country) -> None:
    trusted, address = str(country.ca_file), WORLD_V4.format(WHATSAPP_WEB)
    named, other = (("-c", SHAKE, address, name, trusted) for name in ("web.whatsapp.example", CERTIFIED[-1]))
    dropped, reset = (does.drop_name("web.whatsapp.example"), does.reset_name("web.whatsapp.example"))
    for what, seen in ((dropped, "TimeoutError"), (reset, "ConnectionResetError")):
        line = country.line(what)
        assert seen in python(line, *named)
        assert python(line, *other) == "verified"


@pytest.mark.parametrize(
    ("what", "told", "of_others"),
    [
        (does.lying_resolver("forged"), WORLD_V4.format(FORGER), WORLD_V4.format(NEUTRAL_WEB)),
        (does.lying_resolver("bogon"), "10.10.34.34", WORLD_V4.format(NEUTRAL_WEB)),
        (does.lying_resolver("nxdomain"), "NXDOMAIN", WORLD_V4.format(NEUTRAL_WEB)),
        (does.lying_resolver("servfail"), "NoNameservers", WORLD_V4.format(NEUTRAL_WEB)),
        (does.lying_resolver("nothing"), "NXDOMAIN", "NXDOMAIN"),
        (does.lying_resolver("no-ipv6"), WORLD_V4.format(WHATSAPP_WEB), WORLD_V4.format(NEUTRAL_WEB)),
        (does.silence_name("web.whatsapp.example"), "LifetimeTimeout", WORLD_V4.format(NEUTRAL_WEB)),
    ],
    ids=["forged", "bogon", "nxdomain", "servfail", "nothing", "no-ipv6", "silent"],
)
def test_the_resolver_lies_as_it_is_told_to(country: Country, what: Interference, told: str, of_others: str) -> None:
    line = country.line(what)
    assert python(line, "-c", ASK, "web.whatsapp.example", "udp") == told
    assert python(line, "-c", ASK, "web.neutral.example", "udp") == of_others
    if what.prerouting:
        assert python(line, "-c", ASK, "web.whatsapp.example", "tcp") == told


def test_hijacked_dns_answers_for_every_resolver(country: Country) -> None:
    line = country.line(does.hijacked_dns("forged"))
    ask = ASK.replace("resolver.lifetime", f"resolver.nameservers = ['{WORLD_V4.format(RESOLVER)}']; resolver.lifetime")
    assert python(line, "-c", ask, "web.whatsapp.example", "udp") == WORLD_V4.format(FORGER)


def test_an_allocate_is_dropped_while_a_binding_passes(country: Country) -> None:
    line = country.line(does.drop_allocate())
    assert unanswered(line, {RELAY4}) == set()
    allocate = "from tests.servers.test_servers import *; print(answers.ask_udp(%r, ALLOCATE)[:2].hex())"
    relay = (WORLD_V4.format(VIBER_CALL[0]), 3478)
    assert python(line, "-c", allocate % (relay,)) == ""
    assert python(country.line(), "-c", allocate % (relay,)) == "0113"


def test_loss_is_partial(country: Country) -> None:
    line = country.line(does.loss(50))
    assert unanswered(line, {STUN4, STUN6}) == set()
    for _ in range(3):
        unanswered(line, {STUN4}, "0.1")
    assert country.met(line, "iifname") + country.met(line, "oifname") > 0


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Country(tmp_path) as country:
        country.line()
        name = country.name
        assert name in run("ip", "netns", "list")
    assert name not in run("ip", "netns", "list")
    assert not [path for path in RESOLV_CONF.iterdir() if path.name.startswith(name)]


def test_what_a_killed_run_left_is_removed() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    orphan = f"rbtest{ended.pid}x0-isp"
    add(orphan, "192.0.2.1")
    server = subprocess.Popen(["ip", "netns", "exec", orphan, "sleep", "60"], stdout=subprocess.PIPE)
    while str(server.pid) not in run("ip", "netns", "pids", orphan).split():
        assert server.poll() is None
    remove_orphans("rbtest")
    assert server.wait(10) == -signal.SIGKILL
    assert orphan not in run("ip", "netns", "list")
    assert not (RESOLV_CONF / orphan).exists()
