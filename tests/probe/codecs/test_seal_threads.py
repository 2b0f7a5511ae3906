"""Several threads unseal the first batches of a process at once, as in a collector that was just started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.collector.batches import Volunteer
from tests.patience import PATIENCE

PROCESSES, THREADS = 10, 16
PROGRAM = f"""
import sys, threading
from probe.codecs.seal import unseal
bodies = [open(path, "rb").read() for path in sys.argv[1:]]
start, read = threading.Barrier({THREADS}), []
def work(body):
    start.wait()
    read.append(unseal(body))
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=work, args=(bodies[i % 2],)) for i in range({THREADS})]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(read) == {THREADS}
"""


def test_the_first_batches_of_a_process_are_read_by_many_threads(tmp_path: Path) -> None:
    one = Volunteer()
    for name, body in (("1", one.seal([one.measure()])), ("2", one.seal_2([one.measure()]))):
        (tmp_path / name).write_bytes(body)
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "1"), str(tmp_path / "2")]
    for _ in range(PROCESSES):
        said = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (said.returncode, said.stderr) == (0, "")
