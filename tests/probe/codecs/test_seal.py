"""The sealed batch: what goes in comes out, and whatever else comes in is refused with its reason."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs import seal
from probe.codecs.seal import LIMITS, SealError, encode, unseal
from probe.model import Attempt, BatchHeader, DnsFacts, Link, Measurement, Observation, Resolution, Step, Transport
from tests.steps import is_bounded

TWO_MEGABYTES = 40  # times the steps that are allowed for 60 kB
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HEADER = BatchHeader(
    format=1,
    key=KEY.public_key().public_bytes_raw().hex(),
    batch="b" * 32,
    sealed_ms=1_456_500_000_000,
    software="ringback 0.1.0",
    targets="d" * 64,
)
OBSERVED = Observation(step=Step.DNS, started_us=0, took_us=1, failure=None, dns=DnsFacts(resolver="isp"))
MEASUREMENT = Measurement(
    uid="0" * 32,
    target="whatsapp/call",
    cycle="c" * 32,
    round=1,
    started_ms=1_456_499_000_000,
    clock_offset_ms=None,
    link=Link(up=True),
    resolutions=(Resolution(host="relay.example", observation=OBSERVED),),
    attempts=(
        Attempt(host="relay.example", port=3478, transport=Transport.UDP, handshake="turn", observations=(OBSERVED,)),
    ),
)


def measurements(count: int) -> list[Measurement]:
    return [replace(MEASUREMENT, uid=f"{number:032x}") for number in range(count)]


def batch(*lines: bytes, header: BatchHeader = HEADER) -> bytes:
    return seal.seal(header, lines or (encode(MEASUREMENT),), KEY.sign)


def plain_lines(data: bytes) -> list[bytes]:
    return gzip.decompress(data).splitlines()


def resealed(header: bytes, *lines: bytes) -> bytes:
    """Whatever the lines are, signed as by somebody who holds the key."""
    signature = KEY.sign(seal.signed_bytes(seal.digests((header, *lines))))
    return gzip.compress(b"\n".join((header, *lines, b'{"signature":"%s"}' % signature.hex().encode(), b"")), mtime=0)


def packed(plain: bytes) -> bytes:
    return gzip.compress(plain, mtime=0)


def name(value: object) -> str:
    """Of a case, by its words; the bytes would be too long, and each worker's must be the same."""
    return value if isinstance(value, str) else "…"


def changed(**fields: Any) -> bytes:
    """The measurement's line with these JSON fields put in place."""
    return json.dumps(json.loads(encode(MEASUREMENT)) | fields).encode()


def header_with(**fields: Any) -> bytes:
    return json.dumps(json.loads(msgspec.json.encode(HEADER)) | fields).encode()


def refusal(data: bytes, limits: seal.Limits = LIMITS) -> tuple[str, str]:
    with pytest.raises(SealError) as caught:
        unseal(data, limits)
    return caught.value.reason, str(caught.value)


# --- Round trip -----------------------------------------------------------------------------------------------


def test_what_is_sealed_comes_out() -> None:
    sealed = measurements(50)
    opened = unseal(batch(*map(encode, sealed)))
    assert opened.header == HEADER
    assert opened.measurements == tuple(sealed)
    assert opened.lines == tuple(map(encode, sealed))


def test_the_same_batch_is_the_same_bytes() -> None:
    assert batch() == batch()


def test_fields_and_words_of_a_later_version_are_kept_in_the_line() -> None:
    line = changed(later={"x": [1.5, "y"]}, not_attempted="moon_phase")
    opened = unseal(batch(line))
    assert opened.lines == (line,)
    assert opened.measurements[0].not_attempted == "unknown"


def test_text_of_a_censor_does_not_get_its_evidence_refused() -> None:
    resolution = {"host": "a", "observation": {"step": "dns", "started_us": 0, "took_us": 0, "failure": "\0\n\x1b"}}
    assert unseal(batch(changed(resolutions=[resolution])))


def test_one_line_can_be_checked_alone_with_its_seal() -> None:
    """What a report publishes: the header line, the digests of the other lines, the signature, and the line."""
    header, *lines, last = plain_lines(batch(*map(encode, measurements(5))))
    signature = bytes.fromhex(json.loads(last)["signature"])
    public, others = lines[2], seal.digests([*lines[:2], *lines[3:]])

    def signed(line: bytes) -> bytes:
        return seal.signed_bytes([*seal.digests([header]), *others[:2], *seal.digests([line]), *others[2:]])

    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(json.loads(header)["key"]))
    key.verify(signature, signed(public))
    with pytest.raises(InvalidSignature):
        key.verify(signature, signed(public.replace(b"whatsapp", b"telegram")))


def test_a_line_with_a_newline_cannot_be_sealed() -> None:
    with pytest.raises(ValueError, match="must not contain a newline"):
        batch(b"{}\n{}")


# --- Refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason", "sentence"),
    [
        (b"", "not_gzip", "cut short"),
        (b"{}", "not_gzip", "not gzip"),
        (batch()[:-1], "not_gzip", "cut short"),
        (batch()[:-5] + bytes(5), "not_gzip", "damaged"),
        (batch() + b"x", "not_gzip", "follows the end"),
        (batch() + batch(), "not_gzip", "follows the end"),
        (bytes(256_001), "too_large", "larger than 256000 bytes"),
        (packed(bytes(64_001)), "bomb", "inflates to more than 64000 bytes"),
        (packed(b"\n" * 60_000), "too_many", "more than 50"),
        (packed(b""), "bad_format", "each line ended"),
        (packed(gzip.decompress(batch())[:-1]), "bad_format", "each line ended"),
        (packed(gzip.decompress(batch()) + b" "), "bad_format", "each line ended"),
        (packed(gzip.decompress(batch()) + b"{}\n"), "bad_format", "The last line"),
        (packed(gzip.decompress(batch())[:-2] + b" }\n"), "bad_format", "The last line"),
        (seal.seal(HEADER, (), KEY.sign), "bad_format", "each line ended"),
    ],
    ids=name,
)
def test_envelopes_that_are_refused(data: bytes, reason: str, sentence: str) -> None:
    found, message = refusal(data)
    assert found == reason
    assert sentence in message


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (header_with(format=3), "bad_format"),
        (header_with(contexts=1), "bad_format"),
        (header_with(key="A" * 64), "bad_key"),
        (header_with(key="0" * 62), "bad_key"),
        (header_with(batch="b" * 31), "bad_schema"),
        (header_with(batch="b" * 32 + "\n"), "bad_schema"),
        (header_with(software="ringback,country=MA"), "bad_schema"),
        (header_with(software="r" * 65), "bad_schema"),
        (header_with(targets="0" * 63 + "G"), "bad_schema"),
        (header_with(sealed_ms=2**53), "bad_schema"),
        (header_with(sealed_ms="now"), "bad_schema"),
        (b"{}", "bad_schema"),
        (b"[]", "bad_schema"),
        (b"", "bad_json"),
        (b"\xff", "bad_json"),
        (b"[" * 17, "too_deep"),
    ],
    ids=name,
)
def test_headers_that_are_refused(header: bytes, reason: str) -> None:
    assert refusal(resealed(header, encode(MEASUREMENT)))[0] == reason


# So that more than inflation has work to do.
ANY_RATIO = replace(LIMITS, ratio=1_000_000, tokens=10_000_000, careful_bytes=10_000_000)
MANY = [json.loads(encode(MEASUREMENT))["attempts"][0]] * 513


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (changed(uid="0" * 31), "bad_schema"),
        (changed(uid="F" * 32), "bad_schema"),
        (changed(cycle="c" * 33), "bad_schema"),
        (changed(round=0), "bad_schema"),
        (changed(round=3), "bad_schema"),
        (changed(round=True), "bad_schema"),
        (changed(started_ms=2**53), "bad_schema"),
        (changed(started_ms=-(2**53)), "bad_schema"),
        (changed(started_ms=1.0), "bad_schema"),
        (changed(later=10**4000), "too_large_or_bad_schema"),
        (changed(target="whatsapp"), "bad_schema"),
        (changed(target="whatsapp/call\n"), "bad_schema"),
        (changed(target="WhatsApp/call"), "bad_schema"),
        (changed(target="a,asn=1/call"), "bad_schema"),
        (changed(target="a" * 41 + "/call"), "bad_schema"),
        (changed(attempts=[MANY[0] | {"host": "a b"}]), "bad_schema"),
        (changed(attempts=[MANY[0] | {"host": "a" * 256}]), "bad_schema"),
        (changed(attempts=[MANY[0] | {"handshake": "turn\0"}]), "bad_schema"),
        (changed(resolutions=[{"host": "", "observation": MANY[0]["observations"][0]}]), "bad_schema"),
        (changed(attempts=MANY), "too_many"),
        (changed(attempts=[MANY[0] | {"observations": MANY[0]["observations"] * 513}]), "too_many"),
        (changed(link=None), "bad_schema"),
        (changed(later="x" * 4_000), "too_large"),
        (changed(later='"' * 2_000), "too_large"),
        (changed(later="[" * 3_000), "accepted"),
        (changed(later='\\"[{' * 20), "accepted"),
        (b'{"later":' + b"[" * 16 + b"]" * 16 + b"}", "too_deep"),
        (encode(MEASUREMENT)[:-1], "bad_json"),
        (encode(MEASUREMENT) + b"{}", "bad_json"),
        (encode(MEASUREMENT)[:-1] + b',"uid":"' + b"1" * 32 + b'"}', "bad_json"),
        (encode(MEASUREMENT)[:-1] + b',"later":NaN}', "bad_json"),
        (encode(MEASUREMENT)[:-1] + b',"later":-Infinity}', "bad_json"),
        (encode(MEASUREMENT).replace(b"whatsapp", b"what\xffsapp"), "bad_json"),
        (encode(MEASUREMENT).replace(b"relay.example", rb"\ud800"), "bad_json"),
        (b"\xef\xbb\xbf" + encode(MEASUREMENT), "bad_json"),
        (b"", "bad_json"),
        (b"null", "bad_schema"),
    ],
    ids=name,
)
def test_measurements_that_are_refused(line: bytes, reason: str) -> None:
    data = batch(line)
    if reason == "accepted":
        assert unseal(data).lines == (line,)
    else:
        assert refusal(data, ANY_RATIO)[0] in reason.split("_or_")


def test_a_uid_stands_once_in_a_batch() -> None:
    assert refusal(batch(encode(MEASUREMENT), encode(MEASUREMENT)))[0] == "duplicate_uid"


def test_of_what_this_version_does_not_know_there_may_be_a_megabyte() -> None:
    data = batch(changed(later=["x" * 3_990] * 240))
    assert len(unseal(data, replace(LIMITS, ratio=1_000_000)).measurements) == 1
    data = batch(changed(later=["x" * 3_990] * 260))
    assert refusal(data, replace(LIMITS, ratio=1_000_000))[0] == "too_many"
    assert len(unseal(data, ANY_RATIO).measurements) == 1


def test_fifty_one_measurements_are_too_many() -> None:
    assert refusal(batch(*map(encode, measurements(51))))[0] == "too_many"


def test_a_signature_by_another_key_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert refusal(seal.seal(HEADER, [encode(MEASUREMENT)], other.sign))[0] == "bad_signature"


def alterations() -> list[Callable[[list[bytes]], list[bytes]]]:
    return [
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],  # swapped
        lambda lines: [lines[0], *lines[2:]],  # left out
        lambda lines: [*lines[:2], lines[1].replace(b"000", b"001", 1), *lines[2:]],  # put in
        lambda lines: [lines[0], lines[1] + b" ", *lines[2:]],
        lambda lines: [lines[0], lines[1] + b"\r", *lines[2:]],
    ]


@pytest.mark.parametrize("alter", alterations())
def test_lines_that_were_moved_break_the_signature(alter: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = alter(gzip.decompress(batch(*map(encode, measurements(3)))).split(b"\n"))
    assert refusal(gzip.compress(b"\n".join(lines)))[0] == "bad_signature"


@given(st.data())
def test_a_bit_altered_in_any_line_is_noticed(data: st.DataObject) -> None:
    plain = bytearray(gzip.decompress(batch(*map(encode, measurements(3)))))
    plain[data.draw(st.integers(0, len(plain) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealError):
        unseal(gzip.compress(bytes(plain)))


# --- Bounds and junk ------------------------------------------------------------------------------------------


def test_a_bomb_is_refused_in_bounded_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=9)[:250_000]
    tracemalloc.start()
    try:
        assert refusal(bomb)[0] == "bomb"
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "unit", [b'"', b'\\"', b"\\", b'"\\', b'""', b"[]", b"{}", b"[", b"9", b'{"a":', b"\n", b'"a" ', b"[],"]
)
def test_no_line_takes_long(unit: bytes) -> None:
    data = resealed(msgspec.json.encode(HEADER), unit * (1_990_000 // len(unit)))

    def read() -> None:
        with pytest.raises(SealError):
            unseal(data, ANY_RATIO)

    assert is_bounded(read, TWO_MEGABYTES)  # linear: a quadratic search would take hours


@given(st.binary(max_size=400))
def test_junk(data: bytes) -> None:
    for junk in (data, gzip.compress(data), gzip.compress(b"{}\n" + data + b"\n{}\n")):
        with pytest.raises(SealError):
            unseal(junk)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(Measurement.__struct_fields__), JSON)
def test_a_signed_line_with_any_value_in_any_field_is_read_or_refused(field: str, value: Any) -> None:
    try:
        unseal(batch(changed(**{field: value})))
    except SealError:
        return


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_mutated_batch_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(batch())
    for position, byte in changes:
        data[position % len(data)] = byte
    try:
        unseal(bytes(data))  # the gzip header holds bytes of no meaning
    except SealError:
        return
