"""README's commands, run as they stand there: in a fresh clone, in a network namespace with nothing but loopback.

The environment is not made by pip, for there is no network: it is links to this one's packages, and so are the stamps
that say that it is made.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from probe import cli
from probe.measuring.byte_budget import CYCLE_BYTES
from probe.path.sweeps import SWEEP_BYTES
from tests import environments
from tests.patience import PATIENCE
from tests.source import ROOT

MOST_LINES = 80
LOOPBACK = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
LINK = re.compile(r"\]\(([^)#\s]+\.md)[^)]*\)")
STANDS = "stays up until Ctrl-C"


def commands(readme: str) -> list[str]:
    """Those of the indented blocks, in their order; a paragraph stands between two blocks."""
    return [line.strip() for line in readme.splitlines() if line.startswith("    ") and line.strip()]


def command(readme: str, program: str) -> list[str]:
    """The one command that begins so."""
    (found,) = (each for each in commands(readme) if each.startswith(program))
    return shlex.split(found)


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone in which `make setup` and `make tools` have been; who owns this repository does not matter."""
    directory = tmp_path_factory.mktemp("fresh")
    trusting = directory / "gitconfig"
    trusting.write_text("[safe]\n\tdirectory = *\n")
    where = directory / "ringback"
    asked = ["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(where)]
    subprocess.run(asked, check=True, timeout=PATIENCE, env=os.environ | {"GIT_CONFIG_GLOBAL": str(trusting)})
    environment = where / ".venv"
    environments.made(environment, environments.needed("ringback", "collector"))
    environments.stand_in(where, environment)
    for stamp in ("ready", "ready-to-test"):
        (environment / stamp).touch()
    return where


@contextmanager
def begun(words: list[str], clone: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A command as somebody starts it who knows of no other tree and environment; what is left of it is ended."""
    ours = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    plain = {name: value for name, value in os.environ.items() if name not in ours}
    with subprocess.Popen(
        [*LOOPBACK, *words],
        cwd=clone,
        env=plain | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as child:
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def done(words: list[str], clone: Path, **more: str) -> str:
    """What it says; it ends well."""
    with begun(words, clone, **more) as child:
        said, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, f"{words}:\n{said}"
    assert "Traceback" not in said
    return said


def until(sentence: str, words: list[str], clone: Path) -> str:
    """What it says until it is stopped by Ctrl-C, pressed when it says this sentence."""
    said = []
    with begun(words, clone) as child:
        assert child.stdout is not None
        for line in child.stdout:
            said.append(line)
            if sentence in line:
                os.killpg(child.pid, signal.SIGINT)
    assert sentence in "".join(said)
    assert "Traceback" not in "".join(said)
    return "".join(said)


def linked(page: Path) -> Iterator[Path]:
    for each in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in each:
            yield (page.parent / each).resolve()


def test_the_readme_is_short(readme: str) -> None:
    assert len(readme.splitlines()) <= MOST_LINES


def test_what_a_month_costs_follows_from_the_limits(readme: str) -> None:
    """A bound of each limited part: at the default interval, and as spared on a metered line."""
    told = (ROOT / "docs" / "volunteers.md").read_text(encoding="utf-8")
    default = cli.parser().parse_args(["run"]).interval
    assert f"{CYCLE_BYTES / 1000:.0f} kB a cycle" in readme
    assert f"at the default interval {monthly(CYCLE_BYTES, default)} a month" in readme
    assert f"every {default:.0f} minutes" in told
    assert f"| {CYCLE_BYTES / 1000:.0f} kB | {monthly(CYCLE_BYTES, default)} |" in told
    assert f"| {SWEEP_BYTES / 1000:.0f} kB | {monthly(SWEEP_BYTES, default)} |" in told
    assert f"`--interval 120` and `--max-bytes 64000` make the first row {monthly(64_000, 120)}." in told


def monthly(cycle_bytes: int, interval_minutes: float) -> str:
    cycles = 30 * 24 * 60 / interval_minutes
    return f"{cycle_bytes * cycles / 1e6:.0f} MB"


def test_every_page_is_linked_from_the_readme_or_from_a_page_that_is() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += linked(page)
    assert sorted(path.name for path in set(ROOT.glob("docs/*.md")) - reached) == []


def test_every_command_of_the_readme_is_run_here(readme: str) -> None:
    programs = ("make run", "ONCE=1 make run", ".venv/bin/ringback-collector ")
    assert [each for each in commands(readme) if not each.startswith(programs)] == []
    assert len(commands(readme)) == 4


@pytest.mark.needs("root", "util-linux", "iproute2")
def test_make_run_goes_on_until_ctrl_c(readme: str, clone: Path) -> None:
    assert "no internet" in until("This link opens once", command(readme, "make run"), clone)


@pytest.mark.needs("root", "util-linux", "iproute2")
def test_once_leaves_a_page(readme: str, clone: Path) -> None:
    setting, *words = command(readme, "ONCE=1 make run")
    name, _, value = setting.partition("=")
    assert "data/page.html" in readme
    (clone / "data" / "page.html").unlink(missing_ok=True)
    assert "data/page.html" in done(words, clone, **{name: value})
    page = (clone / "data" / "page.html").read_text(encoding="utf-8")
    assert "no internet" in page


@pytest.mark.needs("root", "util-linux", "iproute2")
def test_the_replay_stands_in_the_ban_and_its_data_can_be_taken(readme: str, clone: Path) -> None:
    """Begun as late as README itself says that it can be."""
    (later,) = re.findall(r"`(--since [0-9-]+)`", readme)
    words = [*command(readme, ".venv/bin/ringback-collector replay"), *later.split()]
    until(STANDS, words, clone)

    taken = command(readme, ".venv/bin/ringback-collector export")
    done(taken, clone)
    package = clone / taken[taken.index("--out") + 1]
    told = json.loads((package / "datapackage.json").read_text(encoding="utf-8"))
    assert "simulated" in told["title"].lower()
    rows = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.csv"))
    assert "viber/call" in rows
    assert "likely_blocked" in rows
