"""The documents name what is there: every link, and every path of this repository in code marks, exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("tests/**/*.md"),
        *ROOT.glob("grafana/**/*.md"),
    )
    if path.name != "CHANGELOG.md"  # which names what was
)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[A-Za-z0-9_.*-]+(/[A-Za-z0-9_.*-]+)*/?")


def links(text: str) -> Iterator[str]:
    yield from (each for each in LINK.findall(text) if not each.startswith(("http:", "https:", "mailto:")))


def paths(text: str) -> Iterator[str]:
    """What stands in code marks and begins with a directory of this repository, not with one that running it made."""
    made = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - made
    for each in CODE.findall(text):
        if PATH.fullmatch(each) and "/" in each and each.partition("/")[0] in tops:
            yield each


def missing(text: str, folder: Path) -> list[str]:
    lost = [each for each in links(text) if not (folder / each).exists()]
    return lost + [each for each in paths(text) if not any(ROOT.glob(each.rstrip("/")))]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_names_is_there(name: str) -> None:
    document = ROOT / name
    assert missing(document.read_text(encoding="utf-8"), document.parent) == []


def test_what_is_not_there_is_found() -> None:
    text = "[a](probe/no.py) `probe/nothing.py` `collector/cli.py` `probe/cli.py` [b](https://x.example/y) `x/y.py`"
    assert missing(text, ROOT) == ["probe/no.py", "probe/nothing.py", "collector/cli.py"]
