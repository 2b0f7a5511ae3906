"""WhatsApp's opening without sockets: our half against a server's that is built on another implementation."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import noise, whatsapp
from probe.codecs.whatsapp import BROWSER, PHONE, ROUTING, ServerHello, Session
from tests.servers.noise import DAY, SEED, Chat, Identity, Signer, hello, identity, message, replayed

ROOT = Signer(SEED)
WHO = identity(ROOT)
# wa_voice.pcap of nDPI's test corpus, frame 17 (2019): a genuine server's answer to a client that resumes (Noise IK).
RESUMED = bytes.fromhex(
    "0000361a340a20c9fb26f1c66afba1a95758775bdc6bf20940860a2ccc90c12087fdfb12bfcc741a1034b6775ed3771a5f08c0bb39d22ffd3c"
)


def session(header: bytes = PHONE, prefix: bytes = b"") -> Session:
    return Session(os.urandom(32), header, prefix)


def meet(who: Identity = WHO, header: bytes = PHONE, prefix: bytes = b"") -> ServerHello:
    ours = session(header, prefix)
    seen = ours.receive(Chat(who).receive(ours.hello()))
    assert seen is not None
    return seen


@pytest.mark.parametrize("header", [PHONE, BROWSER])
@pytest.mark.parametrize("prefix", [b"", ROUTING])
def test_a_server_is_met_and_its_chain_begins_at_its_root(header: bytes, prefix: bytes) -> None:
    seen = meet(WHO, header, prefix)
    assert whatsapp.is_genuine(seen, ROOT.public)
    assert not whatsapp.is_genuine(seen, Signer(os.urandom(32)).public)
    assert seen.static == WHO.static.public_key().public_bytes_raw()


def test_what_is_sent_byte_for_byte() -> None:
    """The bytes that nDPI's and libprotoident's dissectors and the captures have, ephemeral key apart."""
    sent = session(PHONE, ROUTING).hello()
    assert sent[:7] == bytes.fromhex("45440001000004")
    assert sent[7:11] == bytes.fromhex("08080802")
    assert sent[11:15] == b"WA\x05\x03"
    assert sent[15:22] == bytes.fromhex("0000241222 0a20")
    assert len(sent) == 22 + 32
    assert session(BROWSER).hello()[:4] == b"WA\x06\x03"


def test_the_ephemeral_key_is_new_each_time() -> None:
    assert session().hello() != session().hello()


def test_an_answer_in_pieces() -> None:
    ours = session()
    answer = Chat(WHO).receive(ours.hello())
    pieces = [ours.receive(answer[at : at + 1]) for at in range(len(answer))]
    assert pieces[:-1] == [None] * (len(answer) - 1)
    assert pieces[-1] is not None
    assert whatsapp.is_genuine(pieces[-1], ROOT.public)


def test_a_client_that_resumes_is_answered_otherwise() -> None:
    with pytest.raises(ValueError, match="field 2 is missing"):
        session().receive(RESUMED)


def test_an_answer_to_somebody_else_is_no_answer() -> None:
    ours = session()
    ours.hello()
    with pytest.raises(ValueError, match="not encrypted for this session"):
        ours.receive(replayed(WHO))


def test_an_answer_for_another_header_is_no_answer() -> None:
    ours = session(PHONE)
    ephemeral = ours.hello()[-32:]
    with pytest.raises(ValueError, match="not encrypted for this session"):
        ours.receive(hello(WHO, BROWSER, ephemeral))


@pytest.mark.parametrize("wrong", [{"issuer": 3}, {"leaf_issuer": 8}, {"leaf_key": bytes(32)}])
def test_a_chain_that_does_not_fit_together(wrong: dict[str, int | bytes]) -> None:
    assert not whatsapp.is_genuine(meet(identity(ROOT, **wrong)), ROOT.public)  # type: ignore[arg-type]


def test_a_genuine_chain_on_somebody_elses_server() -> None:
    """The certificates are public: whoever copies them does not have the key."""
    thief = Identity(Signer(os.urandom(32)).private, WHO.chain)
    assert not whatsapp.is_genuine(meet(thief), ROOT.public)


def test_when_a_certificate_is_valid() -> None:
    leaf = meet(identity(ROOT, since=1000, lasts=DAY)).leaf
    assert [leaf.covers(at) for at in (999, 1000, 1000 + DAY, 1001 + DAY)] == [False, True, True, False]


@pytest.mark.parametrize(
    "chain", [b"", message((1, b"")), message((1, message((1, b"d"), (2, bytes(64)))), (2, message((1, b"d"))))]
)
def test_a_chain_that_cannot_be_read(chain: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        meet(Identity(WHO.static, chain))


@pytest.mark.parametrize("size", [whatsapp.MAX_FRAME + 1, 2**24 - 1])
def test_a_frame_of_no_server_hello(size: int) -> None:
    with pytest.raises(ValueError, match=f"a first frame of {size} bytes"):
        session().receive(size.to_bytes(3))


def test_bytes_beyond_the_hello_are_left_alone() -> None:
    ours = session()
    assert ours.receive(Chat(WHO).receive(ours.hello()) + b"more") is not None


@given(st.data())
def test_every_changed_byte_of_an_answer_is_noticed(data: st.DataObject) -> None:
    ours = session()
    answer = bytearray(Chat(WHO).receive(ours.hello()))
    position = data.draw(st.integers(0, len(answer) - 1))
    answer[position] ^= data.draw(st.integers(1, 255))
    try:
        seen = ours.receive(bytes(answer))
    except ValueError:
        return
    assert seen is None  # a longer frame, of which more is to come


@given(st.binary(max_size=600))
def test_junk(data: bytes) -> None:
    try:
        assert session().receive(data) is None
    except ValueError:
        return


def test_a_certificate_is_known_by_all_that_was_signed_and_the_signature() -> None:
    one, two = meet().leaf, meet(identity(ROOT)).leaf
    assert one.sha256 == meet().leaf.sha256 != two.sha256
    assert one.covers(time.time())
    assert len(one.key) == noise.KEY_BYTES
