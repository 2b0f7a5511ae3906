"""What somebody on the way made of a SIP message: which of its parts, never what he wrote there."""

from __future__ import annotations

from collections.abc import Callable

from probe.codecs import sip

NAMES = (  # that `altered` may give; what somebody else puts in is `other`, whatever he calls it
    *("via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "accept", "content-length", "user-agent"),
    *("record-route", "route", "allow", "supported", "expires", "server"),
)


def altered(sent: bytes, arrived: bytes) -> tuple[str, ...]:
    """The parts of a message that did not arrive as they were sent; empty when every byte did.

    Words of NAMES, and `start-line`, `body`, `other` (a header that we do not send), `layout` (the same words,
    written otherwise), `message` (it is none any more). Never a value: whoever alters it writes addresses there.
    """
    if sent == arrived:
        return ()
    try:
        before, after = sip.parse(sent), sip.parse(arrived)
    except ValueError:
        return ("message",)
    keys = dict.fromkeys(header.key for message in (before, after) for header in message.headers)
    changed = [key if key in NAMES else "other" for key in keys if before.values(key) != after.values(key)]
    parts = [name for name, part in PARTS if part(before) != part(after)]
    return tuple(dict.fromkeys((*parts, *changed))) or ("layout",)


PARTS: tuple[tuple[str, Callable[[sip.Message], object]], ...] = (
    ("start-line", lambda message: (message.method, message.uri, message.status, message.reason)),
    ("body", lambda message: message.body),
)
