"""DNS against scripts: each lie and each silence has its own word, and nothing that comes can raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.codecs.dns_query import query_of
from probe.codecs.dns_reply import reply_to
from probe.handshakes.dns import Question, resolve
from probe.handshakes.trace import Trace
from probe.model import DnsFacts, Expect, Grade, IcmpFacts, Observation, Operation, Step, Transport
from tests.probe.builders import RESOLVER, dns_reply, endpoint, framed, scripted_shake, traced
from tests.scripted import OWN, Icmp, Later, Now, ScriptedDialer, Tcp, Turn, Udp

TRUE, FORGED = "192.0.2.10", "192.0.2.66"
UDP, TCP = ("udp", RESOLVER, 53), ("tcp", RESOLVER, 53)


class Resolved:
    """One question to one resolver, and what lingers after it."""

    def __init__(self, dialer: ScriptedDialer, qtype: str = "A", transport: Transport = Transport.UDP, **more: Any):
        self.addresses: tuple[str, ...] | None = None
        question = Question(
            host="chat.example", qtype=qtype, address=RESOLVER, transport=transport, resolver="isp",
            resolver_prefix="203.0.0.0/16",
        )  # fmt: skip

        async def work(trace: Trace) -> None:
            self.addresses = (await resolve(trace, question)).addresses

        (self.seen,) = traced(work, dialer, **more).observations()

    @property
    def facts(self) -> DnsFacts:
        assert self.seen.dns is not None
        return self.seen.dns


def network(*turns: Turn, always: Turn = (), tcp: Tcp | None = None) -> ScriptedDialer:
    return ScriptedDialer({UDP: Udp(*turns, always=always), TCP: tcp or Tcp(hangs=True)})


def answered(*turns: Turn, **more: Any) -> Resolved:
    return Resolved(network(*turns), **more)


def changed(change: Callable[[dns.message.Message], None], *addresses: str) -> Callable[[bytes], bytes]:
    return dns_reply(*addresses, change=change)


def renamed(reply: dns.message.Message) -> None:
    reply.question[0] = dns.rrset.from_text("other.example.", 0, "IN", "A")


# --- Answers --------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_whole() -> None:
    dialer = network([dns_reply(TRUE, "192.0.2.11", ttl=123)])
    resolved = Resolved(dialer)
    assert resolved.addresses == (TRUE, "192.0.2.11")
    assert (resolved.seen.step, resolved.seen.failure, resolved.seen.packets_sent) == (Step.DNS, None, 1)
    assert resolved.facts == DnsFacts(
        resolver="isp", resolver_prefix="203.0.0.0/16", rcode="NOERROR", answers=(TRUE, "192.0.2.11"), ttl=123
    )
    assert dialer.still_open == []


def test_a_question_is_asked_as_devices_ask() -> None:
    dialer = network([dns_reply(TRUE)])
    Resolved(dialer)
    (sent,) = dialer.sent
    asked = dns.message.from_wire(sent.data)
    assert asked.question[0].to_text() == "chat.example. IN A"
    assert asked.flags == dns.flags.RD
    assert asked.edns == -1


def test_ipv6_addresses_in_one_spelling() -> None:
    resolved = answered([dns_reply("2001:0DB8:0:0::10")], qtype="AAAA")
    assert (resolved.addresses, resolved.facts.qtype) == (("2001:db8::10",), "AAAA")


def test_a_chain_of_names_leads_to_addresses() -> None:
    def through(reply: dns.message.Message) -> None:
        alias = dns.rrset.from_text("chat.example.", 30, "IN", "CNAME", "edge.example.")
        reply.answer = [alias, dns.rrset.from_text("edge.example.", 20, "IN", "A", TRUE)]

    resolved = answered([changed(through)])
    assert (resolved.addresses, resolved.facts.ttl) == ((TRUE,), 20)


@pytest.mark.parametrize(
    ("rcode", "failure", "word"),
    [
        (3, "dns_nxdomain_error", "NXDOMAIN"),
        (2, "dns_servfail_error", "SERVFAIL"),
        (5, "dns_refused_error", "REFUSED"),
        (1, "dns_server_misbehaving", "FORMERR"),
        (11, "dns_server_misbehaving", "DSOTYPENI"),
        (15, "dns_server_misbehaving", "15"),
    ],
)
def test_an_error_has_its_word(rcode: int, failure: str, word: str) -> None:
    resolved = answered([dns_reply(rcode=rcode)])
    assert (resolved.seen.failure, resolved.seen.operation) == (failure, Operation.DECODE)
    assert (resolved.facts.rcode, resolved.facts.answers, resolved.addresses) == (word, (), None)


def test_an_error_that_repeats_no_question_is_an_answer() -> None:
    def without_question(reply: dns.message.Message) -> None:
        reply.question = []

    assert answered([dns_reply(rcode=5, change=without_question)]).seen.failure == "dns_refused_error"


def test_no_address_is_no_answer() -> None:
    resolved = answered([dns_reply()])
    assert (resolved.seen.failure, resolved.facts.rcode) == ("dns_no_answer", "NOERROR")


def test_an_error_with_addresses_is_an_error_and_both_are_kept() -> None:
    resolved = answered([dns_reply(FORGED, rcode=3)])
    assert (resolved.seen.failure, resolved.facts.answers) == ("dns_nxdomain_error", (FORGED,))


def test_silence() -> None:
    dialer = network()
    resolved = Resolved(dialer)
    assert (resolved.seen.failure, resolved.seen.operation) == ("generic_timeout_error", Operation.READ)
    assert (resolved.facts.sends, resolved.facts.rcode, resolved.seen.took_us) == (6, None, 5_000_000)
    assert [each.at for each in dialer.sent] == pytest.approx([0, 0.5, 1, 1.5, 2.5, 3.5])
    assert len({each.data for each in dialer.sent}) == 1


def test_a_refused_port_is_refused() -> None:
    icmp = Icmp(ConnectionRefusedError(111, "x"), IcmpFacts(type=3, code=3, from_target=True))
    resolved = answered([icmp])
    assert (resolved.seen.failure, resolved.seen.icmp) == ("connection_refused", icmp.facts)


# --- What is no answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\0" * 12,
        lambda request: request,  # reflected
        lambda request: bytes([request[0] ^ 1]) + dns_reply(FORGED)(request)[1:],
        changed(renamed, FORGED),
        lambda request: dns_reply(FORGED)(request)[:-3],
    ],
)
def test_what_answers_another_question_is_counted(junk: Now) -> None:
    resolved = answered([junk, Later(0.1, dns_reply(TRUE))])
    assert (resolved.addresses, resolved.facts.unmatched, resolved.facts.late) == ((TRUE,), 1, ())


def test_junk_alone_is_a_timeout() -> None:
    resolved = answered([lambda request: bytes([request[0] ^ 1]) + dns_reply(FORGED)(request)[1:]])
    assert (resolved.seen.failure, resolved.facts.unmatched) == ("generic_timeout_error", 1)


@pytest.mark.parametrize("reply", [changed(renamed, FORGED), lambda request: dns_reply(FORGED)(request)[:-3]])
def test_what_carries_our_id_is_an_answer_and_no_silence(reply: Now) -> None:
    resolved = answered([reply])
    assert (resolved.seen.failure, resolved.seen.operation) == ("unexpected_reply", Operation.DECODE)
    assert (resolved.facts.unmatched, resolved.facts.rcode, resolved.facts.answers) == (1, None, ())


# --- What comes after the first answer ------------------------------------------------------------------------


def test_the_true_answer_behind_an_injected_one_is_kept() -> None:
    resolved = answered([dns_reply(FORGED), Later(0.2, dns_reply(TRUE))])
    assert (resolved.facts.answers, resolved.facts.late) == ((FORGED,), (TRUE,))
    assert (resolved.addresses, resolved.seen.took_us) == ((FORGED,), 0)


def test_the_true_answer_behind_an_injected_error_is_kept() -> None:
    resolved = answered([dns_reply(rcode=3), Later(2.4, dns_reply(TRUE))])
    assert (resolved.seen.failure, resolved.facts.late) == ("dns_nxdomain_error", (TRUE,))


def test_an_error_behind_an_injected_answer_is_kept_as_its_word() -> None:
    assert answered([dns_reply(FORGED), dns_reply(rcode=3)]).facts.late == ("NXDOMAIN",)


@pytest.mark.parametrize(
    "again",
    [
        [dns_reply(TRUE, "192.0.2.11")],
        [dns_reply("192.0.2.11", TRUE)],
        [dns_reply(TRUE, "192.0.2.11", ttl=1)],
        [b"junk", lambda request: request],
        [Later(2.6, dns_reply(FORGED))],
    ],
)
def test_the_same_again_is_not_late(again: Turn) -> None:
    resolved = answered([dns_reply(TRUE, "192.0.2.11"), *again])
    assert (resolved.facts.answers, resolved.facts.late) == ((TRUE, "192.0.2.11"), ())


def test_the_same_error_again_is_not_late() -> None:
    assert answered([dns_reply(rcode=3), dns_reply(rcode=3)]).facts.late == ()


def test_a_different_answer_behind_the_same_again_is_late() -> None:
    assert answered([dns_reply(FORGED), dns_reply(FORGED), dns_reply(TRUE)]).facts.late == (TRUE,)


def test_nothing_is_sent_while_lingering() -> None:
    dialer = network([dns_reply(TRUE)])
    Resolved(dialer)
    assert len(dialer.sent) == 1


def test_the_volunteers_own_address_is_self() -> None:
    own = frozenset({FORGED, OWN[4]})
    resolved = answered([dns_reply(FORGED, TRUE), dns_reply(OWN[4])], own_addresses=own)
    assert (resolved.facts.answers, resolved.facts.late) == (("self", TRUE), ("self",))
    assert OWN[4] not in repr(resolved.seen)


# --- TCP ------------------------------------------------------------------------------------------------------


def test_an_answer_that_is_cut_short_is_asked_for_over_tcp() -> None:
    cut = dns_reply(flags=dns.flags.TC)
    dialer = network([cut], tcp=Tcp([framed(dns_reply(TRUE))]))
    resolved = Resolved(dialer)
    assert (resolved.addresses, resolved.facts.late) == ((TRUE,), ())
    assert dialer.dialled == [UDP, TCP]
    assert dialer.still_open == []


def cut_inside_a_record(*addresses: str) -> Callable[[bytes], bytes]:
    """TC=1, and the datagram ends where it happens to, as some resolvers cut it."""
    whole = dns_reply(*addresses, flags=dns.flags.TC)
    return lambda request: whole(request)[:-2]


@pytest.mark.parametrize("cut", [cut_inside_a_record(FORGED), cut_inside_a_record(FORGED, TRUE)])
def test_an_answer_that_is_cut_inside_a_record_is_asked_for_over_tcp(cut: Now) -> None:
    dialer = network([cut], tcp=Tcp([framed(dns_reply(TRUE))]))
    resolved = Resolved(dialer)
    assert (resolved.addresses, resolved.seen.failure) == ((TRUE,), None)
    assert dialer.dialled == [UDP, TCP]
    assert resolved.seen.bytes_sent == sum(len(each.data) for each in dialer.sent)


@pytest.mark.parametrize(
    "tcp", [Tcp(hangs=True), Tcp([]), Tcp([b""]), Tcp([b"\0\0"]), Tcp(refuses=ConnectionRefusedError(111, "x"))]
)
def test_without_tcp_a_cut_answer_says_what_it_says_and_is_no_silence(tcp: Tcp) -> None:
    assert Resolved(network([cut_inside_a_record(TRUE, FORGED)], tcp=tcp)).addresses == (TRUE,)
    nothing = Resolved(network([cut_inside_a_record(FORGED)], tcp=tcp)).seen
    assert (nothing.failure, nothing.operation) == ("unexpected_reply", Operation.DECODE)


def test_a_broken_option_costs_no_answer() -> None:
    def broken(request: bytes) -> bytes:
        whole = bytearray(dns_reply(TRUE, change=lambda reply: reply.use_edns(0))(request))
        whole[-1] = 9  # more bytes of options than there are
        return bytes(whole)

    assert answered([broken]).addresses == (TRUE,)


@pytest.mark.parametrize(("rcode", "failure"), [(3, "dns_nxdomain_error"), (2, "dns_servfail_error")])
def test_a_denial_stands_in_the_header_whatever_follows(rcode: int, failure: str) -> None:
    """It came to the port and with the id that we drew: a resolver that leaves out the question has denied the name."""

    def bare(reply: dns.message.Message) -> None:
        reply.question = []

    whole = dns_reply(rcode=rcode)
    assert answered([dns_reply(rcode=rcode, change=bare)]).seen.failure == failure
    assert answered([lambda request: whole(request)[:-3]]).seen.failure == failure


def test_tcp_in_pieces() -> None:
    whole = framed(dns_reply(TRUE))
    pieces = [
        lambda request: whole(request)[:1],
        lambda request: whole(request)[1:9],
        lambda request: whole(request)[9:],
    ]
    resolved = Resolved(network(tcp=Tcp(pieces)), transport=Transport.TCP)
    assert resolved.addresses == (TRUE,)


@pytest.mark.parametrize(
    ("tcp", "failure", "operation"),
    [
        (Tcp(refuses=ConnectionRefusedError(111, "x")), "connection_refused", Operation.CONNECT),
        (Tcp(hangs=True), "generic_timeout_error", Operation.CONNECT),
        (Tcp([]), "generic_timeout_error", Operation.READ),
        (Tcp([b""]), "eof_error", Operation.READ),
        (Tcp([b"\0"], [b""]), "generic_timeout_error", Operation.READ),
        (Tcp([ConnectionResetError(104, "x")]), "connection_reset", Operation.READ),
        (Tcp([b"\0\0"]), "unexpected_reply", Operation.DECODE),
        (Tcp([framed(changed(renamed, FORGED))]), "unexpected_reply", Operation.DECODE),
        (Tcp([framed(dns_reply(rcode=3))]), "dns_nxdomain_error", Operation.DECODE),
    ],
)
def test_tcp_fails_in_its_ways(tcp: Tcp, failure: str, operation: Operation) -> None:
    resolved = Resolved(network(tcp=tcp), transport=Transport.TCP)
    assert (resolved.seen.failure, resolved.seen.operation) == (failure, operation)


# --- As a handshake -------------------------------------------------------------------------------------------


def test_a_resolver_as_target_is_asked_for_the_name() -> None:
    dialer = network([dns_reply(TRUE)])
    where = endpoint("dns", RESOLVER, 53, expect=Expect(name="neutral.example"))
    seen = scripted_shake(dialer, where)
    assert seen.grade is Grade.BOUND
    assert dns.message.from_wire(dialer.sent[0].data).question[0].name == dns.name.from_text("neutral.example")


def test_a_resolver_as_target_that_refuses_has_no_grade() -> None:
    seen = scripted_shake(network([dns_reply(rcode=5)]), endpoint("dns", RESOLVER, 53))
    assert (seen.grade, seen.failure) == (None, "dns_refused_error")


# --- Junk -----------------------------------------------------------------------------------------------------

QUERY = query_of("chat.example", "A", 7)
REPLY = dns_reply(TRUE, "192.0.2.11")(QUERY.wire)


@given(st.binary(max_size=80))
def test_no_datagram_raises(data: bytes) -> None:
    try:
        assert reply_to(QUERY, data) is None or data[:2] == QUERY.wire[:2]
    except ValueError:
        assert data[:2] == QUERY.wire[:2]


@given(st.binary(max_size=60), st.integers(0, 0xFFFF), st.tuples(*[st.integers(0, 3)] * 3))
def test_nothing_behind_our_own_question_raises(body: bytes, flags: int, counts: tuple[int, int, int]) -> None:
    head = QUERY.wire[:2] + (flags | 0x8000).to_bytes(2) + b"\0\1" + b"".join(n.to_bytes(2) for n in counts)
    check_no_raise(head + QUERY.wire[12:] + body)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, len(REPLY) - 1), st.integers(0, 255)), max_size=4))
def test_no_mutated_reply_raises(changes: list[tuple[int, int]]) -> None:
    data = bytearray(REPLY)
    for position, byte in changes:
        data[position] = byte
    check_no_raise(bytes(data))


def check_no_raise(data: bytes) -> None:
    """As the first answer and as a late one; the transaction id is made to fit."""

    def ours(request: bytes) -> bytes:
        return request[:2] + data[2:]

    for turn in ([ours], [dns_reply(TRUE), ours]):
        seen: Observation = answered(turn).seen
        assert not (seen.failure or "").startswith("unknown_failure"), seen.failure


def test_addresses_of_another_class_are_no_addresses() -> None:
    """They once were read as such, and raised where nothing catches."""

    def foreign(reply: dns.message.Message) -> None:
        reply.answer = [dns.rrset.from_text("chat.example.", 30, "HS", "A", "\\# 4 c0000201")]

    assert answered([changed(foreign)]).seen.failure == "dns_no_answer"
    assert answered([dns_reply(TRUE), changed(foreign)]).facts.late == ("NOERROR",)
