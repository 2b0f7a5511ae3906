"""XMPP: what prosody's answer proves, and what an impostor's does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from probe.codecs.xmpp import Opening
from probe.model import Endpoint, Grade, Operation, Step, Transport, XmppFacts
from probe.net.dialer import SocketDialer
from probe.secure.trust import Trust
from tests.probe.builders import Outcome, endpoint, instruments, scripted_shake, shake
from tests.probe.codecs.test_xmpp import TLS, refusal, says
from tests.scripted import ScriptedDialer, Tcp
from tests.servers.certificates import Authority
from tests.servers.prosody import Prosody, prosody

HOST = "203.0.113.4"
HERE = endpoint("xmpp", HOST, 5222, server_name="chat.example")
PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))


def answered(reply: Any) -> Outcome:
    return scripted_shake(ScriptedDialer({("tcp", HOST, 5222): Tcp([reply])}), HERE)


def to_whom(request: bytes) -> str:
    return request.split(b"from=")[1].split(b'"')[1].decode()


def test_a_server_that_answers_our_name_is_bound() -> None:
    seen = answered(lambda request: says(TLS.format("<required/>"), to=to_whom(request)))
    assert (seen.grade, seen.failure, [each.step for each in seen.observations]) == (
        Grade.BOUND,
        None,
        [Step.TCP, Step.XMPP],
    )
    assert seen.last.xmpp == XmppFacts(starttls="required")


def test_a_server_that_does_not_is_only_there() -> None:
    assert answered(says()).grade is Grade.TRANSPORT  # a recording, to somebody else's name
    assert answered(says(to="")).grade is Grade.TRANSPORT


def test_starttls_that_somebody_took_out_is_a_fact() -> None:
    assert answered(lambda request: says(to=to_whom(request))).last.xmpp == XmppFacts()


@pytest.mark.parametrize(
    ("reply", "failure", "operation"),
    [
        (refusal(), "unexpected_reply", Operation.VERIFY),
        (says().replace(b"from='chat", b"from='other"), "unexpected_reply", Operation.VERIFY),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "unexpected_reply", Operation.DECODE),
        (lambda request: request, "generic_timeout_error", Operation.READ),  # its own words: no features follow
        (b"", "eof_error", Operation.READ),
        (OSError(104, "x"), "connection_reset", Operation.READ),
        (says()[:200], "generic_timeout_error", Operation.READ),
    ],
)
def test_impostors(reply: bytes | OSError | Callable[[bytes], bytes], failure: str, operation: Operation) -> None:
    seen = answered(reply)
    assert (seen.grade, seen.failure, seen.last.operation) == (None, failure, operation)


def test_a_refusal_is_kept_as_what_it_is() -> None:
    assert answered(refusal("policy-violation")).last.xmpp == XmppFacts(error="policy-violation")


def test_the_session_knows_its_own_name() -> None:
    ours, other = Opening("chat.example", bytes(8)), Opening("chat.example", bytes(7) + b"\x01")
    answer = ours.receive(says(to=ours.caller))
    assert answer is not None
    assert (ours.echoes(answer), other.echoes(answer)) == (True, False)


# --- A real server ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[PUBLIC, OWN, FORGER], ids=["public", "own", "forger"])
def server(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prosody, Authority]]:
    with prosody(tmp_path_factory.mktemp("prosody"), request.param) as started:
        yield started, request.param


async def asked(where: Endpoint) -> Outcome:
    trust = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return await shake(instruments(SocketDialer(), trust=trust, wall_ms=lambda: now_ms), where)


@pytest.mark.needs("prosody")
async def test_prosody(server: tuple[Prosody, Authority]) -> None:
    started, authority = server
    plain = endpoint("xmpp", started.address, started.port, server_name=started.domain)
    seen = await asked(plain)
    assert (seen.grade, seen.last.xmpp) == (Grade.BOUND, XmppFacts(starttls="required"))
    unknown = await asked(endpoint("xmpp", started.address, started.port, server_name="elsewhere.example"))
    assert (unknown.grade, unknown.failure, unknown.last.xmpp) == (
        None,
        "unexpected_reply",
        XmppFacts(error="host-unknown"),
    )
    ca = "service" if authority is OWN else None
    inside = endpoint(
        "xmpp", started.address, started.tls_port, server_name=started.domain, transport=Transport.TLS, ca=ca
    )
    seen = await asked(inside)
    assert seen.grade == {PUBLIC: Grade.BOUND, OWN: Grade.CRYPTO, FORGER: None}[authority]
    if authority is FORGER:
        assert (seen.last.step, seen.failure) == (Step.TLS, "ssl_unknown_authority")
    else:
        assert seen.last.xmpp is not None
        assert {"SCRAM-SHA-1", "PLAIN"} <= set(seen.last.xmpp.mechanisms)
