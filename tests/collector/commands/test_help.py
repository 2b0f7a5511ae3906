"""What the help says first: what the program is for, and what each command does, in words for its reader."""

from __future__ import annotations

import pytest

from collector import commands
from probe import __version__


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_the_help_speaks_of_the_program_and_not_of_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    said = capsys.readouterr().out
    assert "Keep what probes measured, judge it, and show it." in said
    assert "one command a file" not in said
