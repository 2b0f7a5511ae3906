"""Threema's handshake between two sessions without a socket; whoever lacks the key proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import threema
from tests.servers import threema as server

SECRET, COOKIE = bytes(range(32)), bytes(range(100, 116))
OTHERS = bytes([9] * 32)


def client(secret: bytes = SECRET, cookie: bytes = COOKIE) -> threema.Session:
    return threema.Session(secret, cookie)


def proves(answer: bytes, *keys: bytes, session: threema.Session | None = None) -> bool:
    return (session or client()).is_proved(answer, keys or (server.PUBLIC,))


def test_hello_and_answer_have_the_sizes_of_the_genuine_ones() -> None:
    """48 and 80 bytes: what nDPI knows Threema by."""
    hello = client().hello()
    assert len(hello) == 48
    assert hello[32:] == COOKIE
    assert len(server.answer(hello)) == threema.ANSWER_BYTES == 80


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_the_holder_of_the_key_proves_it(secret: bytes, cookie: bytes) -> None:
    session = client(secret, cookie)
    answer = server.answer(session.hello())
    assert session.is_proved(answer, [server.PUBLIC])
    assert session.is_proved(answer, [OTHERS, server.PUBLIC])  # the second of the pinned ones
    assert not session.is_proved(answer, [OTHERS])
    assert not session.is_proved(answer, [])


@pytest.mark.parametrize(
    "answer",
    [
        server.answer(client().hello(), secret=bytes([7] * 32)),  # another's key
        server.answer(client(secret=bytes([5] * 32)).hello()),  # genuine, replayed from another session
        server.answer(client(cookie=bytes(16)).hello()),  # our key, another challenge
        server.answer(client().hello(), cookie=COOKIE),  # our own cookie back as the server's
        bytes(80),
        client().hello() + bytes(32),  # an echo, filled up
    ],
    ids=["other key", "other session", "other challenge", "reflected cookie", "zeros", "echo"],
)
def test_impostors_and_replays_prove_nothing(answer: bytes) -> None:
    assert len(answer) == 80
    assert not proves(answer)


@given(st.integers(0, 79), st.integers(1, 255))
def test_one_altered_byte_proves_nothing(position: int, flip: int) -> None:
    answer = bytearray(server.answer(client().hello()))
    answer[position] ^= flip
    assert not proves(bytes(answer))


@pytest.mark.parametrize("key", [bytes(32), bytes([1]) + bytes(31)])  # points of small order
def test_a_pinned_key_that_is_no_key_proves_nothing(key: bytes) -> None:
    assert not proves(server.answer(client().hello()), key)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_the_answer_is_read_however_it_is_cut(pieces: list[bytes]) -> None:
    session, read = client(), b""
    for piece in pieces:
        read += piece
        if len(read) > 80:
            with pytest.raises(ValueError, match="80 bytes, and waits"):
                session.receive(piece)
            return
        assert session.receive(piece) == (read if len(read) == 80 else None)
        if len(read) == 80:
            assert not session.is_proved(read, [server.PUBLIC])
            return
