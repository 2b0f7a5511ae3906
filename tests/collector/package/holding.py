"""What the tests of exports share: a collector's files with a small simulated story, and one that serves them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from collector.package.export import Order, export
from collector.package.origin import OwnFiles
from collector.package.source import Source, Wanted
from collector.replay import moment_ms
from probe.model import HOUR_MS, Json
from tests.collector.replay.stories import SMALL

STORY = SMALL.replace("targets: [whatsapp/chat, viber/call]", "targets: [whatsapp/chat, whatsapp/web, viber/call]")
WHEN = [moment_ms(text) for text in ("2016-01-08T12:00", "2016-01-15T12:00", "2016-01-15T15:00")]
SINCE, UNTIL = moment_ms("2016-01-01"), moment_ms("2016-02-01")
HOURS = [moment // HOUR_MS for moment in WHEN]


def wanted(**changes: Any) -> Wanted:
    given: dict[str, Any] = {"since_ms": SINCE, "until_ms": UNTIL, "now_ms": UNTIL, "simulated": True, "full": True}
    return Wanted(**{**given, **changes})


async def exported(source: Source, out: Path, format: str, **changes: Any) -> dict[str, Json]:
    """The descriptor of an export from a collector's own files."""
    order = Order(out=out, format=format, wanted=wanted(**changes), publisher="Ringback", now_ms=UNTIL)
    await export(order, OwnFiles(source), lambda _: None)
    descriptor: dict[str, Json] = json.loads((out / "datapackage.json").read_text())
    return descriptor


def rows(path: Path) -> list[dict[str, Json]]:
    data = path.read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()]
