"""What of the system a test stands on, and the guard that keeps the tests' own process on this machine.

A test says `@pytest.mark.needs("coturn", "root")`; a fixture calls `require("coturn")`. Names are those of Debian
packages (tests/packages.txt), or `root`. What is absent skips the test by name, and the run ends with a list of what
to install; with RINGBACK_NO_SKIPS=1, for a CI that is able to run everything, it fails the test instead.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PACKAGES = Path(__file__).with_name("packages.txt")
SYSTEM_PATH = os.defpath + ":/usr/local/sbin:/usr/sbin:/sbin"  # a volunteer's PATH often lacks the daemons
ABSENT = re.compile(r"not on this system: ([\w., -]+)")


@cache
def commands() -> dict[str, str]:
    """Package → the command that it brings."""
    lines = (line.partition("#")[0].split() for line in PACKAGES.read_text().splitlines())
    return {words[0]: words[1] for words in lines if words}


def program(package: str) -> str:
    """Full path of the command that a package brings; skips the test when it is absent."""
    require(package)
    found = find(package)
    assert found is not None
    return found


def find(package: str) -> str | None:
    return shutil.which(commands()[package], path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def absent(components: Iterable[str]) -> list[str]:
    """Those of the components that this system lacks."""
    return [name for name in components if not present(name)]


def present(component: str) -> bool:
    return os.geteuid() == 0 if component == "root" else find(component) is not None


def require(*components: str) -> None:
    missing = absent(components)
    if not missing:
        return
    outcome = pytest.fail if os.environ.get("RINGBACK_NO_SKIPS") == "1" else pytest.skip
    outcome(f"not on this system: {', '.join(missing)}")


def closing_list(texts: Iterable[str]) -> list[str]:
    """One line for each component that was missing, with the number of tests that it would make run."""
    counts: dict[str, int] = {}
    for found in filter(None, map(ABSENT.search, texts)):
        for name in found[1].split(", "):
            counts[name] = counts.get(name, 0) + 1
    return [f"{remedy(name)}: {count} not run" for name, count in sorted(counts.items())]


def remedy(component: str) -> str:
    return "run as root" if component == "root" else f"apt-get install {component}"


def stays_here(address: Any) -> bool:
    """Whether a socket address cannot leave this machine; a name may, unless it is localhost."""
    host = str(address[0]).partition("%")[0]
    if host in ("", "localhost"):
        return True
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return mapped.is_loopback or mapped.is_unspecified


class Guard:
    """Refuses what would leave the machine, and remembers it, since product code may swallow the refusal."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def check(self, address: Any) -> None:
        if not stays_here(address):
            self.refused.append(str(address))
            pytest.fail(f"a test tried to reach {address}, which is not this machine")

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, self._checked(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", self._checked_lookup(socket.getaddrinfo))

    def _checked(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def method(sock: socket.socket, *arguments: Any) -> Any:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                self.check(arguments[-1])
            return original(sock, *arguments)

        return method

    def _checked_lookup(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def lookup(host: Any, *arguments: Any, **options: Any) -> Any:
            if host is not None and not _is_literal(host):
                self.check((host,))
            return original(host, *arguments, **options)

        return lookup


def _is_literal(host: str | bytes) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
