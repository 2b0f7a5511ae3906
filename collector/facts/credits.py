"""Whose data a table of networks is made of, how old it is, and what its licence asks to be shown."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from msgspec import Struct


class Credit(Struct, frozen=True):
    """What is shown wherever a network is named: a text that leads to `url`, and the licence's name."""

    text: str
    url: str = ""
    licence: str = ""

    def in_words(self) -> str:
        return " ".join(filter(None, (self.text, f"<{self.url}>" if self.url else "", self.licence)))


class About(Struct, frozen=True, kw_only=True):
    """What is known of a table of networks. `data_ms`: when its oldest part was gathered; None where nobody says it."""

    data_ms: int | None = None
    credits: tuple[Credit, ...] = ()
    sources: tuple[str, ...] = ()

    def age_ms(self, now_ms: int) -> int | None:
        return None if self.data_ms is None else max(0, now_ms - self.data_ms)


def together(parts: Sequence[About]) -> About:
    """Of a table that is made of several; it is as old as the oldest of them whose age is known."""
    known = [each.data_ms for each in parts if each.data_ms is not None]
    return About(
        data_ms=min(known, default=None),
        credits=tuple(dict.fromkeys(credit for each in parts for credit in each.credits)),
        sources=tuple(source for each in parts for source in each.sources),
    )


def in_header(credits: Sequence[Credit]) -> str:
    """As a header carries them: JSON, in ASCII."""
    return json.dumps(msgspec.to_builtins(list(credits)))


def of_header(text: str) -> tuple[Credit, ...]:
    """Raises ValueError."""
    try:
        return msgspec.json.decode(text, type=tuple[Credit, ...])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ValueError("no credits") from error
