from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.facts.published import archive
from collector.facts.published.archive import members
from probe.failure import UserError
from tests.collector.facts.published.packages import tar

FILES = {"README.md": b"r" * 511, "asn-ipv4.csv": b"1.0.0.0,1.0.0.255,AU\n" * 999, "empty": b"", "block": b"b" * 512}


def read(data: bytes, name: str = "x.tgz") -> dict[str, bytes]:
    return {member: file.read() for member, file in members(io.BytesIO(data), name)}


def outcome(data: bytes) -> tuple[dict[str, bytes], str]:
    """What is read, or why it is not."""
    try:
        return read(data), ""
    except UserError as refused:
        return {}, str(refused)


@pytest.mark.parametrize("packed", [tar(FILES), gzip.compress(tar(FILES))], ids=["tar", "tgz"])
def test_the_files_of_an_archive(packed: bytes) -> None:
    assert read(packed) == FILES


def test_a_file_need_not_be_read_before_the_next() -> None:
    seen = [(name, file.read(1)) for name, file in members(io.BytesIO(tar(FILES)), "x.tar")]
    assert seen == [(name, data[:1]) for name, data in FILES.items()]


@pytest.mark.parametrize(
    ("data", "name"), [(b"a,b\n", "x.csv"), (gzip.compress(b"a,b\n"), "x.csv.gz")], ids=["plain", "gz"]
)
def test_what_is_no_archive_is_one_file(data: bytes, name: str) -> None:
    assert read(data, name) == {"x.csv": b"a,b\n"}


@given(st.binary(max_size=3000))
def test_any_bytes_of_a_file_come_out_as_they_went_in(data: bytes) -> None:
    assert read(gzip.compress(tar({"a.mmdb": data, "b": b"after"}))) == {"a.mmdb": data, "b": b"after"}


def test_nothing_is_written_wherever_a_name_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, devices and directories are passed over, and names lose their directories."""
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        for kind, name in ((tarfile.SYMTYPE, "link.csv"), (tarfile.LNKTYPE, "hard.csv"), (tarfile.DIRTYPE, "a/")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            packed.addfile(entry)
        for name in ("../../escaped.csv", "/absolute.csv"):
            entry = tarfile.TarInfo(name)
            entry.size = 3
            packed.addfile(entry, io.BytesIO(b"abc"))
    assert read(buffer.getvalue()) == {"escaped.csv": b"abc", "absolute.csv": b"abc"}
    assert os.listdir(tmp_path) == []


def test_what_stands_in_an_extended_header_is_passed_over() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as packed:
        entry = tarfile.TarInfo("package/a.csv")
        entry.size, entry.pax_headers = 3, {"comment": "x" * 9000}
        packed.addfile(entry, io.BytesIO(b"abc"))
    assert read(buffer.getvalue()) == {"a.csv": b"abc"}


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: tar({"a.csv": data})], ids=["gz", "tgz"])
def test_a_bomb_is_not_swelled(wrap: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1 << 20)
    assert callable(wrap)
    bomb = gzip.compress(wrap(bytes(8 << 20)), 9)
    assert len(bomb) < 10_000
    with pytest.raises(UserError, match="more than 1 MB"):
        read(bomb)


def test_a_size_that_is_not_there_is_not_waited_for() -> None:
    """The header says a gigabyte, and the archive ends."""
    entry = tarfile.TarInfo("a.csv")
    entry.size = 1 << 30
    assert read(entry.tobuf(tarfile.USTAR_FORMAT) + b"abc") == {"a.csv": b"abc"}


def test_an_archive_that_goes_on_with_something_else_is_damaged() -> None:
    with pytest.raises(UserError, match="is damaged"):
        read(tar({"a": b"b"})[:1024] + b"x" * 512)


@given(st.integers(1, 2000), st.binary(min_size=1, max_size=4))
def test_what_rots_is_refused_or_read_within_bounds(at: int, put: bytes) -> None:
    good = gzip.compress(tar(FILES), mtime=0)
    at %= len(good)
    found, refused = outcome(good[:at] + put + good[at + len(put) :])
    assert "x.tgz" in refused or sum(map(len, found.values())) <= 1 << 20


@given(st.binary(max_size=1500))
def test_headers_of_chance(noise: bytes) -> None:
    data = bytearray(tar(FILES))
    data[: len(noise)] = noise
    found, refused = outcome(bytes(data))
    assert "x.tgz" in refused or sum(map(len, found.values())) <= len(data)
