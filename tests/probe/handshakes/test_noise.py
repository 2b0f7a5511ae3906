"""WhatsApp's Noise against a server on another implementation, and against everybody who is not that server."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.failure import (
    CERTIFICATE_FAILURES,
    EOF,
    RESET,
    TIMEOUT,
    TLS_AUTHORITY,
    TLS_CERTIFICATE,
    UNEXPECTED_REPLY,
)
from probe.model import Expect, Fingerprint, Grade, HttpFacts, Operation, Step
from tests.probe.builders import NOW_MS, Outcome, endpoint, scripted_shake
from tests.scripted import Later, ScriptedDialer, Tcp, Turn
from tests.servers.noise import DAY, SEED, Chat, Identity, Signer, identity, replayed
from tests.servers.streams import PORTAL

HOST, PORT = "203.0.113.4", 5222
ROOT = Signer(SEED)
KEYS = Expect(keys=(ROOT.public.hex(),))
SINCE = NOW_MS / 1000 - DAY
GENUINE = identity(ROOT, SINCE)


def network(*turns: Turn, **more: object) -> ScriptedDialer:
    return ScriptedDialer({("tcp", HOST, PORT): Tcp(*turns, **more)})  # type: ignore[arg-type]


def served(who: Identity) -> Callable[[bytes], bytes]:
    return lambda request: Chat(who).receive(request)


def shake(dialer: ScriptedDialer, handshake: str = "noise", expect: Expect = KEYS, **changes: object) -> Outcome:
    return scripted_shake(dialer, endpoint(handshake, HOST, PORT, expect=expect), **changes)


@pytest.mark.parametrize("handshake", ["noise", "noise-routed"])
def test_the_genuine_server_is_proved(handshake: str) -> None:
    dialer = network([served(GENUINE)])
    seen = shake(dialer, handshake)
    assert (seen.grade, seen.failure) == (Grade.CRYPTO, None)
    assert [each.step for each in seen.observations] == [Step.TCP, Step.NOISE]
    (sent,) = dialer.sent
    assert sent.data.startswith(b"ED\0\1" if handshake == "noise-routed" else b"WA\5\3")
    assert dialer.still_open == []


def test_what_is_kept() -> None:
    """Of what a server showed, hashes; of the volunteer, nothing."""
    seen = shake(network([served(GENUINE)]))
    assert seen.last.noise is not None
    assert len(seen.last.noise.leaf_sha256 or "") == len(seen.last.noise.issuer_sha256 or "") == 64
    assert (seen.last.bytes_sent, seen.last.bytes_received) == (43, 349)
    text = msgspec.json.encode(seen.observations).decode()
    assert GENUINE.static.public_key().public_bytes_raw().hex() not in text


def test_any_key_of_several() -> None:
    assert shake(network([served(GENUINE)]), expect=Expect(keys=("00" * 32, *KEYS.keys))).grade is Grade.CRYPTO


def test_without_a_key_to_expect_it_is_only_bound() -> None:
    assert shake(network([served(GENUINE)]), expect=Expect()).grade is Grade.BOUND


def test_a_hello_in_pieces() -> None:
    chat = Chat(GENUINE)
    whole: list[bytes] = []

    def first(request: bytes) -> bytes:
        whole.append(chat.receive(request))
        return whole[0][:100]

    assert shake(network([first, Later(1.0, lambda _: whole[0][100:])])).grade is Grade.CRYPTO


@pytest.mark.parametrize(
    "who",
    [
        identity(Signer(os.urandom(32)), SINCE),
        identity(ROOT, SINCE, issuer=1),
        identity(ROOT, SINCE, leaf_issuer=1),
        identity(ROOT, SINCE, leaf_key=bytes(32)),
        Identity(Signer(os.urandom(32)).private, GENUINE.chain),
    ],
    ids=["another root", "another issuer", "another intermediate", "another key", "a copied chain"],
)
def test_an_impostor_with_keys_of_its_own(who: Identity) -> None:
    seen = shake(network([served(who)]))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, TLS_AUTHORITY, Operation.VERIFY)
    assert seen.last.noise is not None
    assert seen.failure in CERTIFICATE_FAILURES  # somebody answered


@pytest.mark.parametrize("since", [NOW_MS / 1000 - 60 * DAY, NOW_MS / 1000 + DAY])
def test_certificates_out_of_date(since: float) -> None:
    seen = shake(network([served(identity(ROOT, since))]))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, TLS_CERTIFICATE, Operation.VERIFY)


def test_the_date_is_the_corrected_one() -> None:
    """A device that is 60 days ahead, and knows it."""
    dialer = network([served(identity(ROOT, SINCE - 60 * DAY))])
    assert shake(dialer, clock_offset_ms=-60 * DAY * 1000).grade is Grade.CRYPTO


@pytest.mark.parametrize(
    ("reply", "operation"),
    [
        (replayed(GENUINE), Operation.DECODE),
        (b"\x16\x03\x03\x00\x07\x15\x03\x03\x00\x02\x02\x28", Operation.DECODE),
        (bytes(range(256)) * 2, Operation.DECODE),
        (b"\0\0\0", Operation.DECODE),
        (b"SSH-2.0-x\r\n", Operation.DECODE),
    ],
    ids=["a recording", "TLS", "junk", "an empty frame", "another protocol"],
)
def test_what_is_not_the_answer(reply: bytes, operation: Operation) -> None:
    seen = shake(network([reply]))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, UNEXPECTED_REPLY, operation)
    assert seen.last.noise is None


def test_a_portal_is_told_by_its_page() -> None:
    seen = shake(network([PORTAL, b""]))
    assert (seen.grade, seen.failure) == (None, UNEXPECTED_REPLY)
    assert seen.last.http == HttpFacts(status=400, title="Please log in")


def test_a_block_page_is_known_also_when_it_keeps_the_connection_open() -> None:
    prints = (Fingerprint(name="wall", country="ZZ", pattern="wall.example", source="s", date="2026"),)
    page = b"HTTP/1.1 302 Found\r\nLocation: http://wall.example/x\r\nContent-Length: 9\r\n\r\n"
    seen = shake(network([page]), fingerprints=prints)
    assert (seen.failure, seen.last.http and seen.last.http.fingerprint) == (UNEXPECTED_REPLY, "wall")
    assert seen.last.took_us < 3_000_000


@pytest.mark.parametrize(
    ("turn", "failure", "operation"),
    [
        ([], TIMEOUT, Operation.READ),
        ([b""], EOF, Operation.READ),
        ([ConnectionResetError(104, "x")], RESET, Operation.READ),
        ([b"\0\1", b""], UNEXPECTED_REPLY, Operation.DECODE),
        ([b"\0\1\0half of it"], TIMEOUT, Operation.READ),
    ],
    ids=["silence", "the end", "a reset", "the end in the middle", "half of an answer"],
)
def test_what_breaks_off(turn: Turn, failure: str, operation: Operation) -> None:
    seen = shake(network(turn))
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, operation)
    assert seen.last.step is Step.NOISE


def test_a_port_that_is_closed() -> None:
    seen = shake(network(refuses=ConnectionRefusedError(111, "x")))
    assert (seen.grade, seen.last.step) == (None, Step.TCP)


@given(
    st.lists(st.one_of(st.just(b""), st.binary(max_size=700)), max_size=4), st.sampled_from(["noise", "noise-routed"])
)
def test_whatever_is_said_ends_in_a_failure_that_has_a_name(pieces: list[bytes], handshake: str) -> None:
    seen = shake(network(pieces), handshake)
    assert seen.grade is None
    assert seen.failure in (TIMEOUT, EOF, UNEXPECTED_REPLY)
