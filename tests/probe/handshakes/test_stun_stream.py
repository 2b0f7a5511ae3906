"""STUN and TURN over TCP and TLS: against scripts, a real coturn, and servers that are not the service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.codecs.stun import Address, parse
from probe.model import Endpoint, Expect, Grade, Operation, Step, StunFacts, Transport
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import (
    Outcome,
    endpoint,
    framed,
    instruments,
    patched,
    refusal,
    scripted_shake,
    shake,
    stun_reply,
)
from tests.probe.tls_server import context_of, serving
from tests.scripted import Later, Now, ScriptedDialer, Tcp
from tests.servers.certificates import Authority, Leaf
from tests.servers.coturn import Coturn

HOST = "203.0.113.4"
SUCCESS = stun_reply(("XOR-MAPPED-ADDRESS", Address("198.18.77.66", 50123)))
MARK = Expect(realm="relay.example")
SERVICE, PUBLIC, FORGER = (Authority.create(name) for name in ("The service's own", "Public root", "A censor"))
PORTAL = b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"


def over_tcp(handshake: str, expect: Expect = MARK) -> Endpoint:
    known = expect if handshake.startswith("turn") else Expect()
    return endpoint(handshake, HOST, 443, transport=Transport.TCP, expect=known)


def asked(handshake: str, *replies: Now | Later, always: Any = ()) -> tuple[Outcome, ScriptedDialer]:
    dialer = ScriptedDialer({("tcp", HOST, 443): Tcp(list(replies), always=always)})
    seen = scripted_shake(dialer, over_tcp(handshake))
    assert dialer.still_open == []
    return seen, dialer


# --- Over TCP -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("handshake", "reply"), [("stun", SUCCESS), ("stun-4571", framed(SUCCESS))])
def test_a_binding_is_bound(handshake: str, reply: Now) -> None:
    seen, dialer = asked(handshake, reply)
    assert (seen.grade, [each.step for each in seen.observations]) == (Grade.BOUND, [Step.TCP, Step.STUN])
    assert seen.last.stun == StunFacts()  # our own end of a connection is not known: nothing to compare with
    assert len(dialer.sent) == 1


@pytest.mark.parametrize(
    ("handshake", "reply"), [("turn", refusal(401)), ("turn-4571", framed(patched("facebook-allocate-401")))]
)
def test_an_allocate_is_refused_with_the_mark(handshake: str, reply: Now) -> None:
    seen, _ = asked(handshake, reply)
    assert seen.last.stun is not None
    marked = seen.last.stun.realm == "relay.example"
    assert (seen.grade, seen.last.step) == (Grade.MARKED if marked else Grade.BOUND, Step.TURN)


def test_what_is_sent_is_one_request_in_its_framing() -> None:
    _, bare = asked("turn", refusal(401))
    _, prefixed = asked("turn-4571", framed(refusal(401)))
    assert parse(bare.sent[0].data) == parse(prefixed.sent[0].data[2:])
    assert prefixed.sent[0].data[:2] == b"\x00\x1c"


def test_nothing_is_sent_twice_over_tcp() -> None:
    seen, dialer = asked("stun")
    assert (seen.failure, seen.last.operation, len(dialer.sent)) == ("generic_timeout_error", Operation.READ, 1)


def test_a_reply_in_pieces_behind_one_that_is_not_ours() -> None:
    stranger = patched("viber-allocate-401")(bytes(20))

    def late(request: bytes) -> bytes:
        return refusal(401)(request)[30:]

    seen, _ = asked("turn", stranger, lambda request: refusal(401)(request)[:30], Later(0.5, late))
    assert (seen.grade, seen.last.stun and seen.last.stun.unmatched) == (Grade.MARKED, 1)


def test_another_realm_is_only_bound_over_tcp_too() -> None:
    assert asked("turn", refusal(401, "forged.example"))[0].grade is Grade.BOUND


# --- Impostors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handshake", ["stun", "stun-4571", "turn", "turn-4571"])
@pytest.mark.parametrize(
    ("impostor", "failures"),
    [
        ([PORTAL], {"unexpected_reply"}),
        ([b""], {"eof_error"}),
        ([ConnectionResetError(104, "x")], {"connection_reset"}),
        ([lambda request: request, b""], {"eof_error"}),  # an echo
        ([b"\x00\x00" * 40, b""], {"unexpected_reply", "eof_error"}),
    ],
)
def test_who_is_not_the_service_proves_nothing(handshake: str, impostor: list[Now], failures: set[str]) -> None:
    seen, _ = asked(handshake, *impostor)
    assert seen.grade is None
    assert seen.failure in failures


@pytest.mark.parametrize("handshake", ["turn", "turn-4571"])
def test_a_portal_is_told_from_silence_at_its_first_bytes(handshake: str) -> None:
    seen, _ = asked(handshake, PORTAL)
    assert (seen.failure, seen.last.operation) == ("unexpected_reply", Operation.READ)


@pytest.mark.parametrize("handshake", ["stun", "turn-4571"])
def test_a_replayed_reply_is_not_ours(handshake: str) -> None:
    replayed = refusal(401)(b"\x00\x03\x00\x00\x21\x12\xa4\x42" + bytes(12))
    wire = replayed if handshake == "stun" else len(replayed).to_bytes(2) + replayed
    seen, _ = asked(handshake, wire, b"")
    assert (seen.grade, seen.failure, seen.last.stun) == (None, "eof_error", StunFacts(unmatched=1))


@settings(max_examples=60, deadline=None)
@given(replies=st.lists(st.binary(min_size=1, max_size=80), max_size=4), prefixed=st.booleans())
def test_whatever_comes_is_recorded_as_one_failure(replies: list[bytes], prefixed: bool) -> None:
    seen, _ = asked("turn-4571" if prefixed else "turn", *replies, b"")
    assert seen.failure in ("unexpected_reply", "eof_error")


# --- Over TLS -------------------------------------------------------------------------------------------------


async def over_tls(leaf: Leaf, directory: Path, reply: Now, **where: Any) -> Outcome:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(100)
        writer.write(reply(request) if callable(reply) else reply)  # type: ignore[arg-type]
        await writer.drain()
        await reader.read()

    trust = Trust(PUBLIC.pem, {"service": SERVICE.pem.decode()})
    tools = instruments(SocketDialer(), trust=trust, wall_ms=lambda: int(datetime.now(UTC).timestamp() * 1000))
    async with serving(answer, context_of(leaf, directory)) as port:
        given = {"server_name": "relay.example", "transport": Transport.TLS, "expect": MARK, **where}
        return await shake(tools, endpoint("turn", "127.0.0.1", port, **given))


async def test_what_the_certificate_proves_is_proved_for_the_whole(tmp_path: Path) -> None:
    pinned = await over_tls(SERVICE.leaf("relay.example"), tmp_path, refusal(401, "other.example"), ca="service")
    assert (pinned.grade, [each.step for each in pinned.observations]) == (
        Grade.CRYPTO,
        [Step.TCP, Step.TLS, Step.TURN],
    )
    public = await over_tls(PUBLIC.leaf("relay.example"), tmp_path, refusal(401))
    assert public.grade is Grade.MARKED
    other = await over_tls(PUBLIC.leaf("relay.example"), tmp_path, refusal(401, "other.example"))
    assert other.grade is Grade.BOUND


@pytest.mark.parametrize(
    ("leaf", "failure"),
    [
        (FORGER.leaf("relay.example"), "ssl_unknown_authority"),
        (PUBLIC.leaf("other.example"), "ssl_invalid_hostname"),
    ],
)
async def test_a_certificate_that_is_not_the_services_ends_it_before_anything_is_said(
    leaf: Leaf, failure: str, tmp_path: Path
) -> None:
    seen = await over_tls(leaf, tmp_path, refusal(401))
    assert (seen.grade, seen.failure, seen.last.step) == (None, failure, Step.TLS)


# --- A real relay ---------------------------------------------------------------------------------------------


@pytest.mark.needs("coturn")
@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])
@pytest.mark.parametrize(("handshake", "grade"), [("stun", Grade.BOUND), ("turn", Grade.MARKED)])
async def test_coturn_answers(
    transport: Transport, handshake: str, grade: Grade, coturn_server: Coturn, authority: Authority
) -> None:
    port = coturn_server.tls_port if transport is Transport.TLS else coturn_server.port
    tools = instruments(
        SocketDialer(),
        trust=Trust(authority.pem, {}),
        wall_ms=lambda: int(datetime.now(UTC).timestamp() * 1000),
    )
    expect = Expect(realm=coturn_server.realm) if handshake == "turn" else Expect()
    where = endpoint(
        handshake, coturn_server.address, port, transport=transport, expect=expect, server_name="relay.example"
    )
    seen = await shake(tools, where)
    assert (seen.failure, seen.grade) == (None, grade)
    assert seen.last.stun is not None
    assert seen.last.stun.fingerprint
