"""The world is what its plan says, seen from a line with a few bytes of our own, without any code of the product."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.facts.networks import lookup_prefix, read_networks
from probe.net.vantage import describe_resolver
from tests.lab import places, plan
from tests.lab.net import Lab, Line
from tests.lab.plan import OPERATORS, WORLD_V4
from tests.lab.world import NEEDS
from tests.patience import PATIENCE
from tests.servers.process import where
from tests.servers.test_servers import ALLOCATE

pytestmark = pytest.mark.needs("root", "util-linux", *NEEDS)

SLOTS = 60

# Why a strict client refuses NAME at ADDRESS, or `verified`; OpenSSL's words.
SHAKE = """
import json, socket, ssl, sys
trusted, *pairs = sys.argv[1:]
said = []
for pair in pairs:
    name, address = pair.split("@")
    context = ssl.create_default_context(cafile=trusted)
    try:
        with socket.create_connection((address, 443), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname=name):
                said.append("verified")
    except ssl.SSLCertVerificationError as error:
        said.append(error.verify_message.partition(",")[0])
print(json.dumps(said))
"""
ASK = """
import dns.message, dns.query, dns.rcode, json, sys
said = {}
for resolver in sys.argv[2:]:
    for qtype in ("A", "AAAA"):
        reply = dns.query.udp(dns.message.make_query(sys.argv[1], qtype), resolver, 5)
        answers = [str(one) for rrset in reply.answer for one in rrset]
        said[resolver, qtype] = answers or dns.rcode.to_text(reply.rcode())
print(json.dumps(list(said.values())))
"""
# Again and again until it answers, as a busy machine may take longer than the patience of one question.
ALLOCATES = """
import json, sys
from tests.servers import answers
replies = []
for pair in sys.argv[2:]:
    host, _, port = pair.rpartition("#")
    asked = (answers.ask_udp((host, int(port)), bytes.fromhex(sys.argv[1])) for _ in range(20))
    replies.append(next(filter(None, asked), b"").hex())
print(json.dumps(replies))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab"), slots=SLOTS) as lab:
        yield lab


@pytest.fixture(scope="module")
def line(lab: Lab) -> Line:
    return lab.line("elsewhere", "adsl", seed=1)


def python(line: Line, *arguments: str) -> str:
    command = line.command(sys.executable, *arguments)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=Path(__file__).parents[2]
    )
    assert not done.stderr
    return done.stdout


def unanswered(line: Line, questions: list[str], seconds: str = str(PATIENCE / 2)) -> list[str]:
    return python(line, "-m", "tests.servers.answers", "--within", seconds, *questions).split()


def test_every_server_answers_at_every_address_that_is_its_own(line: Line) -> None:
    web = [*places.in_world(*places.WEB, *places.SPECIAL_WEB), *places.caches()]
    questions = [f"{kind}:{where(address, port)}" for address in web for kind, port in (("tls", 443), ("http", 80))]
    questions += [f"tcp:{where(*place)}" for chat in places.CHATS for place in places.spoken_at(chat)]
    questions += [f"{other}:{where(*place)}" for other in ("msturn", "sip") for place in places.spoken_at(other)]
    questions += [
        f"stun:{where(address, port)}"
        for (_, port), relays in places.RELAYS.items()
        for address in places.in_world(*relays)
    ]
    questions += [f"dns:{where(address, 53)}" for address in places.all_resolvers()]
    assert unanswered(line, questions) == []


def test_dead_is_silent_and_retired_is_closed(line: Line) -> None:
    dead, retired = WORLD_V4.format(plan.DEAD), WORLD_V4.format(plan.RETIRED)
    assert unanswered(line, [f"tls:{dead}:443", f"stun:{dead}:3478"], "1") == [f"tls:{dead}:443", f"stun:{dead}:3478"]
    closed = (
        "import socket, sys\n"
        "for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n"
        "    sock = socket.socket(socket.AF_INET, kind); sock.settimeout(5)\n"
        "    try: sock.connect((sys.argv[1], 3478)); sock.send(b'x'); sock.recv(1)\n"
        "    except OSError as error: print(type(error).__name__)\n"
    )
    assert python(line, "-c", closed, retired).split() == ["ConnectionRefusedError"] * 2


def test_certificates_are_right_or_wrong_by_address(lab: Lab, line: Line) -> None:
    why = {
        plan.NAMES["www.viber.example"]: "verified",
        plan.EXPIRED: "certificate has expired",
        plan.ROTATED: "unable to get local issuer certificate",
        plan.PROXY: "unable to get local issuer certificate",
        plan.BLOCK_PAGE: "unable to get local issuer certificate",
        plan.RENAMED: "Hostname mismatch",
    }
    pairs = [f"www.viber.example@{address}" for number in why for address in places.in_world(number)]
    said = json.loads(python(line, "-c", SHAKE, str(lab.ca_file), *pairs))
    assert said == [reason for reason in why.values() for _ in range(4)]


def test_signals_certificate_is_of_its_own_authority(lab: Lab, line: Line) -> None:
    pair = f"{places.PINNED}@{WORLD_V4.format(plan.SIGNAL_CHAT)}"
    signal_file = lab.ca_file.with_name("signal.pem")
    assert json.loads(python(line, "-c", SHAKE, str(signal_file), pair)) == ["verified"]
    assert json.loads(python(line, "-c", SHAKE, str(lab.ca_file), pair)) != ["verified"]
    assert signal_file.read_text() == lab.targets.authorities["signal"]


def test_relays_refuse_with_the_realm_of_their_service(line: Line) -> None:
    relays = [
        (realm, f"{address}#{port}")
        for (realm, port), numbers in places.RELAYS.items()
        for address in places.in_world(*numbers)
    ]
    replies = json.loads(python(line, "-c", ALLOCATES, ALLOCATE.hex(), *(place for _, place in relays)))
    for (realm, place), reply in zip(relays, map(bytes.fromhex, replies), strict=True):
        assert (reply[:2], realm.encode() in reply) == (b"\x01\x13", True), place


def test_every_resolver_tells_the_truth(line: Line) -> None:
    number = plan.NAMES["web.whatsapp.example"]
    resolvers = places.all_resolvers()
    told = json.loads(python(line, "-c", ASK, "web.whatsapp.example", *resolvers))
    assert told == [[form.format(number)] for _ in resolvers for form in (plan.WORLD_V4, plan.WORLD_V6)]
    assert json.loads(python(line, "-c", ASK, "nowhere.example", resolvers[0])) == ["NXDOMAIN"] * 2


def test_a_portal_and_a_block_page_answer_in_plain_text(line: Line) -> None:
    get = (
        "import sys, urllib.request, urllib.error\n"
        "for address in sys.argv[1:]:\n"
        "    try: reply = urllib.request.urlopen(f'http://{address}/generate_204')\n"
        "    except urllib.error.HTTPError as error: reply = error\n"
        "    print(reply.status)\n"
    )
    numbers = plan.PORTAL_CHECK, plan.PORTAL, plan.BLOCK_PAGE
    assert python(line, "-c", get, *map(WORLD_V4.format, numbers)).split() == ["204", "200", "403"]


def test_targets_are_those_of_the_plan(lab: Lab) -> None:
    hosts = {endpoint.host for target in lab.targets.targets for endpoint in target.endpoints}
    numbers = (*plan.VIBER_RELAYS, *plan.TELEGRAM_RELAYS, plan.MESSENGER_RELAY, plan.TEAMS_RELAY, plan.TELEGRAM_CHAT)
    literal = {WORLD_V4.format(number) for number in numbers}
    assert set(plan.NAMES) | literal <= hosts
    assert {target.id for target in lab.targets.targets if not target.endpoints} == {"whatsapp/call"}


def test_the_table_of_networks_knows_every_line_and_takes_no_resolver_for_another_operators(lab: Lab) -> None:
    networks = read_networks(lab.networks_file)
    for operator in OPERATORS.values():
        assert networks.lookup(operator.resolver).asn == operator.asn
        told = describe_resolver(operator.resolver, 53, ())  # all that a probe says of it
        assert told.prefix is not None
        assert lookup_prefix(networks, told.prefix).asn == operator.asn
    assert lookup_prefix(networks, "203.0.113.0/24").operator == "World Hosting"
