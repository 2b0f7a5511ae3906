"""Lies about names: who is lied to, about what, and whether the truth follows."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import pytest

from tests.lab.filters.crafted import (
    OTHER,
    OTHER6,
    RESOLVER,
    WORLD_RESOLVER,
    made,
    passes,
    query,
    through,
    udp_down,
    udp_up,
    views,
)
from tests.lab.model import Fate, Filter
from tests.lab.packets import packed, parse

NAME = "web.whatsapp.example"


def told(filter_: Filter, packet: bytes) -> dns.message.Message:
    """The answer to a question that goes no further; dnspython takes it for one."""
    (fate,) = filter_(packet, True, 0.0)
    assert not fate.up
    asked, answer = dns.message.from_wire(parse(packet).payload), dns.message.from_wire(parse(fate.packet).payload)
    assert asked.is_response(answer)
    return answer


def addresses(answer: dns.message.Message) -> list[str]:
    return [rdata.to_text() for rrset in answer.answer for rdata in rrset]


def test_a_resolver_fails_once() -> None:
    fails = made("dns.answer", names=(NAME,), rcode="SERVFAIL", times=1)
    assert told(fails, query(NAME)).rcode() == dns.rcode.SERVFAIL
    assert passes(fails, query(NAME))
    assert told(fails, query(NAME, "AAAA")).rcode() == dns.rcode.SERVFAIL


def test_a_resolver_that_is_spared_is_asked() -> None:
    asked = query(NAME)
    elsewhere = made("dns.answer", names=(NAME,), rcode="NXDOMAIN", spares=("192.0.2.77",))
    assert told(elsewhere, asked).rcode() == dns.rcode.NXDOMAIN
    assert passes(made("dns.answer", names=(NAME,), rcode="NXDOMAIN", spares=(RESOLVER,)), asked)


def test_a_resolver_asks_to_be_asked_over_tcp() -> None:
    answer = told(made("dns.truncated", names=(NAME,)), query(NAME))
    assert answer.flags & dns.flags.TC
    assert addresses(answer) == []


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_a_name_is_denied_with_the_rcode(rcode: str) -> None:
    answer = told(made("dns.answer", names=("whatsapp.example",), rcode=rcode), query(NAME))
    assert dns.rcode.to_text(answer.rcode()) == rcode
    assert not answer.answer


def test_an_address_is_told_of_the_asked_family() -> None:
    lie = made("dns.answer", names=(NAME,), address=(OTHER, OTHER6), answer_ttl=77)
    assert addresses(told(lie, query(NAME))) == [OTHER]
    assert addresses(told(lie, query(NAME, "AAAA"))) == [OTHER6]
    assert told(lie, query(NAME)).answer[0].ttl == 77


def test_an_address_of_one_family_leaves_the_other_without_an_answer() -> None:
    answer = told(made("dns.answer", names=(NAME,), address="10.10.34.34"), query(NAME, "AAAA"))
    assert (answer.rcode(), addresses(answer)) == (dns.rcode.NOERROR, [])


def test_the_lie_seems_to_come_from_who_was_asked_with_the_ttl_that_was_drawn() -> None:
    asked = query(NAME)
    ((view, up),) = views(made("dns.answer", names=(NAME,), rcode="NXDOMAIN", ttl=201)(asked, True, 0.0))
    assert (view.source, view.source_port, view.ttl, up) == (packed(RESOLVER), 53, 201, False)
    assert (view.destination, view.destination_port) == (parse(asked).source, parse(asked).source_port)


def test_others_are_not_lied_about() -> None:
    lie = made("dns.answer", names=("whatsapp.example",), rcode="NXDOMAIN", qtypes=("A",), resolvers=(RESOLVER,))
    assert passes(lie, query("notwhatsapp.example"))
    assert passes(lie, query("whatsapp.example.org"))
    assert passes(lie, query(NAME, "AAAA"))
    assert passes(lie, query(NAME, server=WORLD_RESOLVER))
    assert passes(lie, udp_up(parse(query(NAME)).payload, 5353, RESOLVER))
    assert passes(lie, udp_down(parse(query(NAME)).payload, 53, RESOLVER), up=False)
    assert passes(lie, udp_up(b"no DNS at all, but on its port", 53, RESOLVER))


def test_names_are_found_in_whatever_case_they_are_asked() -> None:
    assert told(made("dns.answer", names=(NAME,), rcode="NXDOMAIN"), query("WEB.WhatsApp.example"))


def test_in_a_race_the_lie_comes_first_and_the_question_goes_on() -> None:
    asked = query(NAME)
    lie, truth = made("dns.answer", names=(NAME,), rcode="NXDOMAIN", keep=True)(asked, True, 0.0)
    assert not lie.up
    assert truth == Fate(asked, True)


def test_questions_disappear() -> None:
    silent = made("dns.silent", names=("whatsapp.example",), resolvers=(RESOLVER,))
    assert not passes(silent, query(NAME))
    assert not passes(silent, query(NAME, "AAAA"))
    assert passes(silent, query("www.viber.example"))
    assert passes(silent, query(NAME, server=WORLD_RESOLVER))


def test_a_transparent_proxy_lies_in_the_name_of_who_was_asked() -> None:
    row = [
        made("redirect", addresses=None, ports=(53,), protocol="udp", to=RESOLVER, to_port=53),
        made("dns.answer", names=(NAME,), rcode="NXDOMAIN", resolvers=(RESOLVER,)),
    ]
    ((lie, up),) = views(through(row, query(NAME, server=WORLD_RESOLVER), True))
    assert (lie.source, up) == (packed(WORLD_RESOLVER), False)
    ((other, up),) = views(through(row, query("www.viber.example", server=WORLD_RESOLVER), True))
    assert (other.destination, up) == (packed(RESOLVER), True)
