"""DNS questions as they are sent, read by dnspython."""

from __future__ import annotations

import dns.message
import dns.name
import dns.rdatatype
import pytest

from probe.codecs.dns_query import PAD, query_of


@pytest.mark.parametrize("padded", [False, True])
def test_a_question_and_its_id(padded: bool) -> None:
    for transaction in (0, 7, 65_535):
        query = query_of("chat.example", "AAAA", transaction, padded=padded)
        message = dns.message.from_wire(query.wire)
        (asked,) = message.question
        assert (message.id, asked.name, asked.rdtype) == (
            transaction,
            dns.name.from_text("chat.example"),
            dns.rdatatype.AAAA,
        )
        assert tuple(message.question) == query.question
        assert (len(query.wire) % PAD == 0) is padded


def test_what_is_asked_of_one_name_is_not_asked_of_another() -> None:
    wires = {query_of(host, qtype, 1).wire for host in ("a.example", "b.example") for qtype in ("A", "AAAA")}
    assert len(wires) == 4


def test_the_padded_question_hides_how_long_the_name_is() -> None:
    assert len(query_of("a.example", "A", 1, padded=True).wire) == len(
        query_of("abcdef.example", "A", 1, padded=True).wire
    )
