"""Parameters of a request, read strictly: a slip is named, not ignored."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from collector.front.refusals import Refused
from collector.moments import moment_ms
from probe.model import HOUR_MS

DAY_MS = 24 * HOUR_MS
DEFAULT_SPAN_MS = DAY_MS
MAX_SPAN_MS = 31 * DAY_MS
MAX_MS = 2**53
NUMBERS = {"asn": ", such as 36903"}
NEAR = 0.7  # how alike two words are where one is a slip for the other


class Parameters:
    """The parameters of one request. Raises Refused on an unknown or a repeated one."""

    def __init__(self, query: Mapping[str, str], names: Collection[str]) -> None:
        self._query = query
        for name in query:
            if name not in names:
                raise _bad("unknown_parameter", f"There is no parameter `{name}`; {_nearest(name, names)}.")
        if len(query) != len(set(query)):  # a MultiDict counts each, its names are a set
            raise _bad("repeated_parameter", "Give each parameter once.")

    def text(self, name: str) -> str | None:
        return self._query.get(name)

    def word(self, name: str, words: Collection[str]) -> str | None:
        """A word of a list. Raises Refused."""
        word = self._query.get(name)
        if word is not None and word not in words:
            raise _bad("unknown_word", f"`{name}` has no value `{word}`; {_nearest(word, words)}.")
        return word

    def country(self) -> str | None:
        country = self._query.get("country")
        if country is not None and not re.fullmatch("[A-Z]{2}", country):
            raise _bad("bad_value", "`country` is two capital letters, such as MA.")
        return country

    def number(self, name: str, most: int) -> int | None:
        """A whole number up to `most`. Raises Refused."""
        text = self._query.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= most):
            raise _bad("bad_value", f"`{name}` is a whole number of at most {most}{NUMBERS.get(name, '')}.")
        return int(text)

    def moment(self, name: str) -> int | None:
        """A time in ms: so many since 1970, or a date such as 2026-02-26T16:00, UTC. Raises Refused."""
        text = self._query.get(name)
        if text is None or (text.isascii() and text.isdigit()):
            return self.number(name, MAX_MS)
        try:
            moment = moment_ms(text)
        except ValueError:
            moment = -1
        if not 0 <= moment <= MAX_MS:
            what = "a date such as 2026-02-26T16:00, UTC, or milliseconds since 1970"
            raise _bad("bad_value", f"`{name}` is {what}.")
        return moment

    def span(self, now_ms: int, default: int = DEFAULT_SPAN_MS, most: int = MAX_SPAN_MS) -> tuple[int, int]:
        """The interval since ≤ t < until, in ms; without parameters the `default` until now. Raises Refused."""
        until, since = self.moment("until"), self.moment("since")
        until_ms = until if until is not None else (now_ms + 1 if since is None else max(now_ms, since) + 1)
        since_ms = since if since is not None else max(0, until_ms - default)
        if not 0 <= until_ms - since_ms <= most:
            raise _bad("bad_span", f"Ask for at most {most // DAY_MS} days: since ≤ until ≤ since + {most}.")
        return since_ms, until_ms


def _bad(reason: str, message: str) -> Refused:
    return Refused(400, reason, message)


def _nearest(word: str, words: Collection[str]) -> str:
    close = get_close_matches(word, words, 1, cutoff=NEAR)
    if not words:
        return "this takes none"
    return f"did you mean `{close[0]}`" if close else f"give one of {', '.join(words)}"
