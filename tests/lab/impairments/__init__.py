"""Impairments: what is harmless and looks like interference. One entry each, with what must be said of what it touches.

Nobody interferes here, so nothing may be called blocked, whatever it looks like; and under the mild ones every verdict
must be as on a clean line. To add one, write an entry in the file of its place.
"""

from __future__ import annotations

from tests.lab.impairments import device, line, mild, observers, premises, service
from tests.lab.model import Entry

IMPAIRMENTS: tuple[Entry, ...] = (
    *mild.ENTRIES,
    *line.ENTRIES,
    *premises.ENTRIES,
    *device.ENTRIES,
    *service.ENTRIES,
    *observers.ENTRIES,
)
