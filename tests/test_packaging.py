"""The wheel works where nothing but what it declares is installed; an editable install finds the same targets.

Nothing is fetched: the wheel is built by the hatchling that is here, and an environment's packages are links to
those of this one, just the ones that the metadata asks for (environments.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.environments import made, needed
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]


def run(*command: object, cwd: Path = ROOT) -> str:
    """Its stdout; what it says when it fails is shown."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory)
    (path,) = directory.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """A virtual environment with the wheel and what it needs, and no extras."""
    directory = tmp_path_factory.mktemp("environment")
    made(directory, needed("ringback"))
    install = ("install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", wheel)
    run(sys.executable, "-m", "pip", "--python", directory / "bin" / "python", *install)
    return directory


def test_the_wheel_holds_targets_licence_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"probe/targets.yaml", "probe/py.typed", "collector/py.typed"} <= names
    assert zipfile.ZipFile(wheel).read("probe/targets.yaml") == (ROOT / "targets.yaml").read_bytes()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not {name for name in names if name.startswith(("tests", "grafana"))}


def test_what_is_not_python_is_in_the_wheel(wheel: Path) -> None:
    kept = (path for package in ("probe", "collector") for path in (ROOT / package).rglob("*") if path.is_file())
    sources = {str(path.relative_to(ROOT)) for path in kept if "__pycache__" not in path.parts}
    assert sources - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_base_install_needs_nothing_of_the_collector() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    of_collector = {Requirement(text).name for text in extras["collector"]}
    assert of_collector
    assert needed("ringback") & of_collector == set()


def test_the_environment_is_complete_and_lean(environment: Path) -> None:
    run(sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "check")
    absent = "import importlib.util as u; print([n for n in ('duckdb', 'jinja2', 'scapy', 'pytest') if u.find_spec(n)])"
    assert run(environment / "bin" / "python", "-I", "-c", absent).strip() == "[]"


def test_every_module_of_the_probe_imports_there(environment: Path) -> None:
    script = (
        "import importlib, pkgutil, probe\n"
        "for module in pkgutil.walk_packages(probe.__path__, 'probe.'):\n"
        "    importlib.import_module(module.name)\n"
    )
    run(environment / "bin" / "python", "-I", "-W", "error", "-c", script)


@pytest.mark.needs("root", "util-linux")
def test_the_wheel_checks_a_link(environment: Path, tmp_path: Path) -> None:
    options = ("--format", "json", "--data-dir", tmp_path, "--timeout-scale", "0.2")
    said = run("unshare", "-n", environment / "bin" / "ringback", "check", *options, cwd=tmp_path)
    lines = [json.loads(line) for line in said.splitlines()]
    assert lines[-1]["conclusion"] == "this link has no internet: nothing can be concluded"
    assert {line["target"] for line in lines if line["type"] == "verdict"} >= {"whatsapp/chat", "baseline/portal"}


def test_without_its_extra_the_collector_says_what_to_install(environment: Path, tmp_path: Path) -> None:
    command = [str(environment / "bin" / "ringback-collector"), "local", "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "ringback[collector]" in done.stderr
    assert "Traceback" not in done.stderr


def test_wheel_and_editable_install_list_the_same_targets(environment: Path, tmp_path: Path) -> None:
    here = Path(sysconfig.get_path("scripts")) / "ringback"
    told = [run(program, "targets", "list", cwd=tmp_path) for program in (here, environment / "bin" / "ringback")]
    assert told[0] == told[1]
    assert "whatsapp" in told[0]


def test_the_lock_file_names_versions_and_no_place() -> None:
    assert [pin for pin in pins() if [one.operator for one in pin.specifier] != ["=="] or pin.url] == []
    text = (ROOT / "requirements.lock").read_text()
    assert [mark for mark in ("://", "--", "@") if mark in text] == []


def test_the_lock_file_is_of_these_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [Requirement(text) for text in (*project["dependencies"], *extras["collector"], *extras["dev"])]
    pinned = {pin.name: str(pin.specifier).removeprefix("==") for pin in pins()}
    assert [str(one) for one in asked if not one.specifier.contains(pinned.get(one.name.lower(), "0"))] == []


def pins() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith((" ", "#"))]
