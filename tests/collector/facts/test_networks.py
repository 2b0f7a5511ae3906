from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.networks import MaxMindTable, Networks, Prefix, PrefixTable, lookup_prefix, read_networks
from probe.failure import UserError
from probe.model import Network
from tests.collector.facts import maxmind

IAM = Network(country="MA", asn=36903, operator="Maroc Telecom")
INWI = Network(country="MA", asn=36884, operator="inwi, Wana")

HEADING = "prefix,asn,country,operator\n"
TABLE = f"""{HEADING}105.128.0.0/11,36903,MA,Maroc Telecom
105.130.0.0/16,36884,MA,"inwi, Wana"

2c0f:f248::/32,36903,MA,Maroc Telecom
"""


@pytest.fixture
def networks(tmp_path: Path) -> Networks:
    path = tmp_path / "networks.csv"
    path.write_text(TABLE)
    return read_networks(path)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("105.129.1.2", IAM),
        ("105.130.1.2", INWI),
        ("::ffff:105.130.1.2", INWI),
        ("2c0f:f248::1", IAM),
        ("2c0f:f248::1%eth0", IAM),
        ("105.160.0.1", Network()),
        ("::", Network()),
        ("not an address", Network()),
        ("", Network()),
    ],
)
def test_longest_prefix_wins(networks: Networks, address: str, network: Network) -> None:
    assert networks.lookup(address) == network


@pytest.mark.parametrize(
    ("prefix", "network"),
    [("105.130.0.0/16", INWI), ("2c0f:f248::/32", IAM), ("8.8.0.0/16", Network()), ("nonsense", Network())],
)
def test_prefixes_of_resolvers(networks: Networks, prefix: str, network: Network) -> None:
    assert lookup_prefix(networks, prefix) == network


def test_an_empty_table_knows_nothing() -> None:
    assert PrefixTable().lookup("105.129.1.2") == Network()
    assert not PrefixTable().is_cgn("105.129.1.2")


def test_the_longest_prefix_says_whether_it_is_behind_a_carriers_nat(tmp_path: Path, networks: Networks) -> None:
    path = tmp_path / "marked.csv"
    rows = ["105.128.0.0/11,36903,MA,x, yes", "105.130.0.0/16,36903,MA,x,", "105.130.7.0/24,36903,MA,y,no"]
    path.write_text("\n".join([HEADING.strip() + ",cgn", *rows, "2c0f:f248::/32,36903,MA,x,yes"]))
    marked = read_networks(path)
    asked = {each: marked.is_cgn(each) for each in ("105.129.0.1", "105.130.0.1", "105.130.7.1", "2c0f:f248::1", "::1")}
    assert asked == dict(zip(asked, [True, False, False, True, False], strict=True))
    assert marked.lookup("105.129.0.1") == Network(country="MA", asn=36903, operator="x")
    assert not any(networks.is_cgn(each) for each in asked), "a table without the column"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the heading must be `prefix,asn,country,operator`, and `,cgn` or not."),
        ("prefix,asn\n", "line 1: the heading must be"),
        (f"{HEADING.strip()},cgn\n10.0.0.0/8,1,MA,x,1\n", "line 2: cgn must be yes, no or empty, not '1'."),
        (f"{HEADING.strip()},cgn\n10.0.0.0/8,1,MA,x\n", "line 2: 5 fields are needed and there are 4."),
        (f"{HEADING}10.0.0.0/8,1,MA,x,yes\n", "line 2: 4 fields are needed and there are 5."),
        (f"{HEADING}10.0.0.0/8,1,MA\n", "line 2: 4 fields are needed and there are 3."),
        (f"{HEADING}\n10.0.0.1/8,1,MA,x\n", "line 3: 10.0.0.1/8 has host bits set."),
        (f"{HEADING}ten,1,MA,x\n", "line 2: 'ten' does not appear to be an IPv4 or IPv6 network."),
        (f"{HEADING}10.0.0.0/8,AS1,MA,x\n", "line 2: the asn must be a number below 2^32, not 'AS1'."),
        (f"{HEADING}10.0.0.0/8,4294967296,MA,x\n", "line 2: the asn must be a number below 2^32"),
        (f"{HEADING}10.0.0.0/8,1,ma,x\n", "line 2: the country must be two capital letters (ISO 3166), not 'ma'."),
        (f"{HEADING}10.0.0.0/8,1,MA,\n", "line 2: the operator is empty."),
        (f"{HEADING}10.0.0.0/8,1,MA,x\n10.0.0.0/8,2,MA,y\n", "line 3: the prefix 10.0.0.0/8 stands in the file twice"),
    ],
)
def test_a_bad_file_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "networks.csv"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_networks(path)
    assert f"{path}, {message}" in str(refused.value)


@pytest.mark.parametrize("name", ["absent.csv", "absent.mmdb", "bad.csv", "bad.mmdb"])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str) -> None:
    if name.startswith("bad"):
        (tmp_path / name).write_bytes(b"\xff")  # neither UTF-8 nor, with its mark, UTF-16
    with pytest.raises(UserError, match=f"{name} cannot be read"):
        read_networks(tmp_path / name)


@pytest.mark.parametrize(
    ("record", "network"),
    [
        pytest.param(
            {
                "country": {"iso_code": "MA"},
                "autonomous_system_number": 36903,
                "autonomous_system_organization": "Maroc Telecom",
            },
            IAM,
            id="maxmind",
        ),
        pytest.param(
            {"country": "Morocco", "country_code": "MA", "asn": "AS36903", "as_name": "Maroc Telecom"},
            IAM,
            id="ipinfo-lite",
        ),
        pytest.param({"country": "MA", "asn": "AS36903", "as_name": "Maroc Telecom"}, IAM, id="ipinfo-old"),
        pytest.param({"country": {"iso_code": "MA"}}, Network(country="MA"), id="country-only"),
        pytest.param({"asn": "private", "country": "Morocco", "as_name": 7}, Network(), id="nonsense"),
        pytest.param({}, Network(), id="empty"),
    ],
)
def test_records_of_three_vendors(tmp_path: Path, record: maxmind.Record, network: Network) -> None:
    path = tmp_path / "networks.mmdb"
    path.write_bytes(maxmind.database({"105.128.0.0/11": record}))
    networks = read_networks(path)
    assert isinstance(networks, MaxMindTable)
    assert networks.lookup("105.130.1.2") == network
    assert networks.lookup("::ffff:105.130.1.2") == network
    assert networks.lookup("9.9.9.9") == Network()
    assert not networks.is_cgn("105.130.1.2")
    assert networks.lookup("2c0f:f248::1") == Network()  # the file is of IPv4 only


@st.composite
def tables(draw: st.DrawFn) -> dict[Prefix, Network]:
    """Prefixes that often nest, since their bits come from few addresses."""
    rows: dict[Prefix, Network] = {}
    for number in range(draw(st.integers(0, 12))):
        base, bits = draw(st.sampled_from([("105.130.7.9", 32), ("105.130.255.0", 32), ("2c0f:f248::ff", 128)]))
        prefix = ipaddress.ip_network(f"{base}/{draw(st.integers(0, bits))}", strict=False)
        rows[prefix] = Network(country="MA", asn=number + 1, operator=f"operator {number}")
    return rows


@given(tables(), st.one_of(st.ip_addresses(), st.sampled_from(["105.130.7.9", "105.130.7.8", "2c0f:f248::fe"])))
def test_lookup_agrees_with_brute_force(rows: dict[Prefix, Network], address: object) -> None:
    parsed = ipaddress.ip_address(str(address))
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    containing = [prefix for prefix in rows if parsed.version == prefix.version and parsed in prefix]
    expected = rows[max(containing, key=lambda prefix: prefix.prefixlen)] if containing else Network()
    assert PrefixTable(rows.items()).lookup(str(address)) == expected
