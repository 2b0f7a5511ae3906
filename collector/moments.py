"""A moment in a person's words: a date, or a date and a time, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_ms(text: str) -> int:
    """Milliseconds since 1970 of `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`, UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("times are UTC, without a zone")
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
