from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.credits import About
from collector.facts.published import gathered as limits
from collector.facts.published.gathered import Gathered, operator_of
from collector.facts.published.rows import MOST_LINE, number_of, read
from collector.facts.range_table import RangeTable, pack, unpack
from probe.failure import UserError
from probe.model import Network


def table(*texts: str) -> RangeTable:
    gathered = Gathered()
    for text in texts:
        read(io.BytesIO(text.encode()), "x.csv", gathered)
    return unpack(pack(About(), gathered.pieces(4), gathered.pieces(6)))


OWNERS = '1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."\n2001:420::,2001:420:ffff::,109,"LLC ""X"""\n'


@pytest.mark.parametrize(
    ("texts", "address", "network"),
    [
        ((OWNERS,), "1.0.0.7", Network(asn=13335, operator="Cloudflare, Inc.")),
        ((OWNERS,), "2001:420::7", Network(asn=109, operator='LLC "X"')),
        (("1.0.0.0,1.0.0.255,AU\n",), "1.0.0.7", Network(country="AU")),
        (
            (OWNERS, "1.0.0.0,1.255.255.255,AU\n"),
            "1.0.0.7",
            Network(country="AU", asn=13335, operator="Cloudflare, Inc."),
        ),
        ((OWNERS, "1.0.0.0,1.255.255.255,AU\n"), "1.0.1.7", Network(country="AU")),
        (("16777216,16777471,AU\n",), "1.0.0.7", Network(country="AU")),
        (
            ("42540488161975842760550356425300246528,42540488241204005274814694018844196863,US",),
            "2001::7",
            Network(country="US"),
        ),
        (
            ("1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n",),
            "1.0.0.7",
            Network(country="US", asn=13335, operator="CLOUDFLARENET"),
        ),
        (("1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n",), "1.0.1.7", Network()),
        (('1.0.0.0\t1.0.0.9\t7\tUS\tA "B\n',), "1.0.0.7", Network(country="US", asn=7, operator='A "B')),
        (("\ufeff1.0.0.0,1.0.0.255,AU\r\n\r\n",), "1.0.0.7", Network(country="AU")),
        (("1.0.0.0,1.0.0.255,AS7,\n",), "1.0.0.7", Network(asn=7)),
    ],
)
def test_what_tables_say(texts: tuple[str, ...], address: str, network: Network) -> None:
    assert table(*texts).lookup(address) == network


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.0.0.0,1.0.0.255\n", "line 1: a row has 2 fields, and none of the tables that are read here has so many."),
        ("1.0.0.0,1.0.0.255,AU\n1.1.0.0,AU\n", "line 2: 3 fields are needed and there are 2."),
        ("1.0.0.0,1.0.0.255,au\n", "line 1: the country must be two capital letters (ISO 3166), not 'au'."),
        ("1.0.0.0,1.0.0.255,4294967296,x\n", "line 1: the AS number must be below 2^32, not '4294967296'."),
        ("1.0.0.0,1.0.0.255,x,y\n", "line 1: the AS number must be below 2^32, not 'x'."),
        ("1.0.0.9,1.0.0.5,AU\n", "line 1: the range ends before it begins."),
        ("1.0.0.0,::1,AU\n", "line 1: the range begins in one family and ends in the other."),
        ("1.0.0.256,1.0.1.0,AU\n", "line 1: '1.0.0.256' is no address."),
        ("01.0.0.0,1.0.1.0,AU\n", "line 1: '01.0.0.0' is no address."),
        ("network,asn,country\n", "line 1: 'network' is no address."),
    ],
)
def test_a_bad_row_is_refused_by_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        table(text)
    assert str(refused.value) == f"x.csv, {message}"


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UserError, match=r"^x\.csv"):
        read(io.BytesIO(b"1.0.0.0,1.0.0.255,\xff\n"), "x.csv", Gathered())


def test_a_line_without_end_is_not_held() -> None:
    """No more of it is read than a row can be long."""
    file = io.BytesIO(b"1" * 100 * MOST_LINE)
    with pytest.raises(UserError):
        read(file, "x.csv", Gathered())


def test_ranges_without_end_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_RANGES", 2)
    with pytest.raises(UserError, match=r"line 3: there are more than 2 ranges"):
        table("1.0.0.0,1.0.0.1,AU\n" * 3)


@given(st.ip_addresses())
def test_addresses_are_numbers(address: object) -> None:
    family = 6 if ":" in str(address) else 4
    assert number_of(str(address)) == (family, int(address))  # type: ignore[call-overload]


@given(st.text(max_size=300))
def test_names_can_be_shown(text: str) -> None:
    shown = operator_of(text)
    assert shown
    assert len(shown) <= limits.MOST_NAME
    assert shown.isprintable()
    assert operator_of(shown) == shown


def refusal(data: bytes) -> str:
    """Why it is not read; nothing else is ever raised."""
    try:
        read(io.BytesIO(data), "x.csv", Gathered())
    except UserError as refused:
        return str(refused)
    return ""


@given(st.binary(max_size=400))
def test_chance_is_read_or_refused(data: bytes) -> None:
    assert refusal(data) == "" or refusal(data).startswith("x.csv")


CELLS = st.sampled_from(["1.0.0.0", "1.0.0.9", "::", "::1", "7", "AU", "0", '"', '"a""', "", "\r", "None", "é", "\0"])


@given(st.lists(st.lists(CELLS, max_size=6), max_size=5), st.sampled_from(",\t"))
def test_rows_of_any_kind_are_read_or_refused(rows: list[list[str]], between: str) -> None:
    text = "\n".join(between.join(row) for row in rows)
    assert refusal(text.encode()) or table(text).lookup("9.9.9.9") == Network()
