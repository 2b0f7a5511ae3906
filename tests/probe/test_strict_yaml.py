"""The strict reader of YAML: whatever the bytes, a value or a sentence with a line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.failure import UserError
from probe.strict_yaml import Section, compose


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "my.yaml is empty; write its sections."),
        (b"targets:\n  a\xff: 1\n", "my.yaml, line 2: this is not UTF-8; save the file as UTF-8."),
        (b"a: \x00", "my.yaml holds characters that YAML does not allow; remove them."),
        (b'a: "\\UFFFFFFFF"', "my.yaml holds characters that YAML does not allow; remove them."),
        (b"- 1\n", "my.yaml, line 1: the file must be a mapping, `key: value` on each line."),
        (b"a: 1\n---\nb: 2\n", "my.yaml, line 2: this is not YAML that we read: but found another document."),
        (b"[" * 100_000, "my.yaml, line 1: this is not YAML that we read: nested too deeply."),
    ],
)
def test_what_is_no_file_of_ours_is_told(body: bytes, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        Section("my.yaml", "the file", compose(body, "my.yaml"), ("a", "b"))
    assert str(caught.value) == sentence


@given(st.binary(max_size=200))
def test_only_user_errors_escape_from_bytes(body: bytes) -> None:
    with suppress(UserError):
        Section("my.yaml", "the file", compose(body, "my.yaml"), ())


WORDS = "targets svc/chat baseline/a endpoints host port tls : - { } [ ] , &a *a !!int | > ' \\U --- << ? 1 true ~"
PIECES = st.sampled_from([*WORDS.split(), ": ", "- ", "  ", "\n", "\t", '"', "%YAML 1.9"])


@given(st.lists(PIECES, max_size=40).map("".join))
def test_only_user_errors_escape_from_yaml_like_text(text: str) -> None:
    with suppress(UserError):
        Section("my.yaml", "the file", compose(text.encode(), "my.yaml"), ("targets",))
