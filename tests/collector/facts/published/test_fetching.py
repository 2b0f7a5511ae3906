from __future__ import annotations

import base64
import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.published import fetching
from collector.facts.published.fetching import agrees, fetch
from collector.facts.published.making import make
from collector.facts.published.publishers import DBIP, PACKAGES
from collector.facts.range_table import unpack
from probe.failure import UserError
from tests.collector.facts.published.packages import put
from tests.collector.facts.published.registry import ARCHIVES, Registry, integrity

ROW = b"105.128.0.0,105.159.255.255,MA\n"


@pytest.fixture
def registry() -> Registry:
    return Registry()


async def test_without_a_word_the_packages_are_fetched(registry: Registry) -> None:
    async with registry.served() as address:
        sources = await fetch([], address)
    assert tuple(registry.asked) == PACKAGES
    found = unpack(make(sources).data).lookup("41.137.5.5")
    assert (found.country, found.asn) == ("MA", 36884)


async def test_what_comes_otherwise_than_the_registry_says_is_refused(registry: Registry) -> None:
    """Also where the registry gives no digest, or one that proves nothing."""
    registry.given = {PACKAGES[0]: ARCHIVES[PACKAGES[1]]}
    async with registry.served() as address:
        with pytest.raises(UserError, match="its digest differs"):
            await fetch([], address)
        registry.given = {}
        for said in ("", "sha1-" + base64.b64encode(hashlib.sha1(ARCHIVES[PACKAGES[0]]).digest()).decode(), "sha512-"):
            registry.said = {"integrity": said}
            with pytest.raises(UserError, match="its digest differs"):
                await fetch([], address)


@pytest.mark.parametrize(
    "address", ["http://example.org/x.csv", "ftp://127.0.0.1/x.csv", "file:///etc/passwd", "http://localhost/x.csv"]
)
async def test_only_https_is_asked_elsewhere(address: str) -> None:
    with pytest.raises(UserError, match=r"is not asked over https|cannot be fetched"):
        await fetch([address])


async def test_an_archive_that_the_registry_puts_elsewhere_is_asked_over_https(registry: Registry) -> None:
    registry.said = {"tarball": "http://192.0.2.1/asn.tgz"}
    async with registry.served() as address:
        with pytest.raises(UserError, match=r"192\.0\.2\.1 is not asked over https"):
            await fetch([], address)


async def test_a_redirection_out_of_https_is_not_followed(registry: Registry) -> None:
    async with registry.served() as address:
        with pytest.raises(UserError, match="is not asked over https"):
            await fetch([f"{address}elsewhere?to=http://192.0.2.1/x.csv"])
        registry.files = {"x.csv": ROW}
        [source] = await fetch([f"{address}elsewhere?to={address}files/x.csv"])
        assert source.file.read() == ROW
        with pytest.raises(UserError, match="only leads from one address to the next"):
            await fetch([f"{address}elsewhere?to=itself"])


async def test_an_address_is_fetched_with_its_date(registry: Registry) -> None:
    registry.files = {"dbip-country-lite-2026-06.csv.gz": gzip.compress(ROW)}
    async with registry.served() as address:
        sources = await fetch([f"{address}files/dbip-country-lite-2026-06.csv.gz"])
    about = make(sources).about
    assert about.credits == (DBIP,)
    assert about.data_ms == round(datetime(2026, 6, 17, 19, tzinfo=UTC).timestamp() * 1000)


async def test_what_is_too_large_is_not_read_on(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    registry.files = {"x.csv": ROW * 1000}
    async with registry.served() as address:
        with pytest.raises(UserError, match="no table is: it is not read"):
            await fetch([f"{address}files/x.csv"])


async def test_what_cannot_be_had_is_said(registry: Registry, tmp_path: Path) -> None:
    async with registry.served() as address:
        with pytest.raises(UserError, match=r"127\.0\.0\.1 answers 500|answers 404"):
            await fetch([f"{address}nothing/here"])
    with pytest.raises(UserError, match="cannot be fetched"):
        await fetch([f"{address}files/x.csv"])
    with pytest.raises(UserError, match=r"absent\.csv cannot be read"):
        await fetch([str(tmp_path / "absent.csv")])
    with pytest.raises(UserError, match="cannot be read"):
        await fetch([str(tmp_path)])


async def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    sources = await fetch([str(path) for path in put(tmp_path)])
    assert unpack(make(sources).data).lookup("102.216.13.1").asn == 0
    assert all(source.file.closed for source in sources)


@given(st.binary(max_size=50))
def test_digests_agree_with_what_they_are_of(data: bytes) -> None:
    assert agrees(data, integrity(data))
    assert agrees(data, f"sha1-abc {integrity(data)}?option")
    assert agrees(data, f"{integrity(b'other')} {integrity(data)}")
    assert not agrees(data + b"x", integrity(data))
    weaker = f"sha256-{base64.b64encode(hashlib.sha256(data).digest()).decode()}"
    assert agrees(data, weaker)
    assert not agrees(data, f"{weaker} {integrity(data + b'x')}")  # the strongest that is given counts


@given(st.text(max_size=80))
def test_an_integrity_of_chance_agrees_with_nothing(text: str) -> None:
    assert not agrees(b"data", text)
    assert not agrees(b"data", f"sha512-{text}")
