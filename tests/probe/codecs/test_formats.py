"""Both formats of the sealed batch: what 260d5f9 sealed is read for ever, and what format 2 is, made without our code.

`tests/data/batch/format-1.ndjson` was sealed by 260d5f9, of the same measurements without what it did not know of;
`format-2.ndjson` is what `independent` makes with json, hashlib and cryptography. Both are a batch before compression.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs import said_once, salted, seal
from probe.codecs.seal import LIMITS, SealError, reopen, unseal
from probe.model import BatchHeader, Context, Link, Measurement
from tests import genuine
from tests.probe.codecs.test_salted import independent as independent_leaf
from tests.source import ROOT

DATA = ROOT / "tests" / "data" / "batch"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
SEEN = tuple(genuine.measurements())
SALT = "5a" * 16
Json = dict[str, Any]


def compact(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def header(**changes: Any) -> Json:
    given = {
        "format": 2,
        "key": PUBLIC,
        "batch": "b" * 32,
        "sealed_ms": 1_772_000_100_000,
        "software": "ringback 0.1.0",
    }
    given |= {"targets": "d" * 64, "contexts": 2, "salt": SALT, "sequence": 7, "lost_batches": 1}
    return {**given, **changes}


def signed(lines: Sequence[bytes], salt: str = SALT) -> bytes:
    """The lines of a batch with the signature, as the docstrings of seal.py and salted.py say it."""
    leaves = [independent_leaf(line, number, bytes.fromhex(salt)) for number, line in enumerate(lines)]
    signature = KEY.sign(b"ringback-batch-2\n" + b"".join(leaves)).hex()
    return b"\n".join([*lines, compact({"signature": signature}), b""])


def independent() -> bytes:
    """The genuine measurements in format 2: two links, said once."""
    measured = [json.loads(seal.encode(each)) for each in SEEN]
    links = [measured[0]["link"], measured[-1]["link"]]
    own = [
        {"context": links.index(each["link"])} | {name: value for name, value in each.items() if name != "link"}
        for each in measured
    ]
    return signed([compact(header()), *[compact({"link": link}) for link in links], *map(compact, own)])


def packed(plain: bytes) -> bytes:
    return gzip.compress(plain, mtime=0)


VECTOR = (DATA / "format-2.ndjson").read_bytes()
LINES = VECTOR.splitlines()


def refusal(*lines: bytes) -> str:
    with pytest.raises(SealError) as caught:
        unseal(packed(signed(lines)))
    return caught.value.reason


def changed(line: bytes, **fields: Any) -> bytes:
    return compact(json.loads(line) | fields)


# --- Read ---------------------------------------------------------------------------------------------------------


def test_what_260d5f9_sealed_is_read() -> None:
    data = packed((DATA / "format-1.ndjson").read_bytes())
    batch = unseal(data)
    assert batch.header.format == 1
    assert [(each.uid, each.target) for each in batch.measurements] == [(each.uid, each.target) for each in SEEN]
    assert batch.measurements[0].sweeps == SEEN[0].sweeps
    assert reopen(data) == batch
    assert seal.count_measurements(data) == len(SEEN)


def test_the_vector_is_what_an_independent_writer_makes() -> None:
    assert independent() == VECTOR


def test_what_an_independent_writer_made_is_read() -> None:
    batch = unseal(packed(VECTOR))
    assert batch.measurements == SEEN
    assert batch.numbers == (0, 0, 0, 1)
    assert [context.link for context in batch.contexts] == [SEEN[0].link, SEEN[-1].link]
    assert (batch.header.sequence, batch.header.lost_batches, batch.header.lost_measurements) == (7, 1, 0)
    assert reopen(packed(VECTOR)) == batch
    assert seal.count_measurements(packed(VECTOR)) == len(SEEN)


def test_our_writer_makes_the_same() -> None:
    contexts = [seal.encode(Context(link=each.link)) for each in (SEEN[0], SEEN[-1])]
    lines = [said_once.say(each, number) for each, number in zip(SEEN, (0, 0, 0, 1), strict=True)]
    data = seal.seal(msgspec.convert(header(), BatchHeader), lines, KEY.sign, contexts)
    assert gzip.decompress(data) == VECTOR


def test_a_field_of_a_line_is_shown_and_nothing_else() -> None:
    """What a report can show: one field, the leaves of all lines, the signature."""
    leaves = seal.leaves(LINES[:-1], SALT)
    KEY.public_key().verify(bytes.fromhex(json.loads(LINES[-1])["signature"]), seal.signed_bytes(leaves, 2))
    (shown,) = salted.open_fields(LINES[3], 3, bytes.fromhex(SALT), ["target"])
    assert shown.text == '"target":"whatsapp/chat"'
    assert salted.opened_leaf(shown) == leaves[3]


def test_a_line_has_every_field_of_a_measurement_but_the_link() -> None:
    own = [field.name for field in msgspec.structs.fields(said_once.MeasurementLine)]
    assert own == ["context", *[field.name for field in msgspec.structs.fields(Measurement) if field.name != "link"]]


@given(st.lists(st.integers(0, 7), min_size=1, max_size=50))
def test_what_is_sealed_comes_out(numbers: list[int]) -> None:
    links = [Link(up=True, lag_ms=number) for number in range(8)]
    seen = [replace(SEEN[2], uid=f"{place:032x}", link=links[number]) for place, number in enumerate(numbers)]
    lines = [said_once.say(each, number) for each, number in zip(seen, numbers, strict=True)]
    contexts = [seal.encode(Context(link=link)) for link in links]
    data = seal.seal(msgspec.convert(header(contexts=8), BatchHeader), lines, KEY.sign, contexts)
    batch = unseal(data)
    assert batch.measurements == tuple(seen)
    assert batch.lines == tuple(lines)
    assert reopen(data) == batch


# --- Refuse -------------------------------------------------------------------------------------------------------

HEAD, FIRST, SECOND, *REST = LINES[:-1]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((compact(header(contexts=0)), *REST), "bad_format"),
        ((compact(header(contexts=9)), *[FIRST] * 9, *REST), "bad_format"),
        ((compact(header(contexts=-1)), *REST), "bad_schema"),
        ((compact(header(contexts=6)), FIRST, SECOND, *REST), "bad_format"),  # and no measurement is left
        ((compact(header(contexts=1)), FIRST, SECOND, *REST), "bad_schema"),
        ((compact(header(salt="")), FIRST, SECOND, *REST), "bad_schema"),
        ((compact(header(salt="5A" * 16)), FIRST, SECOND, *REST), "bad_schema"),
        ((compact(header(sequence=-1)), FIRST, SECOND, *REST), "bad_schema"),
        ((compact(header(lost_batches="1")), FIRST, SECOND, *REST), "bad_schema"),
        ((HEAD, FIRST, SECOND, changed(REST[0], context=2)), "bad_schema"),
        ((HEAD, FIRST, SECOND, changed(REST[0], context=-1)), "bad_schema"),
        ((HEAD, FIRST, SECOND, changed(REST[0], context=None)), "bad_schema"),
        ((HEAD, FIRST, SECOND, changed(REST[0], uid="x")), "bad_schema"),
        ((HEAD, FIRST, changed(SECOND, link=None), *REST), "bad_schema"),
        ((HEAD, FIRST, compact({}), *REST), "bad_schema"),
        ((HEAD, FIRST, changed(SECOND, ticket={"key": "0" * 64}), *REST), "bad_schema"),
        ((HEAD, FIRST, SECOND, REST[0], REST[0]), "duplicate_uid"),
        ((HEAD, FIRST, SECOND, *[changed(REST[2], uid=f"{n:032x}", resolutions=[]) for n in range(51)]), "too_many"),
    ],
)
def test_batches_that_are_refused(lines: tuple[bytes, ...], reason: str) -> None:
    assert refusal(*lines) == reason


def test_a_measurement_of_format_1_is_none_of_format_2() -> None:
    """It names no context; its own link would be said in vain."""
    assert refusal(HEAD, FIRST, SECOND, seal.encode(SEEN[0])) == "bad_schema"


def test_the_formats_do_not_pass_for_each_other() -> None:
    """A signature over one format's digests is none over the other's."""
    first = [json.loads(line) for line in (DATA / "format-1.ndjson").read_bytes().splitlines()]
    lines = [compact(first[0] | {"format": 2, "contexts": 1, "salt": SALT}), *map(compact, first[1:])]
    with pytest.raises(SealError) as caught:
        unseal(packed(b"\n".join([*lines, b""])))
    assert caught.value.reason == "bad_signature"


@pytest.mark.parametrize("space", [b'{"context": 0', b' {"context":0', b'{"context":0,"context":0'])
def test_a_line_of_format_2_has_no_spaces_and_no_name_twice(space: bytes) -> None:
    """Else two readers could take different leaves of it."""
    plain = VECTOR.replace(b'{"context":0', space, 1)
    with pytest.raises(SealError) as caught:
        unseal(packed(plain))
    assert caught.value.reason in ("bad_json", "bad_signature")


def test_fields_of_a_later_version_are_signed_and_kept() -> None:
    lines = [HEAD, changed(FIRST, later=[1.5]), SECOND, changed(REST[0], later={"x": "y"})]
    batch = unseal(packed(signed(lines)))
    assert batch.lines == (lines[3],)
    assert batch.measurements == SEEN[:1]


def test_a_later_version_has_room_and_not_without_end() -> None:
    """Fifty of the longest measurements that there are, each with something that this version does not know."""
    later = [changed(REST[0], uid=f"{n:032x}", later={"x": [1, "y"]}) for n in range(50)]
    alike = replace(LIMITS, ratio=1_000)  # for these compress as no real ones do
    assert len(unseal(packed(signed([HEAD, FIRST, SECOND, *later])), alike).measurements) == 50
    bomb = [changed(REST[0], uid=f"{n:032x}", later=[0] * 5_000) for n in range(50)]
    with pytest.raises(SealError) as caught:
        unseal(packed(signed([HEAD, FIRST, SECOND, *bomb])), alike)
    assert caught.value.reason == "too_many"


@given(st.data())
def test_a_bit_altered_in_any_line_is_noticed(data: st.DataObject) -> None:
    plain = bytearray(VECTOR)
    plain[data.draw(st.integers(0, len(plain) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealError):
        unseal(packed(bytes(plain)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    *[(0, name) for name in BatchHeader.__struct_fields__],
    *[(1, name) for name in Context.__struct_fields__],
    *[(3, name) for name in said_once.MeasurementLine.__struct_fields__],
]


@given(st.sampled_from(FIELDS), JSON)
def test_any_value_in_any_field_of_any_line_is_read_or_refused(place: tuple[int, str], value: Any) -> None:
    number, field = place
    lines = [HEAD, FIRST, SECOND, *REST]
    lines[number] = changed(lines[number], **{field: value})
    leaves = [salted.line_leaf(line, place, bytes.fromhex(SALT)) for place, line in enumerate(lines)]
    signature = compact({"signature": KEY.sign(b"ringback-batch-2\n" + b"".join(leaves)).hex()})
    try:
        unseal(packed(b"\n".join([*lines, signature, b""])))
    except SealError:
        return


def test_ordinary_measurements_never_need_the_careful_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each would cost several times as much."""

    def careful(*_: object) -> None:
        raise AssertionError("a genuine line took the careful path")

    monkeypatch.setattr("probe.codecs.strict_json._checked", careful)
    assert unseal(packed(VECTOR)).measurements == SEEN
    assert unseal(packed((DATA / "format-1.ndjson").read_bytes())).lines
