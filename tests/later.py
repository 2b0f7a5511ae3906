"""What a control said, said again some time later: what it sees after a failure counts as well as what it saw."""

from __future__ import annotations

import json

MINUTES = 10


def also_later(lines: str, minutes: int = MINUTES) -> str:
    """The results of a check as JSON lines, and its measurements once more, with uids of their own."""
    again = [
        json.dumps(one | {"uid": one["uid"][::-1], "started_ms": one["started_ms"] + minutes * 60_000})
        for one in map(json.loads, lines.splitlines())
        if one["type"] == "measurement"
    ]
    return "\n".join([*lines.splitlines(), *again]) + "\n"
