"""Round-trip times as configured against those measured, so that a crowded machine cannot pass for a slow network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from tests.lab.plan import ACCESSES
from tests.lab.shaping import round_trip

STUN_BYTES = 80  # a Binding or its answer, with its headers


def configured_ms(access: str) -> float:
    """Of a STUN Binding and its answer."""
    return 1000 * round_trip(ACCESSES[access], STUN_BYTES)


def accuracy(rtts_us: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """By access."""
    return {
        access: {
            "configured_ms": round(configured_ms(access), 1),
            "measured_ms": round(median(times) / 1000, 1),
            "error": round(median(times) / 1000 / configured_ms(access) - 1, 3),
            "n": len(times),
        }
        for access, times in sorted(rtts_us.items())
        if times
    }
