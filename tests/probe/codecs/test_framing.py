"""Messages in a stream: the frames of three RFCs, cut at any place, and bytes that are no frame."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.codecs import stun
from probe.codecs.framing import LENGTH_PREFIXED, STUN_4571, STUN_BARE, Framing, split, wrap
from tests.probe.codecs.test_stun import vector

FRAMINGS = pytest.mark.parametrize("framing", [LENGTH_PREFIXED, STUN_4571, STUN_BARE])
MESSAGES = [vector("telegram-allocate-401"), stun.binding_request(bytes(12)), vector("rfc5769-2.3-ipv6-response")]


def messages_in(framing: Framing, pieces: list[bytes]) -> list[bytes]:
    found, buffer = [], b""
    for piece in pieces:
        buffer += piece
        while (taken := split(framing, buffer)) is not None:
            message, buffer = taken
            found.append(message)
    assert buffer == b""
    return found


def test_the_frames_on_the_wire() -> None:
    request = stun.binding_request(bytes(range(12)))
    assert wrap(STUN_BARE, request) == request  # RFC 8489, 6.2.2
    assert wrap(STUN_4571, request) == b"\x00\x14" + request  # RFC 4571, 2


@FRAMINGS
@settings(deadline=None)
@given(cuts=st.lists(st.integers(1, 400)))
def test_wherever_the_stream_is_cut_the_messages_are_the_same(framing: Framing, cuts: list[int]) -> None:
    stream = b"".join(wrap(framing, message) for message in MESSAGES)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert messages_in(framing, pieces) == MESSAGES


@FRAMINGS
@settings(deadline=None)
@given(data=st.binary(max_size=64))
def test_only_the_documented_error_escapes(framing: Framing, data: bytes) -> None:
    with suppress(ValueError):
        taken = split(framing, data)
        assert taken is None or framing.header(taken[0]) + taken[0] + taken[1] == data


@pytest.mark.parametrize(
    "other", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x", b"\x15\x03\x01\x00\x02\x02\x28\x00", b"\x80\x00\x00"]
)
def test_another_protocol_is_told_from_its_first_bytes(other: bytes) -> None:
    with pytest.raises(ValueError, match="no STUN message"):
        split(STUN_BARE, other)
    with pytest.raises(ValueError, match="no STUN message"):
        split(STUN_4571, other[:2] + other)


@pytest.mark.parametrize("length", range(9))
def test_the_beginning_of_a_header_is_not_refused(length: int) -> None:
    assert split(STUN_BARE, MESSAGES[0][:length]) is None
