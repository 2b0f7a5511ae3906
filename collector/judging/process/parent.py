"""The collector's side of its judging process: it starts it, answers it, writes for it, and starts it again.

Nothing is lost with it: all that it has judged was written, with the position, in one transaction, or is judged again.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from msgspec import Struct
from msgspec.structs import replace

from collector.judging.index import Index
from collector.judging.process import messages, slot
from collector.judging.process.messages import Answer, Ended, Failed, Link, Refused, Request, Start, Step, Stepped
from collector.judging.process.slot import Slot
from collector.judging.projector import FailedElsewhere
from collector.judging.quarantine import Identity
from collector.warehouse.store import Warehouse

MODULE = "collector.judging.process.child"
DEATHS = 2  # at one measurement, before it is set aside

logger = logging.getLogger(__name__)


class Died(Exception):
    """The judging process ended in the middle of a step."""


class _Child(Struct, frozen=True):
    process: subprocess.Popen[bytes]
    link: Link
    slot: Slot


class JudgingProcess:
    """Runs steps of a Projector in a process of its own, which begins with the first. `end` may be called by any
    thread, the rest by one.
    """

    def __init__(
        self, start: Start, warehouse: Warehouse, index: Index, command: Sequence[str] = (sys.executable, "-m", MODULE)
    ) -> None:
        self._start, self._warehouse, self._index, self._command = start, warehouse, index, command
        self._child: _Child | None = None
        self._deaths: Counter[Identity] = Counter()
        self._fault: Exception | None = None  # of ours, for which its step fails

    def step(self, limit: int) -> tuple[int, Counter[str]]:
        """Has it do a step. Raises Died, FailedElsewhere, or what writing for it raised."""
        child = self._child = self._child or self._begun()
        try:
            child.link.send(Step(limit))
            done = self._answered(child.link)
        except Ended:
            self._died(child)
            raise Died("the judging process ended; another one begins") from None
        if isinstance(done, Stepped):
            self._start = replace(self._start, is_ahead=False)
            return done.done, Counter(done.quarantined)
        fault, self._fault = self._fault, None
        raise fault or FailedElsewhere(done.said, done.fault)

    def end(self) -> None:
        """Ends it; the next step begins another one."""
        child, self._child = self._child, None
        if child is not None:
            _end(child)

    def __enter__(self) -> JudgingProcess:
        return self

    def __exit__(self, *words: object) -> None:
        self.end()

    def _answered(self, link: Link) -> Stepped | Failed:
        while True:
            request = link.request()
            if isinstance(request, Stepped | Failed):
                return request
            try:
                answer: Answer | Refused = Answer(self._answer(request))
            except Exception as error:
                self._fault, answer = error, Refused()
            link.send(answer)

    def _answer(self, request: Request) -> Any:
        does: dict[type, Callable[[Any], Any]] = {
            messages.Select: lambda r: self._warehouse.select(r.statement, r.parameters),
            messages.IsDamaged: lambda r: self._warehouse.is_damaged,
            messages.StartAgain: lambda r: self._warehouse.start_again(),
            messages.Begin: lambda r: self._warehouse.begin(r.basis),
            messages.ChangeBasis: lambda r: self._warehouse.change_basis(r.basis, r.hours, r.apart, r.since_hour),
            messages.Put: lambda r: self._warehouse.put(r.change, r.cursor, r.waited),
            messages.Adopt: lambda r: self._warehouse.adopt(Path(r.path)),
            messages.Extend: lambda r: self._index.extend(r.limit),
        }
        return does[type(request)](request)

    def _begun(self) -> _Child:
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as file:
            file.truncate(slot.BYTES)
            given = (theirs.fileno(), file.fileno())
            process = subprocess.Popen(
                [*self._command, *map(str, given)],
                pass_fds=given,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,  # Ctrl-C reaches it through us
            )
            child = _Child(process, Link(ours), Slot(file.fileno()))
        assert process.stderr is not None
        threading.Thread(target=_log, args=(process.stderr,), name="judging's words", daemon=True).start()
        condemned = [one for one, deaths in self._deaths.items() if deaths >= DEATHS]
        child.link.send(replace(self._start, condemned=condemned))
        return child

    def _died(self, child: _Child) -> None:
        if self._child is None:  # it was told to
            return
        self._child = None
        at = child.slot.read()
        _end(child)
        logger.error("The judging process ended (%s); another one begins.", child.process.returncode)
        if at is not None:
            self._deaths[at] += 1


def _end(child: _Child) -> None:
    """At once: what it was at is judged again, and it has no files to close."""
    child.link.close()
    child.process.kill()
    child.process.wait()
    child.slot.close()


def _log(words: IO[bytes]) -> None:
    with words:
        for line in words:
            logger.info("judging: %s", line.decode(errors="replace").rstrip())
