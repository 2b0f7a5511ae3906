"""SIP: what a server's answer proves, what an impostor's does not, and what our own server says of a rewriter."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from probe.codecs import sip
from probe.model import Endpoint, Expect, Grade, IcmpFacts, Operation, SipFacts, Step, Transport
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.lab.filters.local import make_sip_alg
from tests.lab.packets import parse as parse_packet
from tests.lab.packets import udp
from tests.probe.builders import Outcome, endpoint, instruments, scripted_shake, shake
from tests.probe.codecs.test_sip import reply
from tests.scripted import Icmp, Later, ScriptedDialer, Tcp, Turn, Udp
from tests.servers.certificates import Authority
from tests.servers.kamailio import Kamailio, kamailio
from tests.servers.process import free_port, running
from tests.servers.sip import Server

HOST, REALM = "203.0.113.4", "sip.example"
SERVER = Server(realm=REALM)
PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))
Reply = Callable[[bytes], bytes]


def at(handshake: str = "sip", transport: Transport = Transport.UDP, **more: Any) -> Endpoint:
    return Endpoint(host=HOST, port=5060, transport=transport, handshake=handshake, **more)


def registrar(realm: str | None = REALM, transport: Transport = Transport.UDP) -> Endpoint:
    return at("sip-register", transport, expect=Expect(realm=realm))


def over_udp(*turns: Turn, always: Turn = ()) -> ScriptedDialer:
    return ScriptedDialer({("udp", HOST, 5060): Udp(*turns, always=always)})


def over_tcp(*turns: Turn) -> ScriptedDialer:
    return ScriptedDialer({("tcp", HOST, 5060): Tcp(*turns)})


def says(status: str, **changed: str | None) -> Reply:
    return lambda request: reply(request, status, **changed)


def serves(request: bytes) -> bytes:
    response = SERVER.answer(request)
    assert response is not None
    return response


# --- OPTIONS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["200 OK", "401 Unauthorized", "403 Forbidden", "405 No", "483 Too Many Hops", "603 "]
)
def test_any_final_status_is_bound_and_no_more(status: str) -> None:
    seen = scripted_shake(over_udp([says(status)]), at())
    assert (seen.grade, seen.failure, seen.last.step) == (Grade.BOUND, None, Step.SIP)
    assert seen.last.sip == SipFacts(status=int(status[:3]))


def test_the_same_over_tcp() -> None:
    seen = scripted_shake(over_tcp([serves]), at(transport=Transport.TCP))
    assert [each.step for each in seen.observations] == [Step.TCP, Step.SIP]
    assert (seen.grade, seen.last.sip) == (Grade.BOUND, SipFacts(status=200, software="ringback-tests"))
    assert seen.last.bytes_sent > 300


def test_what_is_sent_names_nobody_and_is_the_same_each_time() -> None:
    dialer = over_udp([], [], [serves])
    assert scripted_shake(dialer, at()).last.sip == SipFacts(sends=3, status=200, software="ringback-tests")
    assert len({each.data for each in dialer.sent}) == 1
    text = dialer.sent[0].data.decode()
    assert not any(part in text for part in ("198.51.100.7", str(dialer.sent[0].port)))
    assert text.count("anonymous.invalid") == 3


def test_a_name_is_asked_for_by_name() -> None:
    dialer = over_udp([serves])
    scripted_shake(dialer, Endpoint(host=REALM, port=5060, transport=Transport.UDP, handshake="sip", address=HOST))
    assert dialer.sent[0].data.startswith(b"OPTIONS sip:sip.example SIP/2.0\r\n")


def test_a_trying_waits_for_the_final_answer_and_counts_if_none_comes() -> None:
    trying = says("100 Trying")
    seen = scripted_shake(over_udp([trying, Later(0.2, says("404 Not Found"))]), at())
    assert seen.last.sip == SipFacts(status=404)
    seen = scripted_shake(over_udp([trying]), at())
    assert (seen.grade, seen.failure, seen.last.sip) == (Grade.BOUND, None, SipFacts(status=100, sends=7))


@pytest.mark.parametrize(
    "impostor",
    [
        lambda request: request,  # it comes back as it went
        lambda request: b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        lambda request: b"HTTP/1.1 302 Found\r\nLocation: http://portal.example\r\n\r\n",
        lambda request: bytes(len(request)),
    ],
)
def test_impostors_are_passed_over(impostor: Reply) -> None:
    seen = scripted_shake(over_udp([impostor]), at())
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "generic_timeout_error", Operation.READ)
    assert seen.last.sip is not None
    assert (seen.last.sip.status, seen.last.sip.unmatched) == (None, 1)
    seen = scripted_shake(over_udp([impostor, Later(0.1, serves)]), at())
    assert (seen.grade, seen.failure) == (Grade.BOUND, None)


@pytest.mark.parametrize(
    "answer",
    [
        says("200 OK", call_id="another"),
        says("200 OK", via="SIP/2.0/UDP anonymous.invalid;branch=z9hG4bKanother"),
        lambda request: serves(request)[:-20],
    ],
)
def test_an_answer_to_us_that_fits_in_part_is_no_silence(answer: Reply) -> None:
    seen = scripted_shake(over_udp([answer]), at())
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "unexpected_reply", Operation.DECODE)
    seen = scripted_shake(over_udp([answer, Later(0.1, serves)]), at())
    assert (seen.grade, seen.failure) == (Grade.BOUND, None)


def test_a_recorded_answer_over_tcp_is_passed_over_too() -> None:
    recorded = says("200 OK", call_id="recorded")
    seen = scripted_shake(over_tcp([lambda request: recorded(request) + serves(request)]), at(transport=Transport.TCP))
    assert seen.last.sip == SipFacts(status=200, unmatched=1, software="ringback-tests")


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_an_answer_in_pieces(cut: int) -> None:
    pieces: Turn = [lambda request: serves(request)[:cut], Later(0.1, lambda request: serves(request)[cut:])]
    assert scripted_shake(over_tcp(pieces), at(transport=Transport.TCP)).grade is Grade.BOUND


@pytest.mark.parametrize(
    ("said", "failure", "operation"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "unexpected_reply", Operation.DECODE),
        (b"x" * 70_000, "unexpected_reply", Operation.DECODE),
        (b"", "eof_error", Operation.READ),
        (OSError(104, "x"), "connection_reset", Operation.READ),
        (b"SIP/2.0 200 OK\r\n", "generic_timeout_error", Operation.READ),
    ],
)
def test_what_is_no_sip_over_tcp(said: Any, failure: str, operation: Operation) -> None:
    seen = scripted_shake(over_tcp([said]), at(transport=Transport.TCP))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, operation)


def test_icmp_is_kept() -> None:
    forged = Icmp(OSError(113, "x"), IcmpFacts(type=3, code=13, from_target=False))
    seen = scripted_shake(over_udp([forged]), at())
    assert (seen.failure, seen.last.icmp) == ("host_unreachable", forged.facts)


def test_nothing_that_the_answer_says_of_us_is_kept() -> None:
    leaky = says(
        "200 198.51.100.7",
        via="SIP/2.0/UDP a;received=198.51.100.7;rport=40001;branch={branch}",
        to="<sip:198.51.100.7>;tag=1",
    )

    def answer(request: bytes) -> bytes:
        branch = sip.parse(request).branches[0] or ""
        headers = b"\r\nServer: at 198.51.100.7 (02:00:5e:10:00:01)\r\nContact: <sip:a@198.51.100.7:40001>\r\nCSeq"
        return leaky(request).replace(b"{branch}", branch.encode()).replace(b"\r\nCSeq", headers)

    seen = scripted_shake(over_udp([answer]), at())
    assert seen.grade is Grade.BOUND
    text = msgspec.json.encode(seen.observations).decode()
    assert not any(private in text for private in ("198.51.100.7", "40001", "5e:10"))


# --- REGISTER ---------------------------------------------------------------------------------------------------


def test_the_providers_realm_is_its_mark() -> None:
    for dialer, transport in ((over_udp([serves]), Transport.UDP), (over_tcp([serves]), Transport.TCP)):
        seen = scripted_shake(dialer, registrar(transport=transport))
        assert (seen.grade, seen.failure) == (Grade.MARKED, None)
        assert seen.last.sip == SipFacts(status=401, realm=REALM, software="ringback-tests")
        request = sip.parse(dialer.sent[0].data)
        assert (request.method, request.values("contact"), request.values("authorization")) == ("REGISTER", [], [])


def test_a_proxys_challenge_is_one_too() -> None:
    def answer(request: bytes) -> bytes:
        challenge = f'\r\nProxy-Authenticate: Digest realm="{REALM}", nonce="x"\r\nCSeq'.encode()
        return reply(request, "407 Proxy Authentication Required").replace(b"\r\nCSeq", challenge)

    assert scripted_shake(over_udp([answer]), registrar()).grade is Grade.MARKED


@pytest.mark.parametrize("realm", ["forged.example", "Sip.example", "sip.example.", "", None])
def test_another_realm_is_only_bound(realm: str | None) -> None:
    assert scripted_shake(over_udp([serves]), registrar(realm)).grade is Grade.BOUND


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "100 Trying"])
def test_another_status_is_only_bound(status: str) -> None:
    def answer(request: bytes) -> bytes:
        challenge = f'\r\nWWW-Authenticate: Digest realm="{REALM}"\r\nCSeq'.encode()
        return reply(request, status).replace(b"\r\nCSeq", challenge)

    assert scripted_shake(over_udp([answer]), registrar()).grade is Grade.BOUND


# --- Our own server ---------------------------------------------------------------------------------------------


def echo(request: bytes) -> bytes:
    response = Server(echo=True).answer(request)
    assert response is not None
    return response


def test_what_arrives_as_it_was_sent() -> None:
    for dialer, transport in ((over_udp([echo]), Transport.UDP), (over_tcp([echo]), Transport.TCP)):
        seen = scripted_shake(dialer, at("sip-echo", transport))
        assert (seen.grade, seen.failure) == (Grade.BOUND, None)
        assert seen.last.sip is not None
        assert (seen.last.sip.altered, seen.last.sip.status) == ((), 200)


def test_a_routers_sip_helper_is_seen_and_nothing_of_what_it_wrote_is_kept() -> None:
    def helped(request: bytes) -> bytes:
        """As the lab's, and as many routers do: the line's address in place of whatever stood there."""
        return echo(request.replace(b"anonymous.invalid;branch", b"198.51.100.7:40001;branch"))

    seen = scripted_shake(over_udp([lambda r: helped(r)]), at("sip-echo"))
    assert seen.last.sip is not None
    assert (seen.grade, seen.last.sip.altered) == (Grade.BOUND, ("via",))
    assert "198.51.100.7" not in msgspec.json.encode(seen.observations).decode()


def test_a_helper_that_only_looks_for_the_lines_own_address_is_not_seen() -> None:
    """Which is why nothing altered proves little."""
    helper = make_sip_alg({"public": "198.18.0.9"}, Random(1))
    ends = [(ipaddress.ip_address(address).packed, port) for address, port in (("10.0.0.2", 40001), (HOST, 5060))]
    request = sip.options_request(HOST, Transport.UDP, bytes(sip.IDENTIFIER_BYTES))
    (fate,) = helper(udp(ends[0], ends[1], request), True, 0.0)
    assert parse_packet(fate.packet).payload == request


@pytest.mark.parametrize("body", [b"", b"not base64!", b"===="])
def test_an_answer_without_the_echo_is_not_our_servers(body: bytes) -> None:
    def answer(request: bytes) -> bytes:
        return reply(request).replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: %d\r\n\r\n" % len(body) + body)

    seen = scripted_shake(over_udp([answer]), at("sip-echo"))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "unexpected_reply", Operation.DECODE)


def test_an_echo_of_something_else_is_no_message() -> None:
    def answer(request: bytes) -> bytes:
        body = base64.b64encode(b"anything")
        return reply(request).replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: %d\r\n\r\n" % len(body) + body)

    seen = scripted_shake(over_udp([answer]), at("sip-echo"))
    assert seen.last.sip is not None
    assert seen.last.sip.altered == ("message",)


def test_the_twin_is_of_the_same_size_and_like_no_sip() -> None:
    plain, twin = over_udp([echo]), over_udp([echo])
    scripted_shake(plain, at("sip-echo"))
    seen = scripted_shake(twin, at("sip-twin"))
    assert (seen.grade, seen.last.step) == (Grade.BOUND, Step.HELLO)
    (sent,), (original,) = twin.sent, plain.sent
    assert len(sent.data) == len(original.data)
    assert b"SIP" not in sent.data
    assert seen.last.sip is not None
    assert seen.last.sip.altered == ()
    assert scripted_shake(over_tcp([echo]), at("sip-twin", Transport.TCP)).grade is Grade.BOUND


def test_who_answers_the_twin_in_sip_is_not_our_server() -> None:
    seen = scripted_shake(over_udp([lambda request: serves(bytes(byte ^ 0xFF for byte in request))]), at("sip-twin"))
    assert (seen.grade, seen.failure) == (None, "generic_timeout_error")


# --- Real servers -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kamailio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    with kamailio(tmp_path_factory.mktemp("kamailio")) as server:
        yield server


@pytest.mark.needs("kamailio")
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_kamailio(kamailio_server: Kamailio, transport: Transport) -> None:
    where = endpoint("sip", kamailio_server.address, kamailio_server.port, transport=transport)
    asked = await shake(instruments(SocketDialer()), where)
    assert (asked.grade, asked.failure) == (Grade.BOUND, None)
    assert asked.last.sip is not None
    assert (asked.last.sip.status, (asked.last.sip.software or "")[:8]) == (200, "kamailio")
    registering = msgspec.structs.replace(where, handshake="sip-register", expect=Expect(realm=kamailio_server.realm))
    assert (await shake(instruments(SocketDialer()), registering)).grade is Grade.MARKED


@dataclass(frozen=True)
class Started:
    udp: int
    tls: int


@asynccontextmanager
async def own_server(directory: Path, authority: Authority) -> AsyncIterator[Started]:
    """As the lab starts it: a process of its own."""
    certificate, key = authority.leaf(REALM).write(directory, "sip")
    ports = Started(free_port(), free_port())
    command = [
        *(sys.executable, "-m", "tests.servers.sip", "--listen", f"udp:127.0.0.1:{ports.udp}"),
        *("--listen", f"tls:127.0.0.1:{ports.tls}", "--certificate", str(certificate), "--key", str(key)),
        *("--realm", REALM),
    ]
    root = str(Path(__file__).parents[3])
    questions = [f"sip:127.0.0.1:{ports.udp}", f"tls:127.0.0.1:{ports.tls}"]
    context = running(["env", f"PYTHONPATH={root}", *command], directory, questions)
    await asyncio.to_thread(context.__enter__)
    try:
        yield ports
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def over_tls(authority: Authority, directory: Path, **more: Any) -> Outcome:
    trust = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})
    async with own_server(directory, authority) as ports:
        where = endpoint("sip", "127.0.0.1", ports.tls, transport=Transport.TLS, server_name=REALM, **more)
        return await shake(instruments(SocketDialer(), trust=trust, wall_ms=now_ms), where)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    ("authority", "ca", "grade", "last"),
    [
        (PUBLIC, None, Grade.BOUND, Step.SIP),
        (OWN, "service", Grade.CRYPTO, Step.SIP),
        (FORGER, None, None, Step.TLS),
        (PUBLIC, "service", Grade.BOUND, Step.SIP),
    ],
)
async def test_over_tls_a_certificate_proves_what_it_proves(
    authority: Authority, ca: str | None, grade: Grade | None, last: Step, tmp_path: Path
) -> None:
    seen = await over_tls(authority, tmp_path, ca=ca)
    assert (seen.grade, seen.last.step) == (grade, last)
    if grade is None:
        assert seen.failure == "ssl_unknown_authority"
