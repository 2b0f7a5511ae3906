"""Virtual environments whose packages are links to those of this one: nothing is fetched, nothing here is changed."""

from __future__ import annotations

import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

SITE = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
PROGRAM = """#!{python}
import sys
from {module} import {function}
sys.exit({function}())
"""


def made(directory: Path, requirements: set[str]) -> None:
    """An environment with these distributions and nothing else: no pip either."""
    venv.create(directory, symlinks=True)
    for name in requirements:
        link(name, directory / SITE)


def needed(name: str, *extras: str) -> set[str]:
    """What a distribution requires with these extras, and what those require."""
    found: set[str] = set()
    asked = [(name, extra) for extra in ("", *extras)]
    while asked:
        current, extra = asked.pop()
        for requirement in map(Requirement, metadata.requires(current) or []):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            if requirement.name not in found:
                found.add(requirement.name)
                asked += [(requirement.name, each) for each in ("", *requirement.extras)]
    return found


def link(name: str, site: Path) -> None:
    """Makes an installed distribution visible in another environment."""
    distribution = metadata.distribution(name)
    for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))


def stand_in(source: Path, directory: Path) -> None:
    """What an editable install of the tree at `source` leaves: its place on the path, and its programs."""
    (directory / SITE / "source.pth").write_text(f"{source}\n")
    scripts = tomllib.loads((source / "pyproject.toml").read_text())["project"]["scripts"]
    for name, entry in scripts.items():
        module, _, function = entry.partition(":")
        program = directory / "bin" / name
        program.write_text(PROGRAM.format(python=directory / "bin" / "python", module=module, function=function))
        program.chmod(0o755)
