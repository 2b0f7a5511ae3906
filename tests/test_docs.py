"""The documents name what is there: every link, path of this repository, and option of the programs exists."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import commands
from probe import cli
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


OPTION = re.compile(r"--[a-z][a-z-]+")
PROGRAM = re.compile(r"\b(ringback-collector|ringback) ([a-z][a-z|-]*)")
BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
OF_BENCHES = ("docs/figures.md", "docs/withstands.md")  # their options are those of programs in tests/


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser, by name."""
    found = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {name: each for action in found for name, each in action.choices.items()}


def taken(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a parser and of the commands below it."""
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*map(taken, below(parser).values()))


PROGRAMS = {"ringback": cli.parser(), "ringback-collector": commands.grammar()}


def unknown(text: str) -> list[str]:
    """Options of the programs' that a document names and their help does not; in blocks and in code marks."""
    blocks = "\n".join(BLOCK.findall(text + "\n"))
    shown = re.split(r"\n(?=    \S)", blocks) + CODE.findall(text)
    return [option for each in shown for option in sorted(set(OPTION.findall(each)) - allowed(each))]


def allowed(shown: str) -> set[str]:
    """The options of the command that is shown; those of all where an option stands alone; else whatever it names."""
    if asked := PROGRAM.search(shown):
        known = below(PROGRAMS[asked[1]])
        return set[str]().union(*(taken(known[name]) for name in asked[2].strip("|").split("|")))
    return set[str]().union(*map(taken, PROGRAMS.values())) if shown.startswith("--") else set(OPTION.findall(shown))


@pytest.mark.parametrize("name", [each for each in DOCUMENTS if each not in OF_BENCHES])
def test_each_option_that_a_document_names_is_the_programs(name: str) -> None:
    assert unknown((ROOT / name).read_text(encoding="utf-8")) == []


def test_an_option_that_no_program_takes_is_found() -> None:
    text = "Say:\n\n    ringback check --speed 3\n                   --seed 1\n\nor `--sped`, `docker run --rm`.\n"
    assert unknown(text) == ["--speed", "--sped"]
