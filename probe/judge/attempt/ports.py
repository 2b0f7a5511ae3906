"""Ports over TCP: what passes on the web's ports clears no other one, as in the many venues that let only those out.

Over UDP a neutral on the very port of a relay tells; over TCP neutral services stand on the web's ports and on a few
others, and each kind is compared with its own: with neutrals on the same port where there are any, for a portal that
spares the connectivity check passes port 80 and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from probe.attempts import is_answered
from probe.model import Attempt, Neutral, Transport

WEB = frozenset({80, 443})


def alike(neutrals: Sequence[Neutral], attempt: Attempt) -> list[Neutral]:
    """Those on its very port, else those on the web's ports or on others, as it is; all where none is alike."""
    return _alike(neutrals, attempt) or list(neutrals)


def are_closed(neutrals: Sequence[Neutral], attempt: Attempt) -> bool:
    """None on a like port was answered, though some were tried, and some on the other kind of port was."""
    same = _alike(neutrals, attempt)
    return bool(same) and not any(map(is_answered, same)) and any(map(is_answered, neutrals))


def _alike(neutrals: Sequence[Neutral], attempt: Attempt) -> list[Neutral]:
    if attempt.transport is Transport.UDP:
        return list(neutrals)
    same = [each for each in neutrals if each.port == attempt.port]
    return same or [each for each in neutrals if (each.port in WEB) == (attempt.port in WEB)]
