"""Text of any editor, and for any terminal."""

from __future__ import annotations

import io

import pytest

from probe.codecs.text import plain, speak_plainly, utf8

TEXT = "opérateur – اتصالات\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_mark_says_how_it_was_saved(encoding: str) -> None:
    marked = TEXT if encoding in ("utf-8", "utf-8-sig", "utf-16") else f"\ufeff{TEXT}"
    assert utf8(marked.encode(encoding)).decode() == TEXT


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xef\xbb", b"caf\xe9", b"\xff\xfe\x00", b"\xff\xfe\x00\xd8"])
def test_nothing_is_an_error_here(data: bytes) -> None:
    assert isinstance(utf8(data), bytes)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("NAME,…", "NAME,..."),
        ("3–5 lines", "3-5 lines"),
        ("opérateur", "operateur"),
        ("اتصال", "?????"),
        ("\udce9", "?"),
    ],
)
def test_what_is_near(text: str, near: str) -> None:
    assert plain(text) == near


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding_can_be_spoken_to(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    speak_plainly(out, io.StringIO(), None)
    out.write("".join(map(chr, range(0x20, 0x3000))) + "\udce9…")
    out.flush()
    assert raw.getvalue().decode(encoding)
