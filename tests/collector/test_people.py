"""What people bring, over every file and command: files that other programs saved, terminals that know ASCII only."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from collector import commands
from collector.commands.export import read_token
from collector.facts.networks import read_networks
from collector.front.access import TOKEN_FILE, admin_token
from collector.influx.settings import server
from collector.replay import load
from collector.replay.episode import packaged

Save = Callable[[str, str], Path]  # name, text


@pytest.fixture(params=["utf-8-sig", "utf-16"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Save:
    """Saves a file as Notepad and Excel do, or PowerShell's `>`: with a mark, and lines that end in CR LF."""

    def save(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.replace("\n", "\r\n").encode(request.param))
        return path

    return save


def test_a_networks_file(save: Save) -> None:
    """Case a11."""
    file = save("networks.csv", 'prefix,asn,country,operator\n203.0.113.0/24,64500,MA,"Opérateur, Maroc"\n')
    network = read_networks(file).lookup("203.0.113.7")
    assert (network.asn, network.operator) == (64500, "Opérateur, Maroc")


def test_an_episode(save: Save) -> None:
    for name, path in packaged().items():
        saved = save(f"{name}.yaml", path.read_text(encoding="utf-8"))
        assert load(str(saved)).lines == load(name).lines


def test_tokens(save: Save) -> None:
    path = save(TOKEN_FILE, "s3cret\n")
    assert (admin_token(path.parent), read_token(path)) == ("s3cret", "s3cret")
    given = Namespace(
        influx="http://127.0.0.1:8086",
        influx_token_file=path,
        influx_org=None,
        influx_api="v2",
        influx_database="ringback",
    )
    found = server(given, {})
    assert found is not None
    assert found.token == "s3cret"


# --- Terminals


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        *(([name, "--help"], 0) for name in commands.COMMANDS),
        (["replay", "morocco-2016", "--prepare", "--data", "DATA"], 0),
        (["replay", "لا شيء", "--data", "DATA"], 2),
        (["rebuild", "--data", "DATA"], 2),
        (["serve", "--data", "DATA", "--listen", "…"], 2),
        (["sip-echo", "--listen", "…"], 2),
        (["influx", "refill", "--data", "DATA"], 2),
        (["export", "--data", "DATA", "--format", "csv", "--since", "2016-02-20", "--out", "OUT"], 2),
    ],
)
def test_every_command_speaks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str, words: list[str], code: int
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    here = {"DATA": str(tmp_path / "donnés…"), "OUT": str(tmp_path / "صادر")}
    try:
        ended = commands.main([here.get(word, word) for word in words])
    except SystemExit as exit_:
        ended = int(exit_.code or 0)
    sys.stdout.flush()
    assert ended == code
    assert raw.getvalue() or code
