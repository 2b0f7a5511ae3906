"""The opening of an XMPP stream: what a server says, in any pieces, and what is no XMPP."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs.xmpp import LOCALPART_BYTES, MAX_BYTES, Answer, Opening

CHANCE = bytes(range(LOCALPART_BYTES))
CALLER = f"{CHANCE.hex()}@chat.example"
HEADER = (
    "<?xml version='1.0'?><stream:stream xml:lang='en' from='chat.example' id='8e10d7f4' version='1.0' to='{to}' "
    "xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'>"
)
TLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>{}</starttls>"
SASL = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</mechanisms>"
SCRAM = "<mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism>"


def says(*features: str, to: str = CALLER) -> bytes:
    return (HEADER.format(to=to) + "<stream:features>" + "".join(features) + "</stream:features>").encode()


def refusal(condition: str = "host-unknown") -> bytes:
    kind = f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
    return (HEADER.format(to=CALLER) + f"<stream:error>{kind}</stream:error></stream:stream>").encode()


def opened() -> Opening:
    return Opening("chat.example", CHANCE)


def test_the_request_is_a_stream_header_from_a_name_of_chance() -> None:
    root = ElementTree.fromstring(opened().request() + b"</stream:stream>")
    assert root.tag == "{http://etherx.jabber.org/streams}stream"
    assert root.attrib == {"from": CALLER, "to": "chat.example", "version": "1.0"}


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (says(), Answer(domain="chat.example", to=CALLER)),
        (says(TLS.format("")), Answer(domain="chat.example", to=CALLER, starttls="offered")),
        (says(TLS.format("<required/>")), Answer(domain="chat.example", to=CALLER, starttls="required")),
        (
            says(SASL.format(SCRAM), to=""),
            Answer(domain="chat.example", mechanisms=("SCRAM-SHA-1", "PLAIN")),
        ),
        (refusal(), Answer(domain="chat.example", to=CALLER, error="host-unknown")),
        (says(f"<x xmlns='y'>{TLS.format('')}</x>"), Answer(domain="chat.example", to=CALLER)),
    ],
)
def test_what_a_server_says(data: bytes, answer: Answer) -> None:
    opening = opened()
    assert opening.receive(data) == answer
    assert opening.echoes(answer) == bool(answer.to)


@given(st.lists(st.integers(1, 600), max_size=8))
def test_in_any_pieces(cuts: list[int]) -> None:
    data = says(TLS.format("<required/>"), SASL.format(SCRAM))
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    opening = opened()
    answers = [opening.receive(data[start:end]) for start, end in itertools.pairwise(bounds)]
    assert answers[:-1] == [None] * (len(answers) - 1)
    assert answers[-1] is not None
    assert (answers[-1].starttls, answers[-1].mechanisms) == ("required", ("SCRAM-SHA-1", "PLAIN"))


BOMB = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><x>&b;</x>"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "well-formed XML"),
        (b"<html><body>no</body></html>", "begins with <stream:stream>"),
        (b"<stream:stream>", "well-formed XML"),
        (b"<stream xmlns='jabber:client'>", "begins with <stream:stream>"),
        (BOMB, "no document type"),
        (b"<!DOCTYPE x SYSTEM 'http://elsewhere.example/x'><x/>", "no document type"),
        (HEADER.format(to="").encode() + b"<!-- hello -->", "no document type, comments"),
        (HEADER.format(to="").encode() + b"<?php hello ?>", "processing instructions"),
        (HEADER.format(to="").encode() + b"&lt;&undefined;", "well-formed XML"),
        (HEADER.format(to="").encode() + b"<a>" * 20, "12 elements deep"),
        (HEADER.format(to="").encode() + b" " * MAX_BYTES, "at most 16384 bytes"),
        (says().replace(b"chat", b"\xff\xfe"), "well-formed XML in UTF-8"),
        (b"<?xml version='1.0' encoding='utf-16'?>" + says()[21:], None),  # read as UTF-8 all the same
    ],
)
def test_what_is_no_xmpp(data: bytes, sentence: str | None) -> None:
    if sentence is None:
        assert opened().receive(data) is not None
        return
    with pytest.raises(ValueError, match=sentence):
        opened().receive(data)


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda junk: says()[:150] + junk)))
def test_junk_is_refused_or_waited_out(data: bytes) -> None:
    try:
        assert isinstance(opened().receive(data), Answer | None)
    except ValueError:
        return


def test_mechanisms_without_end_are_cut() -> None:
    answer = opened().receive(says(SASL.format(f"<mechanism>{'x' * 99}</mechanism>" * 40)))
    assert answer is not None
    assert answer.mechanisms == ("x" * 64,) * 16
