"""Pinned keys: kept per collector, and how a collector may be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.failure import UserError
from probe.submit.pins import FILE, Collector, Pins, parse_collector

KEY, OTHER = "a" * 64, "b" * 64


def test_a_key_is_kept_for_its_collector(tmp_path: Path) -> None:
    Pins(tmp_path).pin("https://collector.example/", KEY)
    Pins(tmp_path).pin("https://other.example", OTHER)
    assert Pins(tmp_path).key("https://collector.example") == KEY
    assert Pins(tmp_path).key("https://nobody.example") is None
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"a":1}', b"\xff"])
def test_a_damaged_file_is_never_taken_for_the_first_use(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        Pins(tmp_path).key("https://collector.example")


@pytest.mark.parametrize(
    ("text", "collector"),
    [
        ("https://collector.example", Collector("https://collector.example")),
        ("http://127.0.0.1:8321", Collector("http://127.0.0.1:8321")),
        (f"ringback:{KEY}@collector.example", Collector("https://collector.example", KEY)),
        (f"ringback:{KEY}@collector.example:8443", Collector("https://collector.example:8443", KEY)),
        (f"ringback:{KEY}@http://203.0.113.5:8080", Collector("http://203.0.113.5:8080", KEY)),
    ],
)
def test_how_a_collector_is_named(text: str, collector: Collector) -> None:
    assert parse_collector(text) == collector


@pytest.mark.parametrize(
    "text",
    [
        "",
        "collector.example",
        "http://203.0.113.5",
        "ringback:@x",
        f"ringback:{KEY}",
        f"ringback:{KEY}@",
        "http://[::1",
    ],
)
def test_what_names_no_collector(text: str) -> None:
    with pytest.raises(UserError):
        parse_collector(text)
