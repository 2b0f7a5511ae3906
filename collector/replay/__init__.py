"""Simulated episodes, played through the real ingest API, so that there is something to look at and to test with.

    episode = load("morocco-2016")
    uploads = Uploads(url, session, secret)
    await play(episode, moments(episode, every_h=24), uploads)

Every measurement is marked `simulated`, and is judged like any other.
"""

from __future__ import annotations

from collector.moments import moment_ms
from collector.replay.episode import load, packaged
from collector.replay.play import Pace, Played, moments, play
from collector.replay.sending import Uploads, control_keys

__all__ = ["Pace", "Played", "Uploads", "control_keys", "load", "moment_ms", "moments", "packaged", "play"]
