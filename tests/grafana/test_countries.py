"""The names of countries are those of Debian's iso-codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grafana.building.countries import TABLE, names

ISO = Path("/usr/share/iso-codes/json/iso_3166-1.json")


def test_countries_have_names() -> None:
    found = names()
    assert found["MA"] == "Morocco"
    assert len(set(found.values())) == len(found) >= 250
    assert all(len(name) <= 45 for name in found.values())


@pytest.mark.skipif(not ISO.exists(), reason="needs Debian's iso-codes")
def test_the_table_is_what_iso_codes_says() -> None:
    """Where they differ, write what is expected here into the file."""
    listed = json.loads(ISO.read_text(encoding="utf-8"))["3166-1"]
    rows = sorted((one["alpha_2"], one.get("common_name", one["name"])) for one in listed)
    assert TABLE.read_text(encoding="utf-8") == "".join(f"{code}\t{name}\n" for code, name in rows)
