"""Small words of the page: names, times, places, counts. All times are UTC."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from probe.explain import STATE_WORDS
from probe.model import HOUR_MS, State

ACCESSES = {
    "2g": "2G",
    "3g": "3G",
    "4g": "4G",
    "5g": "5G",
    "wifi": "WiFi",
    "adsl": "ADSL",
    "vdsl": "VDSL",
    "unknown": "access unknown",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def place_words(country: str, asn: int, operator: str, access: str) -> str:
    """A network and its access, such as `Maroc Telecom (MA, AS36903), ADSL`."""
    how = ACCESSES.get(access, access)
    if country == "ZZ" and not asn:
        return f"Network unknown, {how}"
    return f"{operator} ({country}, AS{asn}), {how}"


def short_words(operator: str, access: str) -> str:
    """A network and its access in an overview, such as `Maroc Telecom ADSL`."""
    return f"{operator} {ACCESSES.get(access, access)}"


def day_words(day: int) -> str:
    """A day since 1970, such as `26 Feb`."""
    return _day(day * 24 * HOUR_MS)


def day_and_time(moment_ms: int) -> str:
    """A day and a time, such as `26 Feb 16:05`."""
    return f"{_day(moment_ms)} {_time(moment_ms)}"


def date_and_time(moment_ms: int) -> str:
    """A date and a time, such as `26 Feb 2026, 16:05`."""
    return f"{_day(moment_ms)} {_utc(moment_ms).year}, {_time(moment_ms)}"


def hour_span(hour: int) -> str:
    """An hour since 1970 as a span, such as `26 Feb 16:00–17:00`."""
    return f"{day_and_time(hour * HOUR_MS)}–{_time((hour + 1) * HOUR_MS)}"


def clock_hour(hour: int) -> str:
    """An hour since 1970 on the clock, such as `16`."""
    return f"{hour % 24:02d}"


def lines_by_state(states: Mapping[str, int], count: Callable[[int], str]) -> str:
    """Lines by state, the most frequent first, such as `3 lines: blocked; 1 line: no interference seen`."""
    ordered = sorted(states.items(), key=lambda item: (-item[1], item[0]))
    return "; ".join(
        f"{count(lines)} {'line' if lines == 1 and count(1) == '1' else 'lines'}: {STATE_WORDS[State(state)]}"
        for state, lines in ordered
    )


def answered_words(answered: int, count: Callable[[int], str]) -> list[str]:
    """What counts against the states of the others; nothing where no relay that is dropped for some answers others."""
    return [f"a relay that is dropped for others answered {count(answered)} of these"] if answered else []


def plain(text: str) -> str:
    """Text in which nothing invisible turns or hides what stands beside it."""
    if text.isprintable():  # none of these is: nearly all texts are looked at in C
        return text
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c for c in text)


def _day(moment_ms: int) -> str:
    moment = _utc(moment_ms)
    return f"{moment.day} {MONTHS[moment.month - 1]}"


def _time(moment_ms: int) -> str:
    return f"{_utc(moment_ms):%H:%M}"


def _utc(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms // 1000, UTC)
