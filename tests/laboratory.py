"""`python -m tests.laboratory`: the collector's programs where everybody counts at once.

A collector counts a key after seven days, which no test waits for. So the instance is told that every line is
established and a source of its own, as that of a replay is; all else is the program as users have it, which has no
such option, for who tells a collector of volunteers so is fooled by the first liar.
"""

from __future__ import annotations

import sys
from typing import Any

from collector import commands, instance
from collector.judging.process.messages import Start
from collector.judging.projector import Projector


def told(*arguments: Any, **options: Any) -> Projector:
    """A projector that is told standing."""
    return Projector(*arguments, **{**options, "told": True})


def told_apart(**given: Any) -> Start:
    """What the process that judges is told."""
    return Start(**{**given, "told": True})


if __name__ == "__main__":
    instance.Projector = told  # type: ignore[assignment,misc]
    instance.Start = told_apart  # type: ignore[assignment,misc]
    sys.exit(commands.main())
