"""Viber's greeting and how its answer is framed: the genuine greeting, pieces, impostors, and junk."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import viber
from tests.probe.codecs.test_stun import vector
from tests.servers import viber as server

ANSWER = server.answer()


def received(pieces: Iterable[bytes]) -> bytes | None:
    session = viber.Session()
    made = None
    for piece in pieces:
        assert made is None, "it went on after the whole answer"
        made = session.receive(piece)
    return made


def test_we_greet_as_viber_does() -> None:
    assert vector("greeting", "viber") == viber.GREETING == server.GREETING


@given(st.lists(st.integers(1, len(ANSWER) - 1), unique=True, max_size=6).map(sorted))
def test_an_answer_is_read_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *cuts, len(ANSWER)]
    assert received(ANSWER[start:end] for start, end in itertools.pairwise(edges)) == ANSWER


def test_what_comes_behind_it_is_not_the_answer() -> None:
    assert received([ANSWER + b"next"]) == ANSWER


@pytest.mark.parametrize(
    "impostor",
    [
        viber.GREETING,  # an echo
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",  # a TLS alert
        b"\x0b\x00" + ANSWER[2:12],  # a length that ends before the marks
        ANSWER[:10] + b"\x0b" + ANSWER[11:],
    ],
)
def test_what_is_not_an_answer_is_refused_before_its_end(impostor: bytes) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        received([impostor])


@given(st.binary(max_size=60))
def test_junk(data: bytes) -> None:
    session = viber.Session()
    try:
        made = [session.receive(bytes([byte])) for byte in data]
    except ValueError:
        return
    assert all(each is None or each[4:6] == b"\x03\x80" for each in made)
