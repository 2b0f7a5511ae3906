"""DNS over TLS and HTTPS: against scripts inside real TLS, a real unbound, and who is not the resolver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dns.message
import dns.rdatatype
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model import DnsFacts, Endpoint, Expect, Grade, HttpFacts, Operation, Step, Transport
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, dns_reply, endpoint, framed, instruments, scripted_shake, shake
from tests.scripted import Now, ScriptedDialer, Tcp
from tests.servers.certificates import Authority, Leaf
from tests.servers.tls_peer import TlsPeer
from tests.servers.unbound import Unbound

PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The resolver's own", "A censor"))
LEAF = PUBLIC.leaf("dns.example")
HOST, TRUE = "203.0.113.53", "192.0.2.10"
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)
BOTH = pytest.mark.parametrize("transport", [Transport.TLS, Transport.HTTPS])


def where(transport: Transport, **more: Any) -> Endpoint:
    given = {"server_name": "dns.example", "expect": Expect(name="chat.example"), **more}
    return endpoint("dns", HOST, 853, transport=transport, **given)


def tools(**changes: Any) -> dict[str, Any]:
    trust = Trust(PUBLIC.pem, {"own": OWN.pem.decode()})
    return {"trust": trust, "wall_ms": lambda: NOW_MS, **changes}


class Https:
    """The server's half of HTTP/2 with one answer to each request."""

    def __init__(self, answer: Callable[[bytes], bytes], status: int = 200) -> None:
        self.headers: dict[bytes, bytes] = {}
        self._answer, self._status = answer, status
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._connection.initiate_connection()
        self._body = b""

    def __call__(self, data: bytes) -> bytes:
        for event in self._connection.receive_data(data):
            if isinstance(event, RequestReceived):
                self.headers = dict(event.headers or ())
            elif isinstance(event, DataReceived):
                self._body += event.data or b""
            elif isinstance(event, StreamEnded):
                self._connection.send_headers(1, [(":status", str(self._status)), ("server", "edge")])
                self._connection.send_data(1, self._answer(self._body), end_stream=True)
        return self._connection.data_to_send()


def answering(transport: Transport, answer: Callable[[bytes], bytes], leaf: Leaf = LEAF, **more: Any) -> TlsPeer:
    if transport is Transport.TLS:
        return TlsPeer(leaf, framed(answer), b"dot")
    return TlsPeer(leaf, Https(answer, **more), b"h2")


def asked(peer: Now, endpoint_: Endpoint, **changes: Any) -> Outcome:
    dialer = ScriptedDialer({("tcp", HOST, 853): Tcp(always=[peer])})
    seen = scripted_shake(dialer, endpoint_, **tools(**changes))
    assert dialer.still_open == []
    return seen


@BOTH
def test_an_answer_is_the_resolvers_own(transport: Transport) -> None:
    seen = asked(answering(transport, dns_reply(TRUE)), where(transport))
    assert (seen.failure, seen.grade, [each.step for each in seen.observations]) == (None, Grade.BOUND, [Step.DNS])
    assert seen.last.dns == DnsFacts(resolver=HOST, transport=transport, rcode="NOERROR", answers=(TRUE,), ttl=60)
    assert seen.last.tls is not None
    assert (seen.last.tls.alpn, bool(seen.last.tls.leaf_sha256)) == (
        "dot" if transport is Transport.TLS else "h2",
        True,
    )


@BOTH
def test_the_pinned_authority_is_crypto(transport: Transport) -> None:
    peer = answering(transport, dns_reply(TRUE), OWN.leaf("dns.example"))
    assert asked(peer, where(transport, ca="own")).grade is Grade.CRYPTO


@pytest.mark.parametrize("name", ["a.example", "a-much-longer-name-than-the-other.chat.service.example"])
def test_the_question_is_padded(name: str) -> None:
    peer = answering(Transport.TLS, dns_reply(TRUE))
    asked(peer, where(Transport.TLS, expect=Expect(name=name)))
    (query,) = peer.heard
    assert len(query) == 2 + 128
    assert dns.message.from_wire(query[2:]).question[0].name.to_text() == f"{name}."


@pytest.mark.parametrize("path", [None, "/other"])
def test_what_is_asked_over_https(path: str | None) -> None:
    heard: list[bytes] = []

    def answer(request: bytes) -> bytes:
        heard.append(request)
        return dns_reply(TRUE)(request)

    server = Https(answer)
    asked(TlsPeer(LEAF, server, b"h2"), where(Transport.HTTPS, expect=Expect(name="chat.example", path=path)))
    assert server.headers[b":method"] == b"POST"
    assert server.headers[b":authority"] == b"dns.example:853"
    assert server.headers[b":path"] == (path or "/dns-query").encode()
    assert server.headers[b"content-type"] == server.headers[b"accept"] == b"application/dns-message"
    assert (heard[0][:2], len(heard[0])) == (b"\0\0", 128)  # RFC 8484, 4.1: an id of 0, for caches


def test_a_refusal_over_https_keeps_its_status() -> None:
    seen = asked(answering(Transport.HTTPS, lambda _: b"no", status=403), where(Transport.HTTPS))
    assert (seen.grade, seen.failure) == (None, "http_unexpected_status_code")
    assert seen.last.http == HttpFacts(status=403)


@pytest.mark.parametrize("status", [99, 10**17])
def test_a_status_that_is_none_is_no_answer_and_is_not_kept(status: int) -> None:
    """Kept, it would make the record one that no collector takes."""
    seen = asked(answering(Transport.HTTPS, lambda _: b"no", status=status), where(Transport.HTTPS))
    assert (seen.grade, seen.failure, seen.last.http) == (None, "unexpected_reply", None)


@BOTH
@pytest.mark.parametrize(
    ("leaf", "failure"),
    [
        (FORGER.leaf("dns.example"), "ssl_unknown_authority"),
        (PUBLIC.leaf("other.example"), "ssl_invalid_hostname"),
    ],
)
def test_nothing_is_asked_of_a_forger(transport: Transport, leaf: Leaf, failure: str) -> None:
    peer = answering(transport, dns_reply(TRUE), leaf)
    seen = asked(peer, where(transport))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, Operation.VERIFY)
    assert seen.last.dns == DnsFacts(resolver=HOST, transport=transport)
    assert seen.last.tls is not None
    assert seen.last.tls.leaf_sha256
    assert peer.heard == []


def replayed(request: bytes) -> bytes:
    other = dns.message.make_query("other.example", dns.rdatatype.A)
    other.id = dns.message.from_wire(request).id
    return dns_reply(TRUE)(other.to_wire())


@BOTH
@pytest.mark.parametrize("answer", [replayed, lambda request: b"junk", lambda request: request])
def test_an_answer_to_another_question_is_none(transport: Transport, answer: Callable[[bytes], bytes]) -> None:
    seen = asked(answering(transport, answer), where(transport))
    assert (seen.grade, seen.failure) == (None, "unexpected_reply")


@BOTH
@pytest.mark.parametrize(
    ("impostor", "failure"),
    [
        (b"HTTP/1.1 302 Found\r\n\r\n", "ssl_failed_handshake"),
        (b"", "eof_error"),
        (ConnectionResetError(104, "x"), "connection_reset"),
    ],
)
def test_who_speaks_no_tls(transport: Transport, impostor: Now, failure: str) -> None:
    seen = asked(impostor, where(transport))
    assert (seen.grade, seen.failure, seen.last.step) == (None, failure, Step.DNS)


def test_silence() -> None:
    dialer = ScriptedDialer({("tcp", HOST, 853): Tcp()})
    seen = scripted_shake(dialer, where(Transport.TLS), **tools())
    assert (seen.failure, seen.last.took_us) == ("generic_timeout_error", 10_000_000)


@settings(max_examples=80, deadline=None)
@given(data=st.binary(min_size=1, max_size=80), settled=st.booleans())
def test_whatever_comes_inside_tls_is_recorded_as_one_failure(data: bytes, settled: bool) -> None:
    greeting = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" if settled else b""  # RFC 9113, 6.5: SETTINGS, none
    peer = TlsPeer(LEAF, lambda _: greeting + data, b"h2")
    dialer = ScriptedDialer({("tcp", HOST, 853): Tcp([peer], [peer], [peer], always=[b""])})
    seen = scripted_shake(dialer, where(Transport.HTTPS), **tools())
    assert seen.failure in ("unexpected_reply", "http_request_failed", "eof_error", "generic_timeout_error")


@pytest.mark.needs("unbound")
@BOTH
async def test_unbound_answers(transport: Transport, unbound_server: Unbound, authority: Authority) -> None:
    port = unbound_server.tls_port if transport is Transport.TLS else unbound_server.https_port
    asks = endpoint(
        "dns", unbound_server.address, port, transport=transport, server_name="dns.example",
        expect=Expect(name="chat.example"),
    )  # fmt: skip
    seen = await shake(instruments(SocketDialer(), **tools(trust=Trust(authority.pem, {}))), asks)
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert seen.last.dns is not None
    assert (seen.last.dns.answers, seen.last.dns.transport) == (("192.0.2.10",), transport)


@pytest.mark.needs("unbound")
@BOTH
async def test_unbound_denies_what_it_does_not_know(
    transport: Transport, unbound_server: Unbound, authority: Authority
) -> None:
    port = unbound_server.tls_port if transport is Transport.TLS else unbound_server.https_port
    asks = endpoint(
        "dns", unbound_server.address, port, transport=transport, server_name="dns.example",
        expect=Expect(name="nobody.example"),
    )  # fmt: skip
    seen = await shake(instruments(SocketDialer(), **tools(trust=Trust(authority.pem, {}))), asks)
    assert (seen.failure, seen.grade, seen.last.operation) == ("dns_nxdomain_error", None, Operation.DECODE)
