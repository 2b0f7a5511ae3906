"""Genuine rows of the npm packages, in archives of their shape."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.facts.credits import Credit
from collector.facts.published.making import Made, Source, make
from collector.facts.published.publishers import DBIP, MAXMIND, NRO, ROUTE_VIEWS
from collector.facts.range_table import RangeTable, unpack
from probe.failure import UserError
from probe.model import Network
from tests.collector.facts import maxmind
from tests.collector.facts.published.packages import asn_package, country_package, package

PUBLISHED = round(datetime(2026, 6, 17, 19, tzinfo=UTC).timestamp() * 1000)
ONE_ROW = b"105.128.0.0,105.159.255.255,MA\n"


def made(*sources: tuple[str, bytes]) -> tuple[Made, RangeTable]:
    found = make([Source(name, io.BytesIO(data)) for name, data in sources])
    return found, unpack(found.data)


@pytest.fixture(scope="module")
def both() -> tuple[Made, RangeTable]:
    return made(("asn.tgz", asn_package()), ("country.tgz", country_package()))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("41.137.5.5", Network(country="MA", asn=36884, operator="Wana Corporate")),
        ("41.137.107.1", Network(country="MA")),
        ("105.128.1.1", Network(country="MA", asn=6713, operator="Itissalat Al-MAGHRIB")),
        ("1.0.0.255", Network(country="AU", asn=13335, operator="Cloudflare, Inc.")),
        ("1.0.1.0", Network()),
        ("2.26.200.1", Network(asn=201907, operator='LLC "SPUTNIK"')),
        ("45.70.144.1", Network(asn=267568, operator="R. C. F. TELECOM LTDA ME")),
        ("2001:4288::1", Network(country="MA", asn=6713, operator="Itissalat Al-MAGHRIB")),
        ("2c0f:fa18::1", Network(asn=36884, operator="Wana Corporate")),
        ("2001:420:4000::1", Network(country="GB", asn=109, operator="CISCO SYSTEMS, INC.")),
        ("2001:420:4100::1", Network(country="US")),
        ("2001:678:cb0:1::", Network(country="NL", asn=60431, operator="PNO Solutions Limited")),
        ("2001:678:b24:1000::", Network(country="DE")),
        ("2001:678:b24:2000::", Network(country="CH")),
    ],
)
def test_genuine_rows(both: tuple[Made, RangeTable], address: str, network: Network) -> None:
    """Those of IPv6 overlap as they came: three countries claim 2001:420:4000::/34, each within the other."""
    assert both[1].lookup(address) == network


def test_whose_they_are_and_of_when(both: tuple[Made, RangeTable]) -> None:
    about = both[0].about
    assert about.credits == (ROUTE_VIEWS, DBIP, NRO)
    assert about.data_ms == PUBLISHED
    assert about.sources == (
        "@ip-location-db/asn 2.3.2026061719",
        "@ip-location-db/geo-whois-asn-country 2.3.2026061719",
    )
    assert both[0].uncredited == ()
    assert both[0].ranges == (52, 49)
    assert both[1].about == about


def test_a_table_is_as_old_as_its_oldest_part() -> None:
    found, _ = made(("a.tgz", package("@x/a", {"a.csv": ONE_ROW}, "1.0.2020010203")), ("asn.tgz", asn_package()))
    assert found.about.data_ms == round(datetime(2020, 1, 2, 3, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("version", ["1.2.3", "2.3.2026991719", ""])
def test_a_version_need_not_be_a_date(version: str) -> None:
    found, _ = made(("a.tgz", package("@x/a", {"a.csv": ONE_ROW}, version)))
    assert found.about.data_ms is None


@pytest.mark.parametrize(
    ("name", "data", "credits", "uncredited"),
    [
        ("dbip-country-lite-2026-06.csv.gz", gzip.compress(ONE_ROW, mtime=0), (DBIP,), ()),
        ("ip2asn-v4.tsv", b"1.0.0.0\t1.0.0.9\t7\tUS\tA\n", (), ()),
        ("mine.csv", ONE_ROW, (), ("mine.csv",)),
        ("mine.mmdb", maxmind.database({"105.128.0.0/11": {"asn": 7}}, kind="GeoLite2-ASN"), (MAXMIND,), ()),
        ("GeoLite2-Country.mmdb", maxmind.database({"105.128.0.0/11": {"asn": 7}}), (MAXMIND,), ()),
    ],
)
def test_whose_a_file_is(name: str, data: bytes, credits: tuple[Credit, ...], uncredited: tuple[str, ...]) -> None:
    found, _ = made((name, data))
    assert (found.about.credits, found.uncredited) == (credits, uncredited)


def test_what_the_owner_says_of_a_source_stands() -> None:
    said = (Credit("Somebody"),)
    found = make([Source("asn.tgz", io.BytesIO(asn_package()), credits=said)])
    assert (found.about.credits, found.uncredited) == (said, ())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (package("@x/a", {"README.md": b"x"}), "a.tgz holds no table: a .csv, .tsv or .mmdb, or an archive of some."),
        (package("@x/a", {"a.csv": b""}), "There is no range of addresses in a.tgz."),
        (package("@x/a", {"a.csv": b"x\n"}), "a.csv, line 1: a row has 1 fields"),
        (b"", "a.tgz holds no table"),
    ],
)
def test_what_holds_nothing_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UserError) as refused:
        made(("a.tgz", data))
    assert message in str(refused.value)


@pytest.mark.parametrize("described", [b"\xff", b"[]", b'{"name":7}', b'{"version":null}', b"[" * 9000])
def test_a_package_that_says_nothing_of_itself_is_read(described: bytes) -> None:
    found, table = made(("a.tgz", package("@x/a", {"a.csv": ONE_ROW, "package.json": described})))
    assert table.lookup("105.130.1.2").country == "MA"
    assert found.about.sources


def test_the_excerpts_are_as_they_came() -> None:
    """No end of line was changed, and no row by hand."""
    for path in Path(__file__).parents[4].glob("tests/data/networks/*.csv"):
        data = path.read_bytes()
        assert data.endswith(b"\n")
        assert b"\r" not in data
