"""In a network namespace with nothing but loopback: no internet is a result, and only the baseline is dialled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SENTENCE = "this link has no internet: nothing can be concluded"
SECONDS = 60

pytestmark = pytest.mark.needs("root", "util-linux")


def isolated(*command: str, lift_loopback: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs it where there is no network."""
    lift = "ip link set lo up; " if lift_loopback else ""
    return subprocess.run(
        ["unshare", "-n", "sh", "-c", f'{lift}exec "$@"', "sh", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def check(tmp_path: Path, *arguments: str, lift_loopback: bool = True) -> subprocess.CompletedProcess[str]:
    data = ("--data-dir", str(tmp_path), "--timeout-scale", "0.2")
    return isolated(sys.executable, "-m", "probe.cli", "check", *data, *arguments, lift_loopback=lift_loopback)


@pytest.mark.needs("iproute2")
@pytest.mark.parametrize(("lift_loopback", "asked"), [(True, ()), (False, ()), (True, ("--services", "all"))])
def test_no_internet_is_a_result(tmp_path: Path, lift_loopback: bool, asked: tuple[str, ...]) -> None:
    done = check(tmp_path, "--format", "json", *asked, lift_loopback=lift_loopback)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary = next(line for line in lines if line["type"] == "summary")
    assert summary["conclusion"] == SENTENCE
    verdicts = {line["target"]: line["state"] for line in lines if line["type"] == "verdict"}
    listed = yaml.safe_load((ROOT / "targets.yaml").read_text())["targets"]
    assert set(verdicts) == {name for name, target in listed.items() if asked or not target.get("on_request")}
    assert {state for target, state in verdicts.items() if not target.startswith("baseline/")} == {"insufficient"}
    assert not {"blocked", "likely_blocked", "ok"} & set(verdicts.values())
    dialled = {line["target"] for line in lines if line.get("attempts") or line.get("resolutions")}
    assert {target.partition("/")[0] for target in dialled} <= {"baseline"}


@pytest.mark.needs("iproute2")
def test_people_are_told_in_a_sentence(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 0, done.stderr
    assert SENTENCE in " ".join(done.stdout.split()).replace("This link", "this link")


@pytest.mark.needs("iproute2")
def test_local_once_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    command = ("-m", "collector", "local", "--once", "--data", str(tmp_path / "data"), "--timeout-scale", "0.2")
    done = isolated(sys.executable, *command)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "data" / "page.html").read_text()
    assert "whatsapp" in page.lower()
    assert SENTENCE in (" ".join(done.stdout.split()) + page).replace("This link", "this link")
