"""How a server is named to itself."""

from __future__ import annotations

import pytest

from probe.codecs.authority import HTTP_PORT, HTTPS_PORT, authority


@pytest.mark.parametrize(
    ("host", "port", "usual", "said"),
    [
        ("a.example", 443, HTTPS_PORT, "a.example"),
        ("a.example", 80, HTTP_PORT, "a.example"),
        ("a.example", 443, HTTP_PORT, "a.example:443"),
        ("a.example", 5222, HTTPS_PORT, "a.example:5222"),
        ("203.0.113.4", 8080, HTTP_PORT, "203.0.113.4:8080"),
        ("2001:db8::7", 80, HTTP_PORT, "[2001:db8::7]"),
        ("2001:db8::7", 8080, HTTP_PORT, "[2001:db8::7]:8080"),
    ],
)
def test_host_and_authority(host: str, port: int, usual: int, said: str) -> None:
    assert authority(host, port, usual) == said
