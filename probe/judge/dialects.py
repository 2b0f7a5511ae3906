"""Ways to say the same thing to the same server in other bytes: where one passes and another dies, bytes were read.

One thing is changed, and only on the wire: address, port, request and answer are the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.model import Attempt

DIALECTS = (
    frozenset({"mtproto-abridged", "mtproto-intermediate", "mtproto-obfuscated"}),
    frozenset({"noise", "noise-routed"}),
)


def beside(attempt: Attempt, others: Iterable[Attempt]) -> list[Attempt]:
    """Those of the others that asked for the same in another dialect, at the same address and port."""
    return [
        other
        for other in others
        if (other.address, other.port, other.transport) == (attempt.address, attempt.port, attempt.transport)
        and other.handshake != attempt.handshake
        and any({other.handshake, attempt.handshake} <= family for family in DIALECTS)
    ]
