"""`networks update`: from archives as npm gives them to the table that a running collector uses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector import commands
from collector.commands.arguments import options, tell_of_networks
from collector.facts.networks_file import TABLE_FILE, read
from collector.instance import Options, opened
from collector.judging.rules import RULES
from tests.collector.facts.published.packages import put
from tests.collector.facts.published.registry import Registry

Capture = pytest.CaptureFixture[str]


def update(data: Path, *words: str) -> int:
    return commands.main(["networks", "update", "--data", str(data), *words])


def from_files(directory: Path) -> list[str]:
    return [word for path in put(directory) for word in ("--from", str(path))]


def test_a_running_collector_uses_what_was_made(tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "data"
    with opened(Options(data=data), RULES) as parts:
        assert not parts.networks.is_there
        assert update(data, *from_files(tmp_path)) == 0
        parts.networks.refresh()
        found = parts.networks.lookup("41.141.1.1")
        assert (found.country, found.asn, found.operator) == ("MA", 36903, "Maroc Telecom")
        assert parts.networks.lookup("41.248.1.1").operator == "Maroc Telecom"
        assert parts.metrics.registry.get_sample_value("ringback_networks_age_seconds") > 0
    said = capsys.readouterr().out
    assert "52 ranges of networks, 49 of countries, of 2026-06-17." in said
    assert "IP Geolocation by DB-IP <https://db-ip.com/> CC BY 4.0" in said
    assert (data / TABLE_FILE).stat().st_mode & 0o077 == 0


def test_it_needs_no_collector_before_it(tmp_path: Path) -> None:
    assert update(tmp_path / "new" / "data", *from_files(tmp_path)) == 0
    assert read(tmp_path / "new" / "data" / TABLE_FILE)[1].credits


def test_without_from_it_asks_the_registry(tmp_path: Path) -> None:
    async def updated() -> int:
        registry = Registry()
        async with registry.served() as address:
            return await asyncio.to_thread(update, tmp_path, "--registry", address)

    assert asyncio.run(updated()) == 0
    assert read(tmp_path / TABLE_FILE)[0].lookup("105.128.1.1").asn == 6713


def test_what_cannot_be_read_leaves_the_table_as_it_was(tmp_path: Path, capsys: Capture) -> None:
    assert update(tmp_path, *from_files(tmp_path)) == 0
    before = (tmp_path / TABLE_FILE).read_bytes()
    (tmp_path / "bad.csv").write_text("1.0.0.0,1.0.0.255,au\n")
    assert update(tmp_path, "--from", str(tmp_path / "bad.csv")) == 2
    assert (tmp_path / TABLE_FILE).read_bytes() == before
    assert capsys.readouterr().err == (
        "bad.csv, line 1: the country must be two capital letters (ISO 3166), not 'au'.\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asn.tgz", "bad.csv", "country.tgz", TABLE_FILE]


def test_whose_data_it_is_may_be_said(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.csv").write_text("1.0.0.0,1.0.0.255,AU\n")
    assert update(tmp_path, "--from", str(tmp_path / "mine.csv")) == 0
    assert "Whose data mine.csv is, is not known" in capsys.readouterr().err
    assert update(tmp_path, "--from", str(tmp_path / "mine.csv"), "--attribution", "Data by Somebody") == 0
    assert capsys.readouterr().err == ""
    assert [credit.text for credit in read(tmp_path / TABLE_FILE)[1].credits] == ["Data by Somebody"]


def test_a_collector_without_a_table_says_what_to_run(tmp_path: Path, capsys: Capture) -> None:
    given = Options(data=tmp_path / "data")
    with opened(given, RULES) as parts:
        tell_of_networks(parts, given)
    assert f"Run `ringback-collector networks update --data {given.data}`" in capsys.readouterr().err
    assert update(given.data, *from_files(tmp_path)) == 0
    capsys.readouterr()
    with opened(given, RULES) as parts:
        tell_of_networks(parts, given)
    assert capsys.readouterr().err == ""


def test_the_data_directorys_own_table_may_be_named_before_it_is_made(tmp_path: Path) -> None:
    """As the container does."""
    words = ["serve", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--networks", str(tmp_path / TABLE_FILE)]
    given, _ = commands.grammar().parse_known_args(words)
    with opened(options(given), RULES) as parts:
        assert not parts.networks.is_there
