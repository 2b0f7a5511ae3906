from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from collector.facts.credits import About, Credit, in_header, of_header, together
from collector.facts.networks_file import TABLE_FILE, NetworksFile, read
from collector.facts.operators import packaged
from collector.facts.published.publishers import MAXMIND
from collector.facts.range_table import pack
from probe import durable
from probe.failure import UserError
from probe.model import Network
from tests.collector.facts import maxmind
from tests.collector.facts.test_range_table import ABOUT, packed

NOW_MS = 1_790_000_000_000
HERE = "105.130.1.2"
CSV = "prefix,asn,country,operator\n105.128.0.0/11,36903,MA,as the owner says\n"


def used(path: Path, *, optional: bool = True) -> NetworksFile:
    return NetworksFile(path, packaged(), lambda: NOW_MS, optional=optional)


def put(path: Path, asn: int, operator: str = "registered") -> None:
    """In the place of what was there, as `networks update` does."""
    durable.write(path, packed(("105.128.0.0", "105.159.255.255", Network(country="MA", asn=asn, operator=operator))))


def test_none_is_needed(tmp_path: Path) -> None:
    networks = used(tmp_path / TABLE_FILE)
    assert not networks.is_there
    assert networks.lookup(HERE) == Network()
    assert networks.credits() == ()
    assert networks.age_ms() is None


def test_one_that_was_named_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"networks\.table cannot be read"):
        used(tmp_path / TABLE_FILE, optional=False)


def test_one_that_appears_is_used_and_one_that_takes_its_place_too(tmp_path: Path) -> None:
    networks = used(tmp_path / TABLE_FILE)
    put(tmp_path / TABLE_FILE, 7)
    assert networks.lookup(HERE).asn == 0
    networks.refresh()
    assert networks.is_there
    assert networks.lookup(HERE) == Network(country="MA", asn=7, operator="registered")
    assert networks.credits() == ABOUT.credits
    assert networks.age_ms() == NOW_MS - 7
    put(tmp_path / TABLE_FILE, 36903)
    networks.refresh()
    assert networks.lookup(HERE) == Network(country="MA", asn=36903, operator="Maroc Telecom")


def test_a_damaged_one_is_told_of_once_and_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / TABLE_FILE
    put(path, 7)
    networks = used(path)
    durable.write(path, path.read_bytes()[:-1])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            networks.refresh()
    assert networks.lookup(HERE).asn == 7
    assert len(caplog.records) == 1
    assert "its digest does not agree" in caplog.text
    with pytest.raises(UserError, match="its digest does not agree"):
        used(path)
    put(path, 8)
    networks.refresh()
    assert networks.lookup(HERE).asn == 8


def test_one_that_vanishes_stays_in_use(tmp_path: Path) -> None:
    put(tmp_path / TABLE_FILE, 7)
    networks = used(tmp_path / TABLE_FILE)
    os.unlink(tmp_path / TABLE_FILE)
    networks.refresh()
    assert networks.lookup(HERE).asn == 7


def test_one_that_stays_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / TABLE_FILE, 7)
    networks = used(tmp_path / TABLE_FILE)
    monkeypatch.setattr(networks, "_read", None)
    networks.refresh()


def test_what_the_owner_writes_in_a_csv_stands(tmp_path: Path) -> None:
    path = tmp_path / "networks.csv"
    path.write_text(CSV)
    networks = used(path, optional=False)
    assert networks.lookup(HERE).operator == "as the owner says"
    assert not networks.is_cgn(HERE)
    path.write_text(CSV.replace("operator\n", "operator,cgn\n").replace("says\n", "says,yes\n"))
    networks.refresh()
    assert networks.is_cgn(HERE)
    assert (networks.credits(), networks.age_ms()) == ((), None)


def test_an_mmdb_gets_the_names_that_people_use_and_its_publishers_credit(tmp_path: Path) -> None:
    path = tmp_path / "x.mmdb"
    record: maxmind.Record = {"autonomous_system_number": 36903, "autonomous_system_organization": "ONPT"}
    path.write_bytes(maxmind.database({"105.128.0.0/11": record}, kind="GeoLite2-ASN"))
    networks = used(path, optional=False)
    assert networks.lookup(HERE) == Network(country="MA", asn=36903, operator="Maroc Telecom")
    assert networks.credits() == (MAXMIND,)
    assert networks.age_ms() == NOW_MS - 1000


def test_data_of_the_future_are_new(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", pack(About(data_ms=NOW_MS + 9), [(0, Network())], [(0, Network())]))
    assert used(tmp_path / "a").age_ms() == 0
    assert read(tmp_path / "a")[1].data_ms == NOW_MS + 9


# --- Credits


def test_several_tables_are_credited_together() -> None:
    one, other = Credit("One"), Credit("Other")
    both = together([About(data_ms=5, credits=(one, other)), About(credits=(other,)), About(data_ms=3)])
    assert both == About(data_ms=3, credits=(one, other))
    assert together([]) == About()


def test_credits_travel_in_a_header() -> None:
    said = (Credit("Météo \r\n Évil", "https://example.org/", "CC BY 4.0"), Credit("B"))
    header = in_header(said)
    assert header.isascii()
    assert header.isprintable()
    assert of_header(header) == said
    for text in ("", "{}", "[1]", "[" * 9000, '["\udcff"]'):
        with pytest.raises(ValueError, match="no credits"):
            of_header(text)
