"""Techniques of a box that we did not write: libndpi in the path (ndpi.py), with what must be said of each target.

    python -m tests.lab.boxes

measures each on an ADSL line of Maroc Telecom's and says as JSON lines what was concluded. They are no entries of the
scoreboard, which runs without libndpi. What is expected follows from when nDPI is sure of a flow, as test_ndpi.py has
seen it: of TLS and DNS at the packet that names the service, of STUN at the third packet of one flow, but of
Messenger's at the reply that holds its realm, and of Teams' at the first.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.lab import fork
from tests.lab.differential import Field, said
from tests.lab.model import Entry, Expected
from tests.lab.net import Lab
from tests.lab.techniques.aims import CALLS, CLEAN_CALL, MESSAGES, OK, TEAMS, always, same, stage

SOURCE = "reference/lab.md section 4: libndpi 4.2 in line"
NAMES = {"whatsapp.example": "WhatsApp", "viber.example": "Viber"}
SILENT = Expected("likely_blocked", "dns.silent")
DEAD_RELAY = Expected("likely_blocked", "udp.endpoint.drop")
BOXES = (
    Entry(
        "ndpi.tls",
        "A box drops the flows that nDPI takes for TLS with WhatsApp, from the ClientHello on.",
        SOURCE,
        always(stage("ndpi.drop", labels=("TLS.WhatsApp",), names=NAMES)),
        expected=same(Expected("likely_blocked", "tls.sni.drop"), "whatsapp/web") | same(OK, "whatsapp/chat"),
    ),
    Entry(
        "ndpi.application",
        "A box drops whatever nDPI takes for WhatsApp: already the questions for its names, whoever is asked.",
        SOURCE,
        always(stage("ndpi.drop", labels=("WhatsApp",), names=NAMES)),
        expected=same(SILENT, "whatsapp/chat", "whatsapp/web") | same(OK, "viber/web"),
    ),
    Entry(
        "ndpi.stun",
        "A box drops the flows that nDPI takes for STUN: most after some packets, Messenger's at the first reply.",
        SOURCE,
        always(stage("ndpi.drop", labels=("STUN",))),
        # One transaction is over before the third packet; what would die is a call, and a call is not exercised. But
        # Messenger's realm is known to nDPI, in the reply, and the relay's address from then on: that relay is silent
        # whatever it is asked. (First expected to be clean like the others: that nDPI knows the realm was not known.)
        # Teams' first packet has attributes by which nDPI knows it at once.
        expected=same(CLEAN_CALL, *CALLS) | same(DEAD_RELAY, "messenger/call", TEAMS) | same(OK, *MESSAGES),
    ),
    Entry(
        "ndpi.rtp",
        "A box drops the flows that nDPI takes for RTP.",
        SOURCE,
        always(stage("ndpi.drop", labels=("RTP",))),
        # Nothing of today's handshakes is RTP, or may be taken for it.
        expected=same(CLEAN_CALL, *CALLS) | same(OK, *MESSAGES),
    ),
)


def measured(entries: Sequence[Entry]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, int]]]:
    """Name, verdicts (or the error), and how many packets each filter met."""
    fork.preload()
    with (
        tempfile.TemporaryDirectory(prefix="ringback-boxes-") as directory,
        Lab(Path(directory) / "lab", slots=len(entries) + 2) as lab,
    ):
        field = Field(lab, Path(directory) / "device")
        lines = [lab.line("iam", "adsl", censor=tuple(entry.draw(Random(1))), seed=1) for entry in entries]
        results = field.measure([line.namespace for line in lines])
        for entry, line, result in zip(entries, lines, results, strict=True):
            yield entry.name, said(result) or {"error": result.error}, line.met()


def main() -> None:
    for name, verdicts, met in measured(BOXES):
        sys.stdout.write(json.dumps({"entry": name, "verdicts": verdicts, "met": dict(met)}) + "\n")


if __name__ == "__main__":
    main()
