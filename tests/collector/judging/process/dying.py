"""A judging process that dies at the measurements of one target, and hangs at none."""

from __future__ import annotations

import os
import signal
import sys

from msgspec.structs import replace

from collector.judging.process import child
from collector.judging.rules import RULES
from probe.judge.evidence import Evidence
from probe.model import Verdict

TARGET = "viber/call"


def judge(evidence: Evidence) -> Verdict:
    if evidence.measurement.target == TARGET:
        os.kill(os.getpid(), signal.SIGKILL)
    return RULES.judge(evidence)


if __name__ == "__main__":
    sys.exit(child.main(sys.argv[1:], replace(RULES, judge=judge)))
