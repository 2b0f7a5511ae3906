"""TLS against real servers on loopback: what is proved, and what is kept of what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace
from OpenSSL import SSL

from probe.handshakes import HANDSHAKES
from probe.handshakes.tls import as_long_as
from probe.handshakes.trace import Trace
from probe.model import Expect, Grade, Operation, Step, TlsFacts
from probe.net.dialer import SocketDialer
from probe.net.record import StepRecord
from probe.secure.tls import TlsStream, alert_of
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, endpoint, instruments, scripted_shake, shake
from tests.probe.tls_server import Answer, after_hello, context_of, serving, until_closed
from tests.scripted import ScriptedDialer, Tcp
from tests.servers.certificates import DAY, Authority, Leaf

PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))
COPYIST = Authority.create("Public root")  # in name only
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)
DAY_MS = 86_400_000
ALERT = bytes.fromhex("15030300020250")  # fatal, internal_error
GARBAGE = b"HTTP/1.1 403 Forbidden\r\n\r\n"


def tools(**changes: Any) -> Any:
    trust = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})
    return instruments(SocketDialer(), **{"trust": trust, "wall_ms": lambda: NOW_MS, **changes})


async def shaken(leaf: Leaf, directory: Path, where: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    """A handshake with a server that shows this certificate."""
    async with serving(until_closed, context_of(leaf, directory)) as port:
        given = {"server_name": "chat.example", **(where or {})}
        return await shake(tools(**changes), endpoint("tls", "127.0.0.1", port, **given))


async def broken(answer: Answer, **changes: Any) -> Outcome:
    async with serving(answer) as port:
        where = endpoint("tls", "127.0.0.1", port, server_name="chat.example")
        return await shake(tools(**{"scale": 0.005, **changes}), where)


def hashes_of(leaf: Leaf) -> tuple[str, str]:
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    return (
        hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        hashlib.sha256(certificate.issuer.public_bytes()).hexdigest(),
    )


async def test_a_public_root_is_bound(tmp_path: Path) -> None:
    leaf = PUBLIC.leaf("chat.example")
    seen = await shaken(leaf, tmp_path)
    facts = seen.last.tls
    assert (seen.grade, [each.step for each in seen.observations]) == (Grade.BOUND, [Step.TCP, Step.TLS])
    assert facts is not None
    assert (facts.version, facts.cipher, facts.alert) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", None)
    assert (facts.leaf_sha256, facts.issuer_sha256) == hashes_of(leaf)
    assert seen.last.operation is None


async def test_the_pinned_authority_is_crypto(tmp_path: Path) -> None:
    seen = await shaken(OWN.leaf("chat.example"), tmp_path, {"ca": "service"})
    assert seen.grade is Grade.CRYPTO


@pytest.mark.parametrize(("asked", "agreed"), [("apns-security-v3", "apns-security-v3"), ("other", None), (None, None)])
async def test_an_application_protocol_is_asked_for(asked: str | None, agreed: str | None, tmp_path: Path) -> None:
    context = context_of(PUBLIC.leaf("chat.example"), tmp_path)
    context.set_alpn_protocols(["apns-security-v3"])
    async with serving(until_closed, context) as port:
        where = endpoint("tls", "127.0.0.1", port, server_name="chat.example", expect=Expect(alpn=asked))
        seen = await shake(tools(), where)
    assert (seen.grade, seen.last.tls and seen.last.tls.alpn) == (Grade.BOUND, agreed)


async def test_the_hello_fits_one_segment_and_is_counted(tmp_path: Path) -> None:
    tcp, tls = (await shaken(PUBLIC.leaf("chat.example"), tmp_path)).observations
    assert tls.tls is not None
    assert 150 < tls.tls.hello_bytes < 1200
    assert (tcp.bytes_sent, tcp.bytes_received) == (0, 0)
    assert tls.bytes_sent > tls.tls.hello_bytes
    assert tls.bytes_received > 500


async def test_no_session_is_resumed(tmp_path: Path) -> None:
    """A server's ticket is heard and forgotten: the next hello is as long as the first, and the certificate comes."""

    async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")  # which comes behind the tickets of TLS 1.3
        await reader.read()

    hellos, chains = [], []
    async with serving(greeted, context_of(PUBLIC.leaf("chat.example"), tmp_path)) as port:
        for _ in range(2):
            trace = Trace(tools())
            async with trace.step(Step.TLS, 10) as record:
                inside = TlsStream(await trace.tcp(record, "127.0.0.1", port), "chat.example")
                await inside.shake_hands(record)
                assert await inside.receive() == b"hello"
                hellos.append((record.kept(TlsFacts) or TlsFacts()).hello_bytes)
                chains.append(len(inside.chain))
            trace.close()
    assert hellos[0] == hellos[1] > 0
    assert chains == [1, 1]


async def test_the_longest_name_still_fits_one_segment(tmp_path: Path) -> None:
    name = ".".join(["x" * 62] * 4)
    seen = await shaken(PUBLIC.leaf("chat.example"), tmp_path, {"server_name": name})
    assert seen.last.tls is not None
    assert 400 < seen.last.tls.hello_bytes < 1200


async def test_tls_1_2(tmp_path: Path) -> None:
    leaf = PUBLIC.leaf("chat.example")
    context = context_of(leaf, tmp_path, maximum_version=ssl.TLSVersion.TLSv1_2)
    async with serving(until_closed, context) as port:
        seen = await shake(tools(), endpoint("tls", "127.0.0.1", port, server_name="chat.example"))
    assert seen.grade is Grade.BOUND
    assert seen.last.tls is not None
    assert (seen.last.tls.version, seen.last.tls.leaf_sha256) == ("TLSv1.2", hashes_of(leaf)[0])


@pytest.mark.parametrize(
    ("make", "failure"),
    [
        (lambda: PUBLIC.leaf("other.example"), "ssl_invalid_hostname"),
        (lambda: FORGER.leaf("chat.example"), "ssl_unknown_authority"),
        (lambda: OWN.leaf("chat.example"), "ssl_unknown_authority"),
        (lambda: PUBLIC.leaf("chat.example", lasts=DAY / 2), "ssl_invalid_certificate"),
    ],
)
async def test_a_certificate_that_is_refused_is_kept(make: Callable[[], Leaf], failure: str, tmp_path: Path) -> None:
    leaf = make()
    seen = await shaken(leaf, tmp_path)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, Operation.VERIFY)
    assert seen.last.tls is not None
    assert (seen.last.tls.leaf_sha256, seen.last.tls.issuer_sha256) == hashes_of(leaf)
    assert seen.last.tls.version == "TLSv1.3"


async def test_a_copied_name_is_kept_as_a_contradiction(tmp_path: Path) -> None:
    for authority, contradicted in ((COPYIST, True), (FORGER, False)):
        seen = await shaken(authority.leaf("chat.example"), tmp_path)
        assert seen.failure == "ssl_unknown_authority"
        assert seen.last.tls is not None
        assert seen.last.tls.contradicted is contradicted


async def test_a_certificate_that_cannot_be_read_is_nobodys_and_is_kept(tmp_path: Path) -> None:
    leaf = PUBLIC.leaf("chat.example")
    der = x509.load_pem_x509_certificate(leaf.certificate).public_bytes(Encoding.DER)
    odd = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)  # of version 8
    seen = await shaken(Leaf(ssl.DER_cert_to_PEM_cert(odd).encode(), leaf.key), tmp_path)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, "ssl_unknown_authority", Operation.VERIFY)
    assert seen.last.tls is not None
    assert seen.last.tls.leaf_sha256 == hashlib.sha256(odd).hexdigest()


async def test_a_clock_that_is_fast_expires_nothing_once_it_is_known(tmp_path: Path) -> None:
    leaf = PUBLIC.leaf("chat.example")  # from yesterday, for 90 days
    fast: dict[str, Any] = {"wall_ms": lambda: NOW_MS + 400 * DAY_MS}
    assert (await shaken(leaf, tmp_path, **fast)).failure == "ssl_invalid_certificate"
    assert (await shaken(leaf, tmp_path, **fast, clock_offset_ms=-400 * DAY_MS)).grade is Grade.BOUND


async def test_a_certificate_that_the_device_would_take_expires_at_the_corrected_time(tmp_path: Path) -> None:
    leaf = PUBLIC.leaf("chat.example", since=datetime.now(UTC) - DAY * 0.9, lasts=DAY * 0.5)
    slow: dict[str, Any] = {"wall_ms": lambda: NOW_MS - DAY_MS * 3 // 4}
    assert (await shaken(leaf, tmp_path, **slow)).grade is Grade.BOUND
    assert (await shaken(leaf, tmp_path, **slow, clock_offset_ms=DAY_MS * 3 // 4)).failure == "ssl_invalid_certificate"


async def sni_seen(directory: Path, host: str, **more: Any) -> tuple[list[str | None], Outcome]:
    names: list[str | None] = []
    context = context_of(PUBLIC.leaf("chat.example", "127.0.0.1"), directory)
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    async with serving(until_closed, context) as port:
        seen = await shake(tools(), endpoint("tls", host, port, address="127.0.0.1", **more))
    return names, seen


async def test_the_name_is_sent_and_verified(tmp_path: Path) -> None:
    names, seen = await sni_seen(tmp_path, "chat.example")
    assert (names, seen.grade) == (["chat.example"], Grade.BOUND)
    names, seen = await sni_seen(tmp_path, "edge.example", server_name="chat.example")
    assert (names, seen.grade) == (["chat.example"], Grade.BOUND)


async def test_an_address_is_verified_and_not_sent_as_a_name(tmp_path: Path) -> None:
    names, seen = await sni_seen(tmp_path, "127.0.0.1")
    assert (names, seen.grade) == ([None], Grade.BOUND)


# --- Breaking off ---------------------------------------------------------------------------------------------


async def test_a_reset_after_the_hello() -> None:
    seen = await broken(after_hello(None, reset=True), scale=1.0)
    assert (seen.failure, seen.last.step, seen.last.operation) == ("connection_reset", Step.TLS, Operation.READ)
    assert seen.last.tls is not None
    assert seen.last.bytes_sent == seen.last.tls.hello_bytes > 0
    assert (seen.last.bytes_received, seen.last.tls.leaf_sha256) == (0, None)


async def test_silence_after_the_hello() -> None:
    seen = await broken(after_hello(None))
    assert (seen.failure, seen.last.operation) == ("generic_timeout_error", Operation.READ)
    assert (seen.last.packets_sent, seen.last.bytes_received) == (1, 0)
    assert seen.last.tls is not None
    assert seen.last.tls.hello_acknowledged  # it arrived: only the reply is missing


async def test_the_end_after_the_hello() -> None:
    seen = await broken(after_hello(b""), scale=1.0)
    assert (seen.failure, seen.last.operation) == ("eof_error", Operation.READ)


async def test_garbage_after_the_hello() -> None:
    seen = await broken(after_hello(GARBAGE), scale=1.0)
    assert (seen.failure, seen.last.operation) == ("ssl_failed_handshake", Operation.READ)
    assert seen.last.tls is not None
    assert (seen.last.tls.alert, seen.last.bytes_received) == (None, len(GARBAGE))


async def test_an_alert_after_the_hello() -> None:
    seen = await broken(after_hello(ALERT), scale=1.0)
    assert seen.failure == "ssl_failed_handshake"
    assert seen.last.tls is not None
    assert seen.last.tls.alert is not None
    assert "alert internal error" in seen.last.tls.alert


RFC_8446 = (10, 20, 22, 40, *range(42, 52), 70, 71, 80, 86, 90, 109, 110, 112, 113, 115, 116, 120)


@pytest.mark.parametrize("code", RFC_8446)
def test_every_alert_is_told_from_other_ends(code: int) -> None:
    dialer = ScriptedDialer({("tcp", "203.0.113.4", 443): Tcp([ALERT[:6] + bytes([code]), b""])})
    seen = scripted_shake(dialer, endpoint("tls", port=443, server_name="chat.example"))
    assert seen.last.tls is not None
    if code == 90:  # user_canceled is a warning, after which the end follows
        assert seen.failure in ("ssl_failed_handshake", "eof_error")
    else:
        assert (seen.failure, bool(seen.last.tls.alert)) == ("ssl_failed_handshake", True)


@pytest.mark.parametrize("code", [0, 177, 255])
def test_no_other_alert_raises(code: int) -> None:
    dialer = ScriptedDialer({("tcp", "203.0.113.4", 443): Tcp([ALERT[:6] + bytes([code]), b""])})
    seen = scripted_shake(dialer, endpoint("tls", port=443, server_name="chat.example"))
    assert seen.failure in ("ssl_failed_handshake", "eof_error")


async def test_half_a_hello_from_the_server_then_the_end() -> None:
    seen = await broken(after_hello(bytes.fromhex("160303007a0200")), scale=1.0)
    assert seen.failure == "eof_error"
    assert seen.last.bytes_received == 7


def test_what_is_not_accepted_fails_at_tcp() -> None:
    dialer = ScriptedDialer({("tcp", "203.0.113.4", 443): Tcp(refuses=ConnectionRefusedError(111, "x"))})
    seen = scripted_shake(dialer, endpoint("tls", port=443))
    assert [each.step for each in seen.observations] == [Step.TCP]
    assert seen.failure == "connection_refused"


async def test_a_cancelled_handshake_is_interrupted_and_closed() -> None:
    trace, said = Trace(tools()), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        said.set()
        await reader.read()

    async with serving(listen) as port:
        work = HANDSHAKES["tls"](trace, endpoint("tls", "127.0.0.1", port, server_name="chat.example"))
        task = asyncio.ensure_future(work)
        await said.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    tcp, tls = trace.observations()
    assert (tcp.failure, tls.failure) == (None, "interrupted")


# --- As a stream ----------------------------------------------------------------------------------------------


async def test_what_is_inside_is_carried_both_ways(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        await writer.drain()
        writer.close()

    async with serving(echo, context_of(PUBLIC.leaf("chat.example"), tmp_path)) as port:
        secured = TlsStream(await SocketDialer().tcp("127.0.0.1", port), "chat.example", alpn=["h2"])
        record = StepRecord(Step.TLS, 0.0)
        await secured.shake_hands(record)
        await secured.send(b"hello")
        assert await secured.receive() == b"HELLO"
        assert await secured.receive() == b""
        tls = record.kept(TlsFacts)
        assert tls is not None
        assert secured.counters.bytes_sent > tls.hello_bytes
        secured.close()


async def test_a_stream_that_is_cut_off_ends(tmp_path: Path) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    async with serving(cut, context_of(PUBLIC.leaf("chat.example"), tmp_path)) as port:
        secured = TlsStream(await SocketDialer().tcp("127.0.0.1", port), "chat.example")
        await secured.shake_hands(StepRecord(Step.TLS, 0.0))
        await secured.send(b"hello")
        assert await secured.receive() == b""
        secured.close()


# --- The same hello with another name -----------------------------------------------------------------------------


@pytest.mark.parametrize("server_name", ["chat.example", "web.whatsapp.example", "t.me", "a.b"])
def test_another_name_is_nobodys_and_as_long_where_it_can_be(server_name: str) -> None:
    other = as_long_as(server_name)
    assert other == "example.com" or other.endswith(".example.com")
    assert len(other) == len(server_name) or len(server_name) < 13
    assert len(as_long_as("a" * 200 + ".example")) <= 63 + 1 + len("example.com")


HANDSHAKE_RECORD = bytes.fromhex("160303000102")  # whatever it says
OTHER_NAMES = [
    pytest.param(ALERT, Grade.TRANSPORT, None, id="an alert: the server knows only its own names"),
    pytest.param(HANDSHAKE_RECORD, Grade.TRANSPORT, None, id="a handshake message"),
    pytest.param(GARBAGE, None, "unexpected_reply", id="a page"),
    pytest.param(b"", None, "eof_error", id="the end"),
    pytest.param(None, None, "generic_timeout_error", id="silence"),
]


@pytest.mark.parametrize(("answer", "grade", "failure"), OTHER_NAMES)
async def test_another_name_is_done_with_the_first_of_tls(answer: bytes | None, grade: Any, failure: Any) -> None:
    async with serving(after_hello(answer)) as port:
        where = endpoint("tls", "127.0.0.1", port, server_name="chat.example")
        seen = await shake(tools(scale=0.005 if answer is None else 0.5), replace(where, handshake="tls-other-name"))
    assert (seen.grade, seen.failure) == (grade, failure)
    assert [each.step for each in seen.observations] == [Step.TCP, Step.TLS]


async def test_another_name_differs_from_the_services_hello_in_nothing_else(tmp_path: Path) -> None:
    """Its own certificate it need not show: nothing is verified."""
    name, sizes = "chat.service.example", []
    async with serving(until_closed, context_of(FORGER.leaf("other.example"), tmp_path)) as port:
        where = endpoint("tls", "127.0.0.1", port, server_name=name, expect=Expect(alpn="apns"))
        for handshake, grade in (("tls", None), ("tls-other-name", Grade.TRANSPORT)):
            seen = await shake(tools(), replace(where, handshake=handshake))
            assert seen.grade is grade
            assert seen.last.tls is not None
            sizes.append(seen.last.tls.hello_bytes)
    assert len(set(sizes)) == 1


@pytest.mark.parametrize(
    ("error", "alert"),
    [
        (SSL.Error([("SSL routines", "", "tlsv1 alert internal error")]), "tlsv1 alert internal error"),
        (SSL.Error([("SSL routines", "", "wrong version number")]), None),
        (SSL.Error([]), None),
        (SSL.Error(), None),
        (SSL.SysCallError(-1, "Unexpected EOF"), None),  # a number, and no queue
    ],
)
def test_an_alert_is_found_in_whatever_openssl_raises(error: SSL.Error, alert: str | None) -> None:
    assert alert_of(error) == alert
