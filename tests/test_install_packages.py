"""The installer of the tests' packages denies service starts only while it installs. Here apt-get is a stand-in."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE

SCRIPT = Path(__file__).with_name("install-packages.sh")
HANG = "echo ready; exec sleep 30"
pytestmark = pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="for Debian only")


class Stage:
    """A policy file of its own, and a PATH on which apt-get, dpkg-query and id do what a test wants."""

    def __init__(self, directory: Path) -> None:
        self.bin, self.policy, self.seen = directory / "bin", directory / "policy-rc.d", directory / "seen"
        self.bin.mkdir()
        self.stand_in("dpkg-query", 'case "$*" in *unbound*) exit 1;; *) echo installed;; esac')
        self.stand_in("id", "echo 0")
        self.stand_in("apt-get", f'cp "{self.policy}" "{self.seen}"; echo "$@" >>"{self.seen}.arguments"')

    def stand_in(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        path = f"{self.bin}:{os.environ['PATH']}"
        return subprocess.Popen(
            [str(SCRIPT), *arguments],
            env={**os.environ, "PATH": path, "RINGBACK_POLICY": str(self.policy)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, said


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_starts_are_denied_during_the_install_and_the_file_is_put_back(stage: Stage) -> None:
    stage.policy.write_text("#!/bin/sh\nexit 0 # the administrator's\n")
    stage.policy.chmod(0o700)
    before = stage.policy.stat()
    assert stage.run()[0] == 0
    assert "exit 101" in stage.seen.read_text()
    assert "unbound" in Path(f"{stage.seen}.arguments").read_text()
    after = stage.policy.stat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)


def test_where_there_was_no_file_there_is_none_afterwards(stage: Stage) -> None:
    assert stage.run()[0] == 0
    assert stage.seen.exists()
    assert not stage.policy.exists()


def test_failure_puts_it_back_and_is_reported(stage: Stage) -> None:
    stage.policy.symlink_to("elsewhere")
    stage.stand_in("apt-get", "exit 100")
    assert stage.run() == (1, "tests: apt-get failed; packages not installed: unbound\n")
    assert str(stage.policy.readlink()) == "elsewhere"
    assert stage.run("--if-possible")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_puts_it_back(stage: Stage, number: signal.Signals) -> None:
    stage.policy.write_text("mine")
    stage.stand_in("apt-get", HANG)
    process = stage.start()
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, number)
    assert process.wait(10) != 0
    assert stage.policy.read_text() == "mine"


def test_the_next_run_puts_back_what_a_killed_one_left(stage: Stage) -> None:
    stage.policy.write_text("mine")
    stage.stand_in("apt-get", HANG)
    process = stage.start()
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    assert stage.policy.read_text() != "mine"
    stage.stand_in("apt-get", "exit 0")
    assert stage.run()[0] == 0
    assert stage.policy.read_text() == "mine"


def test_nothing_is_done_when_everything_is_installed(stage: Stage) -> None:
    stage.stand_in("dpkg-query", "echo installed")
    stage.stand_in("apt-get", "exit 1")
    assert stage.run() == (0, "")


def test_without_root_it_says_so(stage: Stage) -> None:
    stage.stand_in("id", "echo 1000")
    expected = "tests: only root can install (sudo make test-deps); packages not installed: unbound\n"
    assert stage.run() == (1, expected)
    assert stage.run("--if-possible") == (0, expected)
