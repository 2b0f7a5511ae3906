"""OONI's own parser reads what is exported, and finds in it what was measured. Not run where it is not installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from collector.instance import Parts
from collector.package.source import Source
from probe.model import Measurement, Step
from tests.collector.package.holding import exported
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-oonidata" / "bin" / "python"
READS = Path(__file__).with_name("oonidata_reads.py")


@pytest.mark.skipif(not PYTHON.exists(), reason="oonidata is not installed: make oonidata")
async def test_oonis_parser_understands_it(source: Source, parts: Parts, tmp_path: Path) -> None:
    await exported(source, tmp_path / "out", "ooni")
    path = tmp_path / "out" / "measurements.jsonl.gz"
    done = subprocess.run([PYTHON, READS, path], capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: ASYNC221
    assert done.returncode == 0, done.stderr
    found = {one["uid"]: one for one in map(json.loads, done.stdout.splitlines())}
    records = {record.measurement.uid: record for record in parts.index.arrived(0, 1000).records}
    assert set(found) == set(records)
    for uid, one in found.items():
        record = records[uid]
        network = record.network
        assert one["input"] == record.measurement.target
        assert one["probe"] == [network.country, f"AS{network.asn}", network.operator]
        assert one["connects"] == connects(record.measurement)
        assert one["addresses"] == [
            answer
            for each in record.measurement.resolutions
            if each.observation.dns
            for answer in each.observation.dns.answers
        ]
        assert len(one["events"]) == sum(len(each.observations) for each in record.measurement.attempts)
    assert any(one["names"] for one in found.values())


def connects(measurement: Measurement) -> list[list[object]]:
    return [
        [attempt.address, attempt.port, each.failure is None, each.failure]
        for attempt in measurement.attempts
        for each in attempt.observations
        if each.step is Step.TCP
    ]
