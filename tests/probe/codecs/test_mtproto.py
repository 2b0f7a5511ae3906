"""MTProto's first exchange without sockets: published answers, Telethon's reading and writing, a server of our own."""

from __future__ import annotations

import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon.crypto import rsa
from telethon.extensions import BinaryReader
from telethon.network.connection import tcpobfuscated
from telethon.network.connection.tcpabridged import AbridgedPacketCodec
from telethon.network.connection.tcpintermediate import IntermediatePacketCodec
from telethon.tl.functions import ReqPqMultiRequest

from probe.codecs import mtproto
from probe.codecs.mtproto import FRAMINGS, Framing, Obfuscation, Refused, ResPq, Session
from tests.servers.mtproto import KEY, PQ, DataCentre, res_pq

DATA = Path(__file__).parents[2] / "data" / "mtproto"
NONCES = {
    "res-pq-2013": bytes.fromhex("3e0549828cca27e966b301a48fece2fc"),
    "res-pq-2024": bytes.fromhex("406709f612fadfbec3f0289d0aa67eef"),
}
NONCE = bytes(range(16))
NOW_MS = 1_780_000_000_123
THEIR_CODECS = {"abridged": AbridgedPacketCodec, "intermediate": IntermediatePacketCodec}
# Of Telegram Desktop (mtproto_dc_options.cpp, kPublicRSAKeys), as tdlib's and gogram's copies have it too.
CURRENT_KEY = """-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g
5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO
62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/
+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9
t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs
5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB
-----END RSA PUBLIC KEY-----"""


def published(name: str) -> bytes:
    lines = (DATA / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def session(way: str, nonce: bytes = NONCE) -> Session:
    if way != "obfuscated":
        return Session(nonce, FRAMINGS[way])
    hidden = Obfuscation(mtproto.usable_seed(os.urandom), mtproto.ABRIDGED * 4)
    return Session(nonce, FRAMINGS["abridged"], hidden)


# --- The message and its answer -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fingerprints"),
    [
        ("res-pq-2013", ["216be86c022bb4c3"]),
        ("res-pq-2024", ["a5b7f709355fc30b", "216be86c022bb4c3", "85fd64de851d9dd0"]),
    ],
)
def test_published_answers(name: str, fingerprints: list[str]) -> None:
    answer = mtproto.parse(published(name), NONCES[name])
    theirs = BinaryReader(published(name)[20:]).tgread_object()
    assert [each.hex() for each in answer.fingerprints] == fingerprints
    assert answer.pq == theirs.pq
    assert answer.server_nonce == theirs.server_nonce.to_bytes(16, "little", signed=True)
    assert [int.from_bytes(each, "little", signed=True) for each in answer.fingerprints] == (
        theirs.server_public_key_fingerprints
    )


def test_the_published_request() -> None:
    """core.telegram.org/mtproto/samples-auth_key; its message id is unique in the lower half, as ours need not be."""
    published_request = bytes.fromhex(
        "0000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa67eef"
    )
    ours = mtproto.request(NONCES["res-pq-2024"], 0x65C53D50 * 1000)
    assert ours[:8] + ours[12:] == published_request[:8] + published_request[12:]


@given(st.binary(min_size=16, max_size=16), st.integers(0, (2**32 - 1) * 1000))
def test_telethon_writes_the_same_request(nonce: bytes, unix_ms: int) -> None:
    ours = mtproto.request(nonce, unix_ms)
    assert ours[20:] == bytes(ReqPqMultiRequest(int.from_bytes(nonce, "little", signed=True)))
    assert ours[16:20] == (20).to_bytes(4, "little")
    message_id = int.from_bytes(ours[8:16], "little")
    assert message_id % 4 == 0
    assert message_id >> 32 == unix_ms // 1000


def test_the_answer_to_another_nonce_is_no_answer() -> None:
    with pytest.raises(ValueError, match="answers another request"):
        mtproto.parse(published("res-pq-2013"), NONCE)


@pytest.mark.parametrize("code", [-404, -429, -444])
def test_a_refusal_of_the_transport(code: int) -> None:
    with pytest.raises(Refused) as refused:
        mtproto.parse(code.to_bytes(4, "little", signed=True), NONCE)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:19], "at least 20 bytes"),
        (lambda data: b"\1" + data[1:], "no message without a key"),
        (lambda data: data + bytes(4), "its length is wrong"),
        (lambda data: data[:20] + b"\0\0\0\0" + data[24:], "no resPQ"),
        (lambda data: data[:16] + bytes([20, 0, 0, 0]) + data[20:40], "no resPQ"),
        (lambda data: data[:56] + b"\xfe" + data[57:], "pq is missing or too long"),
        (lambda data: data[:56] + b"\x28" + data[57:], "pq is cut off"),
        (lambda data: data[:68] + b"\0\0\0\0" + data[72:], "no vector"),
        (lambda data: data[:72] + b"\2" + data[73:], "no vector of as many"),
        (lambda data: data[:16] + bytes([52, 0, 0, 0]) + data[20:72], "fingerprints are missing"),
    ],
)
def test_what_is_no_answer(change: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        mtproto.parse(change(published("res-pq-2013")), NONCES["res-pq-2013"])  # type: ignore[operator]


def test_fingerprints_are_those_of_telegrams_published_keys() -> None:
    """As Telethon computes them; the targets file gives those that genuine answers have had."""
    rsa.add_key(CURRENT_KEY, old=False)
    known = {fingerprint.to_bytes(8, "little", signed=True).hex() for fingerprint in rsa._server_keys}
    answer = mtproto.parse(published("res-pq-2024"), NONCES["res-pq-2024"])
    assert {each.hex() for each in answer.fingerprints} <= known


# --- Framings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["abridged", "intermediate"])
@given(words=st.integers(1, mtproto.MAX_PACKET // 4))
def test_telethon_frames_alike(way: str, words: int) -> None:
    packet, framing, codec = random.Random(words).randbytes(4 * words), FRAMINGS[way], THEIR_CODECS[way](None)
    assert (framing.opening, framing.pack(packet)) == (codec.tag, codec.encode_packet(packet))
    assert framing.unpack(codec.encode_packet(packet) + b"more") == (packet, b"more")


def test_telethon_hides_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = mtproto.usable_seed(random.Random(7).randbytes)
    monkeypatch.setattr(tcpobfuscated, "os", SimpleNamespace(urandom=lambda size: seed[:size]))
    header, encrypt, decrypt = tcpobfuscated.ObfuscatedIO.init_header(AbridgedPacketCodec)
    ours = Obfuscation(seed, mtproto.ABRIDGED * 4)
    assert ours.opening == bytes(header)
    for text in (b"one", b"and another"):
        assert ours.hide(text) == encrypt.encrypt(text)
        assert ours.show(text) == decrypt.encrypt(text)


def test_a_seed_begins_like_nothing_else() -> None:
    wrong = [
        b"\xef",
        b"HEAD",
        b"POST",
        b"GET ",
        b"OPTI",
        b"\x16\x03\x01\x02",
        b"\xee" * 4,
        b"\xdd" * 4,
        b"abcd\0\0\0\0",
    ]
    seeds = iter([begin.ljust(64, b"x") for begin in wrong] + [b"y" * 64])
    assert mtproto.usable_seed(lambda size: next(seeds)[:size]) == b"y" * 64


def test_nothing_of_an_obfuscated_request_is_constant() -> None:
    first, second = (session("obfuscated").request(NOW_MS) for _ in range(2))
    assert len(first) == 64 + 1 + 40
    assert sum(one == two for one, two in zip(first, second, strict=True)) < 10


@pytest.mark.parametrize(
    ("framing", "data"),
    [
        (FRAMINGS["abridged"], b"\x80"),
        (FRAMINGS["abridged"], b"\0"),
        (FRAMINGS["abridged"], b"\x7f\xff\xff\xff"),
        (FRAMINGS["intermediate"], bytes(4)),
        (FRAMINGS["intermediate"], b"HTTP"),
    ],
)
def test_a_length_that_no_answer_has(framing: Framing, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no answer|answers nothing"):
        framing.unpack(data)


# --- Session against session ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["abridged", "intermediate", "obfuscated"])
def test_a_data_centre_is_met(way: str) -> None:
    ours, theirs = session(way), DataCentre(bytes(8), KEY)
    answer = ours.receive(theirs.receive(ours.request(NOW_MS)))
    assert answer is not None
    assert (answer.pq, answer.fingerprints) == (PQ, (bytes(8), KEY))
    assert theirs.framing == ("intermediate" if way == "intermediate" else "abridged")


@pytest.mark.parametrize("way", ["abridged", "intermediate", "obfuscated"])
def test_an_answer_in_pieces(way: str) -> None:
    ours = session(way)
    reply = DataCentre(KEY).receive(ours.request(NOW_MS))
    pieces = [ours.receive(reply[at : at + 1]) for at in range(len(reply))]
    assert pieces[:-1] == [None] * (len(reply) - 1)
    assert isinstance(pieces[-1], ResPq)


@pytest.mark.parametrize("way", ["abridged", "intermediate", "obfuscated"])
def test_a_refusal_reaches_us_in_every_framing(way: str) -> None:
    ours = session(way)
    with pytest.raises(Refused, match="-429"):
        ours.receive(DataCentre(KEY, refuses=-429).receive(ours.request(NOW_MS)))


@given(st.sampled_from(["abridged", "intermediate", "obfuscated"]), st.binary(max_size=300))
def test_junk(way: str, data: bytes) -> None:
    try:
        assert session(way).receive(data) is None
    except ValueError:
        return


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6))
def test_mutated_answers(changes: list[tuple[int, int]]) -> None:
    data = bytearray(res_pq(NONCE, [KEY]))
    for position, byte in changes:
        data[position % len(data)] = byte
    try:
        answer = mtproto.parse(bytes(data), NONCE)
    except ValueError:
        return
    assert data[24:40] == NONCE
    assert len(answer.fingerprints) == 1
