"""No address of anybody's survives in what is kept of text from the wire, however it was written."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.private_text import clean_text
from tests.test_parsers_are_linear import is_bounded


@pytest.mark.parametrize(
    "private",
    [
        "198.51.100.7",
        "2001:db8:7::7",
        "fe80::1",
        "::ffff:198.51.100.7",
        "64:ff9b::198.51.100.7",
        "2001:DB8:0:0:8:800:200C:417A",
        "00:11:22:aa:bb:cc",
        "00-11-22-AA-BB-CC",
        "0011.22aa.bbcc",
        "0612345678",
    ],
)
def test_text_is_kept_without_what_names_a_person(private: str) -> None:
    assert clean_text(f"Hello {private}, pay now") == "Hello […], pay now"


def test_ordinary_text_is_kept() -> None:
    assert clean_text(" Access\n denied:  error 451, see 2026/11 ") == "Access denied: error 451, see 2026/11"


def test_text_is_short() -> None:
    assert len(clean_text("a " * 500)) == 100


@given(st.text(), st.ip_addresses())
def test_no_address_survives_anywhere(text: str, address: object) -> None:
    assert str(address) not in clean_text(f"{text} {address} {text}") or str(address) == "::"


# --- However they are written -------------------------------------------------------------------------------------


def v4_spellings(address: IPv4Address) -> list[str]:
    """As block pages, servers and operators' names for their lines write them."""
    numbers = list(address.packed)
    backwards = numbers[::-1]
    spelt = []
    for order in (numbers, backwards):
        for separator in (".", "-", "_", " ", ":", ",", "/"):
            spelt += [separator.join(map(str, order)), separator.join(f"{each:03d}" for each in order)]
            if separator != " ":
                spelt.append(separator.join(f"{each:02x}" for each in order))
        spelt += [".".join(f"0x{each:x}" for each in order), ".".join(f"0{each:o}" for each in order)]
        value = int.from_bytes(bytes(order))
        spelt += [f"0x{value:08x}", f"0x{value:08X}", f"{value:08x}", f"{value:08X}"]
        if value >= 10**6:  # smaller ones are numbers like any other
            spelt += [str(value), f"0{value:o}"]
        spelt.append("".join(f"{each:03d}" for each in order))
    dotted = str(address)
    spelt += [dotted.replace(".", code) for code in ("%2E", "%2e", "&#46;", "&#x2E;", "。", "．")]
    spelt += [f"::ffff:{dotted}", f"[{dotted}]:443", f"{dotted}/32", f"http://{dotted}:8080/"]
    return spelt


def v6_spellings(address: IPv6Address) -> list[str]:
    short, long = address.compressed, address.exploded
    spelt = [
        short,
        short.upper(),
        long,
        long.upper(),
        address.reverse_pointer,
        long.replace(":", ""),
        f"0x{int(address):x}",
    ]
    for text in (short, long):
        spelt += [text.replace(":", sign) for sign in ("-", "_")]
        spelt += [f"[{text}]:443", f"{text}%eth0", text.replace(":", "%3A"), text.replace(":", "&#58;")]
    return [*spelt, ".".join(long.split(":"))]


BEFORE, AFTER = (
    ("", "Hello ", "host-", "adsl-", "p", "ip", "http://", "(", "x="),
    ("", ", pay now", ".dsl.example", "-dyn", ")", "/", "x"),
)
GLOBAL = st.ip_addresses(v=6, network="2000::/3")


def hidden(address: str, cleaned: str) -> bool:
    """Neither the text nor what is left of its signs tells it."""
    return address not in cleaned


@given(st.ip_addresses(v=4), st.sampled_from(BEFORE), st.sampled_from(AFTER))
def test_no_spelling_of_an_ipv4_address_survives(address: IPv4Address, before: str, after: str) -> None:
    for spelt in v4_spellings(address):
        groups = re.split(r"[^0-9A-Za-z]+", spelt)
        if ((before and before[-1].isalnum()) or after[:1].isalnum()) and re.search("[a-f]", spelt, re.IGNORECASE):
            continue  # letters run into letters: nobody can tell where it begins
        cleaned = clean_text(f"{before}{spelt}{after}")
        assert hidden(spelt, cleaned), (spelt, cleaned)
        assert len(groups) == 1 or re.sub(r"[^0-9A-Za-z]+", ".", spelt) not in re.sub(r"[^0-9A-Za-z]+", ".", cleaned)


@given(GLOBAL, st.sampled_from(BEFORE), st.sampled_from(AFTER))
def test_no_spelling_of_an_ipv6_address_survives(address: IPv6Address, before: str, after: str) -> None:
    for spelt in v6_spellings(address):
        if after[:1].isalnum():
            continue
        cleaned = clean_text(f"{before}{spelt}{after}")
        assert hidden(spelt, cleaned), (spelt, cleaned)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("203-0-113-7.dsl.operator.ma", "[…].dsl.operator.ma"),
        ("adsl-105-159-10-77.iam.net.ma", "adsl-[…].iam.net.ma"),
        ("pcb007107.dip0.example", "p[…].dip0.example"),
        ("7.113.0.203.in-addr.example", "[…].in-addr.example"),
        ("2001-db8-0-8--417a.ipv6-literal.example", "[…].ipv6-literal.example"),
        ("0xCB007107", "[…]"),
        ("p0x9.0x0.0x0.0x1", "p[…].[…].[…].[…]"),
        ("3405803783", "[…]"),
    ],
)
def test_names_of_lines_are_kept_without_their_address(name: str, kept: str) -> None:
    assert clean_text(name) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Access denied: error 451",
        "Coturn-4.5.2 'dan Eider'",
        "Apache/2.4.41 (Ubuntu) OpenSSL/1.1.1f",
        "Microsoft-IIS/10.0",
        "nginx/1.18.0",
        "https://www.facebook.com",
        "FPBX-15.0.17(16.17.0)",
        "Kamailio (5.6.4 (x86_64/linux))",
        "added a decade - faded",
        "Web Portal 2026-11-29",
        "cafe-bad-decision",
        "SCRAM-SHA-256-PLUS",
    ],
)
def test_what_is_no_address_stays_readable(text: str) -> None:
    assert clean_text(text) == text


def test_an_address_at_the_end_of_what_is_read_is_not_cut_in_two() -> None:
    for length in range(980, 1010):
        cleaned = clean_text("203.0.113.7 " * 90 + "x" * (length % 12) + " 198.51.100.7" * 10)
        assert not re.search(r"\d{2}", cleaned)


@pytest.mark.parametrize("piece", ["1.", "a-", "1 ", "0x1.", "::", "f", "1:", "--", "%2E", "&#46;", "1-a", "2001--"])
def test_long_text_takes_no_time(piece: str) -> None:
    text = piece * (60_000 // len(piece)) + "g"
    assert is_bounded(lambda: clean_text(text))


def test_every_public_form_of_python_is_among_the_spellings() -> None:
    assert "203.0.113.7" in v4_spellings(ipaddress.IPv4Address("203.0.113.7"))
    assert "2001:db8::7" in v6_spellings(ipaddress.IPv6Address("2001:db8::7"))
