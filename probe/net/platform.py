"""What this operating system can tell of the network: decided here, by its name and version, and nowhere else.

An option's number means something else on another system (11 is IP_RECVERR on Linux and IP_MULTICAST_LOOP on macOS),
so what the system cannot tell is not asked for.
"""

from __future__ import annotations

import platform
import re
import sys

from msgspec import Struct

LINUX = frozenset({"linux", "android"})  # Python's names; before 3.13 it says `linux` on Android too
SENDERS_SINCE = (5, 18)  # kernel: an ICMP error about a SYN is queued with its sender, no longer a bare number


class Platform(Struct, frozen=True, kw_only=True):
    """The facts that this system can tell."""

    queues_errors: bool  # a socket's ICMP errors, by IP_RECVERR and MSG_ERRQUEUE: of datagrams with their senders
    errors_have_senders: bool  # of a SYN too, so that an error without one came in an open connection
    tells_acknowledged: bool  # by TCP_INFO
    can_sweep: bool  # what is sent with a small TTL comes back as an error of its socket


def describe(system: str, release: str) -> Platform:
    """The platform by Python's name for it and its kernel's version."""
    is_linux = system in LINUX
    return Platform(
        queues_errors=is_linux,
        errors_have_senders=is_linux and _version(release) >= SENDERS_SINCE,
        tells_acknowledged=is_linux,
        can_sweep=is_linux,
    )


def _version(release: str) -> tuple[int, int]:
    """The kernel's version; (0, 0) for what cannot be read, which is then taken to be able to do less."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


HERE = describe(sys.platform, platform.release())
