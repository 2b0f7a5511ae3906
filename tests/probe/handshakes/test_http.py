"""Plain HTTP against scripts: portals, block pages, dates, and bodies without end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.model import Expect, Fingerprint, Grade, HttpFacts, Operation, Step, Transport
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, endpoint, instruments, scripted_shake, shake
from tests.scripted import Now, ScriptedDialer, Tcp, Turn, run
from tests.servers.caddy import Caddy
from tests.servers.certificates import Authority

HOST = "203.0.113.4"
KEY = ("tcp", HOST, 80)
PORTAL = endpoint("http", "portal.example", 80, address=HOST, expect=Expect(path="/generate_204", status=204))
SUCCESS = endpoint("http", "portal.example", 80, address=HOST, expect=Expect(status=200, body="success"))
DATE = "Mon, 23 Nov 2026 09:10:11 GMT"
DATE_MS = int(datetime(2026, 11, 23, 9, 10, 11, tzinfo=UTC).timestamp() * 1000)
NO_CONTENT = f"HTTP/1.1 204 No Content\r\nDate: {DATE}\r\n\r\n".encode()


def page(body: str, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def got(*replies: Now, where: object = PORTAL, tcp: Tcp | None = None, **changes: object) -> Outcome:
    dialer = ScriptedDialer({KEY: tcp or Tcp([*replies])})
    seen = scripted_shake(dialer, where, **changes)  # type: ignore[arg-type]
    assert dialer.still_open == []
    return seen


def facts(*replies: Now, **changes: object) -> HttpFacts:
    seen = got(*replies, **changes)
    assert seen.last.http is not None
    return seen.last.http


def test_the_expected_answer_is_a_transport() -> None:
    seen = got(NO_CONTENT)
    assert (seen.grade, [each.step for each in seen.observations]) == (Grade.TRANSPORT, [Step.TCP, Step.HTTP])
    assert seen.last.http == HttpFacts(status=204, date_ms=DATE_MS)
    assert seen.last.bytes_received == len(NO_CONTENT)


@pytest.mark.parametrize(
    ("lines", "age_s", "passed_on"),
    [
        ("Age: 16062\r\nVia: 1.1 google", 16062, True),
        ("Age:  7 ", 7, False),
        ("Via: 1.1 proxy", None, True),
        ("Age: -5", None, False),
        ("Age: 99999999999999999999", None, False),
        ("Age: soon", None, False),
    ],
)
def test_how_long_a_cache_kept_it(lines: str, age_s: int | None, passed_on: bool) -> None:
    seen = facts(page("success\n", "204 No Content", lines))
    assert (seen.age_s, seen.passed_on) == (age_s, passed_on)


def test_what_is_sent() -> None:
    dialer = ScriptedDialer({KEY: Tcp([NO_CONTENT])})
    scripted_shake(dialer, PORTAL)
    (sent,) = dialer.sent
    lines = sent.data.decode().split("\r\n")
    assert lines[:3] == ["GET /generate_204 HTTP/1.1", "Host: portal.example", "User-Agent: Mozilla/5.0"]
    assert lines[-2:] == ["", ""]


def test_a_body_is_compared_by_its_beginning() -> None:
    assert got(page("success\n"), where=SUCCESS).grade is Grade.TRANSPORT
    assert got(page("succ"), page("ess")[-3:], where=SUCCESS).failure == "http_unexpected_status_code"
    pieces = page("success\n")
    assert got(pieces[:9], pieces[9:40], pieces[40:], where=SUCCESS).grade is Grade.TRANSPORT


def test_a_portals_redirect_keeps_scheme_and_host() -> None:
    location = "Location: http://login.portal.example:8080/in?mac=00:11:22:33:44:55&ip=198.51.100.7#x"
    seen = got(page("", "302 Found", location))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "http_unexpected_status_code", Operation.VERIFY)
    assert seen.last.http == HttpFacts(status=302, location="http://login.portal.example")


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://user:secret@login.example/", "https://login.example"),
        ("http://10.0.0.1/login", "http://[…]"),
        ("http://[2001:db8::1]/login", "http://[…]"),
        ("http://[broken/", None),
        ("/login?ip=198.51.100.7", None),
        ("//login.example/x", "://login.example"),
    ],
)
def test_no_more_of_a_redirect_is_kept(location: str, kept: str | None) -> None:
    assert facts(page("", "302 Found", f"Location: {location}")).location == kept


def test_a_title_is_kept_without_what_names_a_person() -> None:
    body = "<html><TITLE lang=fr>\n Bienvenue 198.51.100.7,\n 0612345678 et 00:11:22:33:44:55 </TITLE>"
    seen = got(page(body))
    assert seen.last.http is not None
    assert seen.last.http.title == "Bienvenue […], […] et […]"
    text = msgspec.json.encode(seen.observations).decode()
    assert not any(private in text for private in ("198.51.100.7", "0612345678", "00:11"))


def test_a_title_is_short() -> None:
    assert len(facts(page(f"<title>{'x ' * 400}</title>")).title or "") == 100


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (DATE, DATE_MS),
        ("Mon, 23 Nov 2026 09:10:11 -0000", DATE_MS),
        ("Mon, 23 Nov 2026 09:10:11", DATE_MS),
        ("Mon, 23 Nov 2026 10:10:11 +0100", DATE_MS),
        ("yesterday", None),
        ("", None),
        ("Mon, 99 Nov 2026 09:10:11 GMT", None),
        ("Mon, 23 Nov 99999 09:10:11 GMT", None),
    ],
)
def test_the_servers_date(date: str, expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Africa/Casablanca")
    assert facts(page("", "204 No Content", f"Date: {date}")).date_ms == expected


PRINTS = (
    Fingerprint(name="first", country="XL", pattern="blocked by order", source="x", date="2026"),
    Fingerprint(name="second", country="XL", pattern="block.operator.example", source="x", date="2026"),
)


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        (page("<p>This was blocked by order of</p>"), "first"),
        (page("", "302 Found", "Location: http://block.operator.example/?u=1"), "second"),
        (page("x" * 16_380 + "blocked by order" + "x" * 9_000), None),  # behind what is read
        (page("innocent"), None),
    ],
)
def test_a_known_block_page_is_named(reply: bytes, name: str | None) -> None:
    dialer = ScriptedDialer({KEY: Tcp([reply])})
    seen = run(shake(instruments(dialer, fingerprints=PRINTS), PORTAL))
    assert seen.last.http is not None
    assert seen.last.http.fingerprint == name


def test_the_servers_name_is_kept_clean() -> None:
    assert facts(page("", "200 OK", "Server: proxy at 198.51.100.7")).server == "proxy at […]"


# --- Over TLS -------------------------------------------------------------------------------------------------


async def over_tls(server: Caddy, authority: Authority, name: str = "web.example", **expect: Any) -> Outcome:
    wall_ms = int(datetime.now(UTC).timestamp() * 1000)
    tools = instruments(SocketDialer(), trust=Trust(authority.pem, {}), wall_ms=lambda: wall_ms)
    where = endpoint(
        "http", "web.example", server.https_port, transport=Transport.TLS, address=server.address,
        server_name=name, expect=Expect(**expect),
    )  # fmt: skip
    return await shake(tools, where)


@pytest.mark.needs("caddy")
async def test_over_tls_the_certificate_says_who_answers(caddy_server: Caddy, authority: Authority) -> None:
    seen = await over_tls(caddy_server, authority, status=200, body="hello")
    assert (seen.failure, seen.grade) == (None, Grade.BOUND)
    assert [each.step for each in seen.observations] == [Step.TCP, Step.TLS, Step.HTTP]
    assert seen.last.http is not None
    assert (seen.last.http.status, seen.last.http.server) == (200, "Caddy")
    assert seen.observations[1].tls is not None
    assert seen.observations[1].tls.alpn == "http/1.1"


@pytest.mark.needs("caddy")
async def test_over_tls_another_answer_or_a_forger_proves_nothing(caddy_server: Caddy, authority: Authority) -> None:
    other = await over_tls(caddy_server, authority, status=204)
    assert (other.grade, other.failure, other.last.step) == (None, "http_unexpected_status_code", Step.HTTP)
    forged = await over_tls(caddy_server, Authority.create("Another"), status=200)
    assert (forged.grade, forged.failure, forged.last.step) == (None, "ssl_unknown_authority", Step.TLS)
    wrong = await over_tls(caddy_server, authority, name="nobody.example")
    assert (wrong.grade, wrong.last.step) == (None, Step.TLS)


# --- Without end, and without sense ---------------------------------------------------------------------------

CHUNK = b"1000\r\n" + b"a" * 4096 + b"\r\n"


def test_an_endless_body_is_read_up_to_a_bound() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    seen = got(head, *[CHUNK] * 100)
    assert seen.failure == "http_unexpected_status_code"
    assert seen.last.bytes_received < 20_000


def test_a_large_body_is_read_up_to_a_bound() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"
    assert got(head, *[b"b" * 1000] * 100).last.bytes_received < 20_000


def test_an_endless_header_is_refused() -> None:
    seen = got(b"HTTP/1.1 200 OK\r\nX: ", *[b"x" * 10_000] * 100)
    assert seen.failure == "http_request_failed"
    assert seen.last.bytes_received < 100_000


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x00\xff", b"SSH-2.0-x\r\n\r\n", b"HTTP/9.9 abc\r\n\r\n", b"\r\n" * 9 + b"x\r\n\r\n"]
)
def test_garbage_is_no_http(garbage: bytes) -> None:
    seen = got(garbage, b"")
    assert seen.failure in ("http_request_failed", "eof_error")
    assert (seen.grade, seen.last.operation, seen.last.http) == (None, Operation.READ, None)


def test_an_early_end_is_told_from_garbage() -> None:
    assert got(b"").failure == "eof_error"
    assert got(b"HTTP/1.1 20", b"").failure == "eof_error"
    assert got(page("success")[:-3], b"").failure == "http_request_failed"


@pytest.mark.parametrize(
    ("turn", "failure"), [([ConnectionResetError(104, "x")], "connection_reset"), ([], "generic_timeout_error")]
)
def test_reset_and_silence(turn: Turn, failure: str) -> None:
    seen = got(tcp=Tcp(turn))
    assert (seen.failure, seen.last.operation, seen.last.step) == (failure, Operation.READ, Step.HTTP)
    assert seen.last.bytes_sent > 50


@pytest.mark.parametrize(
    ("behind", "failure"),
    [
        (ConnectionResetError(104, "x"), "connection_reset"),
        (b"", "http_request_failed"),
        (b"zz\r\n", "http_request_failed"),
    ],
)
def test_a_block_page_with_a_break_behind_it_is_kept(behind: Now, failure: str) -> None:
    head = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n<title>Blocked</title>\r\n"
    seen = got(head, behind)
    assert (seen.failure, seen.last.operation) == (failure, Operation.READ)
    assert seen.last.http == HttpFacts(status=403, title="Blocked")


def test_what_is_said_before_the_answer_is_passed_over() -> None:
    assert got(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", NO_CONTENT).grade is Grade.TRANSPORT


def test_a_body_until_the_end_of_the_stream() -> None:
    assert got(b"HTTP/1.0 200 OK\r\n\r\nsuccess", b"", where=SUCCESS).grade is Grade.TRANSPORT


@settings(max_examples=80)
@given(st.binary(max_size=200))
def test_no_answer_raises(data: bytes) -> None:
    for reply in (data, NO_CONTENT[:-2] + data, page(data.decode("latin-1"))):
        assert not (got(reply, b"").failure or "").startswith("unknown_failure")


@settings(max_examples=80)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_no_header_raises(text: str) -> None:
    reply = page("", "302 Found", f"Location: {text}", f"Date: {text}", f"Server: {text}")
    assert not (got(reply).failure or "").startswith("unknown_failure")
