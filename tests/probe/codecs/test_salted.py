"""Salted fields: shown one by one under the leaf of their line, and guessed by nobody."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs.salted import line_leaf, open_fields, opened_leaf

SALT = bytes(range(16))
LINE = b'{"uid":"7","target":"viber/call","n":[1,{"a":2}],"x":null}'


def independent(line: bytes, number: int, salt: bytes) -> bytes:
    """The leaf, as the docstring of salted.py says it, with json and hashlib alone."""
    level = []
    for name, value in json.loads(line).items():
        key = hashlib.blake2s(number.to_bytes(2, "big") + name.encode(), key=salt, digest_size=16).digest()
        text = json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
        level.append(hashlib.sha256(b"\x00" + key + text).digest())
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)] + odd
    return level[0] if level else hashlib.sha256().digest()


def test_the_leaf_is_what_is_written_down() -> None:
    assert line_leaf(LINE, 3, SALT) == independent(LINE, 3, SALT)
    assert line_leaf(b"{}", 0, SALT) == independent(b"{}", 0, SALT)


NAMES = st.text(st.characters(min_codepoint=0x61, max_codepoint=0x7A), min_size=1, max_size=6)
OBJECTS = st.dictionaries(
    NAMES, st.none() | st.booleans() | st.integers(0, 9) | st.lists(st.integers(0, 9)), max_size=9
)


@given(OBJECTS, st.integers(0, 60), st.data())
def test_any_choice_of_fields_can_be_shown(value: dict[str, Any], number: int, data: st.DataObject) -> None:
    line = json.dumps(value, separators=(",", ":")).encode()
    leaf = line_leaf(line, number, SALT)
    assert leaf == independent(line, number, SALT)
    names = data.draw(st.sets(st.sampled_from(sorted(value)))) if value else set()
    shown = open_fields(line, number, SALT, [*names, "absent"])
    assert [json.loads("{" + each.text + "}") for each in shown] == [{n: v} for n, v in value.items() if n in names]
    assert {opened_leaf(each) for each in shown} <= {leaf}


def test_what_is_altered_leads_elsewhere() -> None:
    leaf = line_leaf(LINE, 3, SALT)
    assert line_leaf(LINE, 4, SALT) != leaf
    assert line_leaf(LINE, 3, bytes(16)) != leaf
    (shown,) = open_fields(LINE, 3, SALT, ["target"])
    for change in ({"text": '"target":"viber/chat"'}, {"index": 2}, {"salt": "00" * 16}):
        assert opened_leaf(type(shown)(**{f: getattr(shown, f) for f in shown.__struct_fields__} | change)) != leaf


def test_one_shown_field_tells_nothing_of_another() -> None:
    """Neither its text nor its salt is in what is shown."""
    (shown,) = open_fields(LINE, 3, SALT, ["target"])
    others = open_fields(LINE, 3, SALT, ["uid", "n", "x"])
    said = json.dumps([shown.text, shown.salt, shown.path])
    assert not any(other.text in said or other.salt in said for other in others)
    assert SALT.hex() not in said


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"7",
        b'{"a":1}x',
        b'{"a": 1}',
        b'{"a":1 }',
        b' {"a":1}',
        b'{"a":1,"a":2}',
        b'{"\\u0061":1}',
        b'{"\xff":1}',
        b'{"a":' + b"[" * 5000,
        b"{" + b",".join(b'"%d":0' % number for number in range(201)) + b"}",
    ],
)
def test_lines_that_have_no_leaf(line: bytes) -> None:
    with pytest.raises(ValueError, match="the line"):
        line_leaf(line, 1, SALT)


def test_no_more_fields_than_asked_for() -> None:
    line = b"{" + b",".join(b'"%d":0' % number for number in range(20)) + b"}"
    assert line_leaf(line, 1, SALT, 20) == line_leaf(line, 1, SALT)
    with pytest.raises(ValueError, match="more than 19 fields"):
        line_leaf(line, 1, SALT, 19)


@given(st.binary(max_size=60))
def test_junk(data: bytes) -> None:
    for junk in (data, b"{" + data + b"}", b'{"a":' + data + b"}"):
        try:
            line_leaf(junk, 1, SALT)
        except ValueError:
            continue
