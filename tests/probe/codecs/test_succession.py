"""The succession: what an independent signer makes of the docstring, in a batch that an independent writer made.

`tests/data/batch/succession.ndjson` is a batch of format 2 before compression, made by `independent` with json,
hashlib, struct and cryptography.
"""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs import forms
from probe.codecs.seal import SealError, unseal
from probe.codecs.succession import QUARTERS, first_day, is_genuine, quarter_of, sign
from probe.model import Link, Succession
from tests.probe.codecs.test_formats import DATA, KEY, PUBLIC, SEEN, compact, header, packed, signed

NEXT = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
FOLLOWING = NEXT.public_key().public_bytes_raw().hex()
ASN, QUARTER = 36903, 225  # April to June 2026
SAID = struct.pack(
    ">22s32s32sII", b"ringback-succession-1\n", bytes.fromhex(PUBLIC), bytes.fromhex(FOLLOWING), ASN, 225
)
ONE = {
    "old": PUBLIC,
    "new": FOLLOWING,
    "asn": ASN,
    "quarter": QUARTER,
    "by_old": KEY.sign(SAID).hex(),
    "by_new": NEXT.sign(SAID).hex(),
}


def independent(**changes: Any) -> bytes:
    """A batch of one measurement whose header has the succession."""
    own = {"context": 0} | json.loads(msgspec.json.encode(SEEN[-1]))
    own.pop("link")
    head = header(contexts=1, succession={**ONE, **changes})
    return signed([compact(head), compact({"link": {"up": True}}), compact(own)])


def reason(**changes: Any) -> str:
    with pytest.raises(SealError) as caught:
        unseal(packed(independent(**changes)))
    return caught.value.reason


VECTOR = (DATA / "succession.ndjson").read_bytes()


def test_the_vector_is_what_an_independent_writer_makes() -> None:
    assert independent() == VECTOR


def test_what_an_independent_writer_made_is_read() -> None:
    batch = unseal(packed(VECTOR))
    assert batch.header.succession == msgspec.convert(ONE, Succession)
    assert batch.measurements == (replace(SEEN[-1], link=Link(up=True)),)


def test_our_signer_makes_the_same() -> None:
    assert sign(PUBLIC, FOLLOWING, ASN, QUARTER, KEY.sign, NEXT.sign) == msgspec.convert(ONE, Succession)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"asn": 36904}, "bad_succession"),
        ({"quarter": 226}, "bad_succession"),
        ({"by_old": ONE["by_new"]}, "bad_succession"),
        ({"by_new": ONE["by_old"]}, "bad_succession"),
        ({"old": FOLLOWING}, "bad_succession"),
        ({"new": PUBLIC}, "bad_succession"),
        ({"old": FOLLOWING, "new": PUBLIC}, "bad_succession"),
        ({"old": "ab" * 32}, "bad_succession"),
        ({"asn": 0}, "bad_schema"),
        ({"asn": 2**32}, "bad_schema"),
        ({"quarter": -1}, "bad_schema"),
        ({"quarter": QUARTERS}, "bad_schema"),
        ({"old": "AB" * 32}, "bad_schema"),
        ({"by_old": ""}, "bad_schema"),
        ({"new": None}, "bad_schema"),
    ],
)
def test_what_is_altered_is_refused(changes: dict[str, Any], said: str) -> None:
    assert reason(**changes) == said


def test_two_others_succession_is_not_taken() -> None:
    """Else anybody could carry it, and be seen with it."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    third = other.public_key().public_bytes_raw().hex()
    between = sign(FOLLOWING, third, ASN, QUARTER, NEXT.sign, other.sign)
    assert is_genuine(between)
    assert reason(**msgspec.to_builtins(between)) == "bad_succession"


def test_one_key_does_not_follow_itself() -> None:
    assert not is_genuine(sign(PUBLIC, PUBLIC, ASN, QUARTER, KEY.sign, KEY.sign))


def test_format_1_has_none() -> None:
    head = {name: value for name, value in header(format=1, succession=ONE).items() if name not in ("contexts", "salt")}
    with pytest.raises(SealError) as caught:
        unseal(packed(b"\n".join([compact(head), b"{}", b'{"signature":"' + b"0" * 128 + b'"}', b""])))
    assert caught.value.reason == "bad_format"


@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("old", "new", "by_old", "by_new"), st.text(max_size=130)),
            **dict.fromkeys(("asn", "quarter"), st.integers()),
        }
    )
)
def test_junk_is_not_genuine(junk: dict[str, Any]) -> None:
    assert not is_genuine(msgspec.convert(junk, Succession))
    with pytest.raises(msgspec.ValidationError):
        forms.check(json.dumps(junk).encode(), Succession)


@given(st.integers(0, 253_402_300_799_999))
def test_a_moment_lies_in_its_quarter(moment_ms: int) -> None:
    quarter = quarter_of(moment_ms)
    assert first_day(quarter) * 86_400_000 <= moment_ms
    assert quarter == QUARTERS - 1 or moment_ms < first_day(quarter + 1) * 86_400_000


def test_quarters_begin_where_calendars_say() -> None:
    for month, number in ((1, 0), (3, 0), (4, 1), (6, 1), (7, 2), (10, 3), (12, 3)):
        at = datetime(2026, month, 28, tzinfo=UTC)
        assert quarter_of(int(at.timestamp() * 1000)) == (2026 - 1970) * 4 + number
    assert first_day(224) == (datetime(2026, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days


@pytest.mark.parametrize(
    ("moment_ms", "quarter"), [(-1, 0), (-(2**53), 0), (2**53, QUARTERS - 1), (2**63, QUARTERS - 1)]
)
def test_any_clock_is_in_some_quarter(moment_ms: int, quarter: int) -> None:
    assert quarter_of(moment_ms) == quarter
