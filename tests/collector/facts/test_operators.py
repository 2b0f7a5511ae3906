from __future__ import annotations

import ipaddress
from datetime import date

import pytest

from collector.facts.networks import PrefixTable
from collector.facts.operators import DAY_MS, EPOCH, Named, Operator, packaged, read
from probe.failure import UserError
from probe.judge.operators import owner, same_operator
from probe.model import Network
from tests.collector.facts.test_range_table import table

AS_NAMES = {6713: "Itissalat Al-MAGHRIB", 36903: "ONPT / IAM", 36925: "MEDITELECOM", 36884: "Wana Corporate"}


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - EPOCH


def named_on(asn: int, day_: str, country: str = "MA") -> Network:
    registered = Network(country=country, asn=asn, operator=AS_NAMES.get(asn, "AS name"))
    networks = Named(table(("10.0.0.0", "10.0.0.255", registered)), packaged(), lambda: day(day_) * DAY_MS)
    return networks.lookup("10.0.0.7")


@pytest.mark.parametrize(
    ("asn", "on", "name"),
    [
        (6713, "2026-11-29", "Maroc Telecom"),
        (36903, "2026-11-29", "Maroc Telecom"),
        (36925, "2016-12-07", "Méditel"),
        (36925, "2016-12-08", "Orange Maroc"),
        (36925, "2026-11-29", "Orange Maroc"),
        (36884, "2009-12-31", "Wana"),
        (36884, "2010-01-01", "inwi"),
        (36884, "1980-01-01", "Wana"),
        (13335, "2026-11-29", "AS name"),
    ],
)
def test_moroccos_operators_under_the_names_of_their_day(asn: int, on: str, name: str) -> None:
    assert named_on(asn, on).operator == name


def test_all_systems_of_an_operator_are_one_owners() -> None:
    """Its resolver in one of them is that of its lines in another; another country's of the same name is not."""
    line, resolver = named_on(6713, "2026-11-29"), named_on(36903, "2026-11-29")
    assert line.asn != resolver.asn
    assert same_operator(line, resolver)
    assert owner(line) == owner(resolver)
    assert not same_operator(line, named_on(36903, "2026-11-29", country="FR"))
    assert not same_operator(line, named_on(36925, "2026-11-29"))
    assert not same_operator(line, named_on(13335, "2026-11-29"))


def test_the_country_fills_in_only_where_the_table_knows_none() -> None:
    assert named_on(36884, "2026-11-29", country="ZZ").country == "MA"
    assert named_on(36884, "2026-11-29", country="FR").country == "FR"
    assert named_on(13335, "2026-11-29", country="ZZ").country == "ZZ"


def test_what_is_unknown_stays_so() -> None:
    assert Named(PrefixTable(), packaged(), lambda: 0).lookup("10.0.0.7") == Network()


def test_what_comes_along_says_whence_it_knows_it() -> None:
    for each in packaged():
        assert all(fact.source for fact in (*each.names, *each.systems))
        assert {system.asn for system in each.systems}.isdisjoint({0})


GOOD = """operators:
  one:
    country: MA
    systems: [{asn: 1, source: a}, {asn: 2, cgn: true, source: a}]
    names: [{name: Old, from: 1999, source: a}, {name: New, from: 2001-02, source: a}]
"""


def test_a_carriers_nat_is_marked_by_system() -> None:
    [one] = read(GOOD.encode(), "x.yaml")
    assert isinstance(one, Operator)
    assert [system.cgn for system in one.systems] == [False, True]
    both = table(
        ("10.0.0.0", "10.0.0.255", Network(asn=1, operator="a")),
        ("10.0.1.0", "10.0.1.255", Network(asn=2, operator="b")),
    )
    networks = Named(both, (one,), lambda: day("2001-02-01") * DAY_MS)
    assert [networks.is_cgn(each) for each in ("10.0.0.1", "10.0.1.1", "10.0.2.1", "")] == [False, True, False, False]
    assert networks.lookup("10.0.1.1").operator == "New"
    prefix = ipaddress.ip_network("10.0.0.0/8")
    marked = PrefixTable([(prefix, Network(asn=1, operator="a"))], [prefix])
    assert Named(marked, (one,), lambda: 0).is_cgn("10.0.0.1")


@pytest.mark.parametrize(
    ("put", "instead", "message"),
    [
        ("asn: 2", "asn: 1", "line 1: AS1 stands in the file twice: a system has one operator."),
        ("asn: 2", "asn: 0", "line 4: `asn` must be a whole number"),
        ("country: MA", "country: Morocco", "line 3: `country` must be two capital letters, such as MA."),
        ("from: 1999", "from: 2024", "line 5: `names` must stand in order of time, the oldest first."),
        ("from: 1999", "from: soon", "line 5: `from` must be a date"),
        ("cgn: true", "cgn: maybe", "line 4: `cgn` must be `true` or `false`."),
        ("name: Old", "nane: Old", "line 5: an entry of `names` has no key `nane`; write `name`."),
        (", source: a}, {asn: 2", "}, {asn: 2", "line 4: an entry of `systems` needs the key `source`."),
    ],
)
def test_a_bad_file_is_refused_by_line(put: str, instead: str, message: str) -> None:
    assert put in GOOD
    with pytest.raises(UserError) as refused:
        read(GOOD.replace(put, instead).encode(), "x.yaml")
    assert f"x.yaml, {message}" in str(refused.value)
