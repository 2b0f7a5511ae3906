"""The fast path of reading a line and the careful one take and refuse the same, whatever was made of a genuine line."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from probe import targets as targets_file
from probe.codecs import strict_json
from probe.codecs.strict_json import LIMITS, SealError, _checked, _recognised
from probe.model import Measurement
from tests import genuine
from tests.torture.corpus import corpus
from tests.torture.mutants import Mutator

HOSTILE = (b"1e999", b"NaN", b"[]", b"{}", b"null", b"7.0", b'"\\u0000"', b'"\xff"', b"9007199254740993", b'"a":1,')


def taken(line: bytes) -> Measurement | None:
    """What the careful path makes of it; None: it refuses."""
    try:
        return _checked(line, Measurement, LIMITS)
    except SealError:
        return None


def agree(line: bytes) -> bool:
    """Whether the line was recognised; asserts that the careful path says the same of it."""
    value = taken(line)
    as_written = value is not None and msgspec.json.encode(value) == line
    assert _recognised(line, Measurement) == (value if as_written else None), line
    return as_written


def test_of_what_probes_write() -> None:
    assert all(agree(msgspec.json.encode(each)) for each in corpus(targets_file.packaged()))


def test_of_what_a_stranger_may_write_in_the_right_types() -> None:
    mutants = Mutator(corpus(targets_file.packaged()), seed=1).mutants(1_500)
    recognised = [agree(msgspec.json.encode(each)) for each in mutants]
    assert 0 < sum(recognised) < len(recognised)


def fuzzed(count: int) -> Iterator[bytes]:
    """Genuine lines in which some bytes are others, repeated, missing, or something hostile."""
    chance = random.Random(1)
    lines = [msgspec.json.encode(each) for each in genuine.measurements()]
    for _ in range(count):
        line = bytearray(chance.choice(lines))
        at, size = chance.randrange(len(line)), chance.randrange(3)
        line[at : at + size] = chance.choice((b"", chance.randbytes(1), bytes(line[at : at + 9]), *HOSTILE))
        yield bytes(line)


def test_of_bytes_that_are_no_line_any_more() -> None:
    recognised = [agree(line) for line in fuzzed(3_000)]
    assert 0 < sum(recognised) < len(recognised)


@pytest.mark.parametrize("value", [[1], {"a": 1}, 7, None, True, 1.5])
def test_of_what_is_no_text_where_one_belongs(value: Any) -> None:
    """A list cannot be remembered, and must be refused as anything else."""
    whole = json.loads(msgspec.json.encode(genuine.measurements()[0]))
    for name in ("target", "cycle"):
        assert not agree(json.dumps({**whole, name: value}, separators=(",", ":")).encode())


def test_what_takes_the_careful_path_is_counted_before_any_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no refusal costs more than so many tokens do, whatever they are."""
    read: list[bytes] = []
    monkeypatch.setattr(strict_json, "_checked", lambda line, *more: read.append(line))
    known = msgspec.json.encode(genuine.measurements()[0])
    strange = known[:-1] + b',"new":[' + b"{}," * 99 + b"[]]}"
    limits = msgspec.structs.replace(LIMITS, tokens=2 * sum(strange.count(token) for token in b'",[{'))
    assert len(strict_json.decode_all([strange, known, strange, known], Measurement, limits)) == 4
    assert read == [strange, strange]
    with pytest.raises(SealError) as refused:
        strict_json.decode_all([strange, strange, b'{"a":1}'], Measurement, limits)
    assert (refused.value.reason, len(read)) == ("too_many", 2)
