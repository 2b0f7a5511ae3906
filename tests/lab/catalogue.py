"""All entries by name. A name stands for one thing only."""

from __future__ import annotations

from tests.lab.impairments import IMPAIRMENTS
from tests.lab.model import Entry
from tests.lab.techniques import TECHNIQUES

CLEAN = Entry(
    "clean", "Nothing interferes and nothing is wrong.", "the plan's lines as they are", lambda random: (), mild=True
)
HARMLESS: tuple[Entry, ...] = (CLEAN, *IMPAIRMENTS)
ENTRIES = {entry.name: entry for entry in (*TECHNIQUES, *HARMLESS)}
HARMLESS_NAMES = frozenset(entry.name for entry in HARMLESS)

if len(ENTRIES) != len(TECHNIQUES) + len(HARMLESS):
    raise ValueError("Two entries of the lab have the same name.")
