"""The servers of the tests do what the tests assume of them, asked without the product's own code."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.servers import answers
from tests.servers.caddy import Caddy, caddy
from tests.servers.certificates import Authority
from tests.servers.coturn import Coturn
from tests.servers.dnsmasq import Liar
from tests.servers.process import DidNotStart, running
from tests.servers.unbound import Unbound

ALLOCATE = b"\x00\x03\x00\x08\x21\x12\xa4\x42" + b"transaction1" + b"\x00\x19\x00\x04\x11\x00\x00\x00"


@pytest.mark.needs("coturn")
def test_coturn_refuses_an_unauthenticated_allocate_with_its_realm(coturn_server: Coturn) -> None:
    reply = answers.ask_udp((coturn_server.address, coturn_server.port), ALLOCATE)
    assert reply[:2] == b"\x01\x13"
    assert b"\x00\x00\x04\x01" in reply  # ERROR-CODE 401
    assert coturn_server.realm.encode() in reply


@pytest.mark.needs("caddy")
def test_caddy_passes_a_strict_verification(caddy_server: Caddy, authority: Authority) -> None:
    assert shake(caddy_server, authority, "chat.example") == (("DNS", "chat.example"),)
    assert shake(caddy_server, authority, "web.example") == (("DNS", "web.example"),)


@pytest.mark.needs("caddy")
def test_caddy_answers_the_portal_check_with_a_date(caddy_server: Caddy) -> None:
    with socket.create_connection((caddy_server.address, caddy_server.http_port), timeout=5) as plain:
        plain.sendall(b"GET /generate_204 HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n")
        head = b"".join(iter(lambda: plain.recv(4096), b"")).decode()
    assert head.startswith("HTTP/1.1 204 ")
    assert "\r\nDate: " in head


@pytest.mark.needs("caddy")
def test_an_expired_certificate_is_the_only_thing_wrong_with_it(tmp_path: Path, authority: Authority) -> None:
    expired = authority.leaf("old.example", since=datetime.now(UTC) - timedelta(days=9), lasts=timedelta(days=2))
    with (
        caddy(tmp_path, {"old.example": expired}) as server,
        pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"),
    ):
        shake(server, authority, "old.example")


@pytest.mark.needs("unbound")
@pytest.mark.parametrize("ask", [dns.query.udp, dns.query.tcp])
def test_unbound_knows_its_names_and_no_others(unbound_server: Unbound, ask: object) -> None:
    assert resolve(unbound_server, "chat.example", "A", ask) == ["192.0.2.10"]
    assert resolve(unbound_server, "chat.example", "AAAA", ask) == ["2001:db8::10"]
    assert resolve(unbound_server, "only6.example", "A", ask) == []
    assert resolve(unbound_server, "other.example", "A", ask) == "NXDOMAIN"


@pytest.mark.needs("dnsmasq-base")
def test_dnsmasq_lies_about_some_names_only(lying_resolver: Liar) -> None:
    assert resolve(lying_resolver, "chat.example", "A") == ["203.0.113.66"]
    assert resolve(lying_resolver, "chat.example", "AAAA") == []
    assert resolve(lying_resolver, "call.example", "A") == "NXDOMAIN"
    assert resolve(lying_resolver, "only6.example", "AAAA") == ["2001:db8::13"]


def test_a_server_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(DidNotStart, match="no such thing"),
        running(["sh", "-c", "echo no such thing"], tmp_path, ["dns:127.0.0.1:9"]),
    ):
        pass


def shake(server: Caddy, authority: Authority, name: str) -> object:
    """Subject alternative names of the certificate that a strict client accepts."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection((server.address, server.https_port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        return secured.getpeercert()["subjectAltName"]  # type: ignore[index]


def resolve(server: Unbound | Liar, name: str, qtype: str, ask: object = dns.query.udp) -> list[str] | str:
    """The addresses, or the rcode if it is not NOERROR."""
    reply = ask(dns.message.make_query(name, qtype), server.address, 5, server.port)  # type: ignore[operator]
    if reply.rcode():
        return dns.rcode.to_text(reply.rcode())
    return sorted(str(record) for rrset in reply.answer for record in rrset)
