"""Archives in the shape of npm's, made of the excerpts in tests/data/networks."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.source import ROOT

DATA = ROOT / "tests" / "data" / "networks"
VERSION = "2.3.2026061719"
ASN = {"asn-ipv4.csv", "asn-ipv6.csv"}
COUNTRY = {"geo-whois-asn-country-ipv4.csv", "geo-whois-asn-country-ipv6.csv"}


def tar(files: Mapping[str, bytes], directory: str = "package/") -> bytes:
    """An archive as npm writes it: ustar, everything in one directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{directory}{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def package(name: str, files: Mapping[str, bytes], version: str = VERSION) -> bytes:
    """A package of the npm registry."""
    described = {"package.json": json.dumps({"name": name, "version": version}).encode(), **files}
    return gzip.compress(tar(described), mtime=0)


def asn_package() -> bytes:
    """With a file of numbers, as there is one of each, whose rows are to be read once only."""
    files = {name: (DATA / name).read_bytes() for name in sorted(ASN)}
    return package("@ip-location-db/asn", {"asn-ipv4-num.csv": b"not,to,be,read\n", **files})


def country_package() -> bytes:
    files = {name: (DATA / name).read_bytes() for name in sorted(COUNTRY)}
    return package("@ip-location-db/geo-whois-asn-country", files)


def put(directory: Path) -> tuple[Path, Path]:
    """Both as files."""
    asn, country = directory / "asn.tgz", directory / "country.tgz"
    asn.write_bytes(asn_package())
    country.write_bytes(country_package())
    return asn, country
