"""The judging process: `python -m collector.judging.process.child SOCKET SLOT`, started by a collector.

It ends when the collector's end of the socket closes, so that it outlives nobody.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.facts.kept_targets import KeptTargets
from collector.judging.frozen import Frozen
from collector.judging.index import SqliteIndex
from collector.judging.process import slot
from collector.judging.process.far_warehouse import FarWarehouse
from collector.judging.process.messages import Ended, Failed, Link, Start, Step, Stepped
from collector.judging.process.slot import Slot
from collector.judging.projector import Projector
from collector.judging.quarantine import Quarantine
from collector.judging.rules import RULES, Rules
from collector.log import operator
from collector.log.reading import ReadingLog
from probe import targets
from probe.failure import fault_text

logger = logging.getLogger(__name__)


def main(words: Sequence[str], rules: Rules = RULES) -> int:
    """Does what it is told, until nobody tells it any more."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    link, watch = Link(socket.socket(fileno=int(words[0]))), Slot(int(words[1]))
    slot.nice()
    try:
        start = link.order()
        assert isinstance(start, Start)
        _serve(link, lambda: projector(link, start, watch, rules))
    except Ended:
        return 0
    except Exception as error:  # its words may be a volunteer's
        logger.error("Judging cannot begin.\n%s", fault_text(error))
        return 1
    return 0


def projector(link: Link, start: Start, watch: Slot, rules: Rules) -> Projector:
    """One that reads the log and the index, and leaves all writing to the collector."""
    warehouse, directory = FarWarehouse(link, Path(start.warehouse)), Path(start.log)
    log, frozen = ReadingLog(directory), Frozen(directory)
    index = SqliteIndex(Path(start.index), log, frozen.freezes, extended_by=warehouse.extend)
    return Projector(
        *(log, index, KeptTargets(Path(start.targets)), warehouse, start.controls),
        rules=rules,
        parse=targets.parse,
        told=start.told,
        blocked=operator.blocked_in(directory),
        frozen=frozen,
        at_rest=log.forget,
        quarantine=Quarantine(watch=watch, condemned=frozenset(start.condemned)),
        is_ahead=start.is_ahead,
    )  # fmt: skip


def _serve(link: Link, begin: Callable[[], Projector]) -> None:
    working: Projector | None = None
    while True:
        order = link.order()
        assert isinstance(order, Step)
        try:
            working = working or begin()  # not before: it asks, and during a step it is answered
            done = working.step(order.limit)
        except Ended:
            raise
        except Exception as error:
            link.send(Failed(f"{type(error).__name__}: {error}", fault_text(error)))
        else:
            link.send(Stepped(done, dict(working.quarantined)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
