"""The Merkle tree, against one that is written as RFC 9162 defines it, and the vectors of its authors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.codecs import merkle

# certificate-transparency-go, merkle/testonly: the leaves, and the roots of the first 1, 2, … of them.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(members: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not members:
        return hashlib.sha256(b"").digest()
    if len(members) == 1:
        return hashlib.sha256(b"\x00" + members[0]).digest()
    k = 1
    while k * 2 < len(members):
        k *= 2
    return hashlib.sha256(b"\x01" + defined(members[:k]) + defined(members[k:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_authors_vectors(size: int) -> None:
    assert merkle.root([merkle.leaf(data) for data in LEAVES[:size]]).hex() == ROOTS[size - 1]


@given(st.lists(st.binary(max_size=5), max_size=40))
def test_the_root_is_the_definitions(members: list[bytes]) -> None:
    assert merkle.root([merkle.leaf(member) for member in members]) == defined(members)


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=40), st.data())
def test_a_path_leads_to_the_root_and_from_nowhere_else(members: list[bytes], data: st.DataObject) -> None:
    leaves = [merkle.leaf(member) for member in members]
    index = data.draw(st.integers(0, len(members) - 1))
    path = merkle.path(leaves, index)
    assert merkle.root_by_path(leaves[index], index, len(members), path) == merkle.root(leaves)
    assert merkle.root_by_path(merkle.leaf(b"another one"), index, len(members), path) != merkle.root(leaves)
    with pytest.raises(ValueError, match="too long"):
        merkle.root_by_path(leaves[index], index, len(members), [*path, bytes(32)])
    if path:
        with pytest.raises(ValueError, match="too short"):
            merkle.root_by_path(leaves[index], index, len(members), path[:-1])


def test_places_that_no_list_has() -> None:
    with pytest.raises(IndexError):
        merkle.path([bytes(32)], 1)
    for index, size in ((1, 1), (-1, 2), (0, 0)):
        with pytest.raises(ValueError, match="has no member"):
            merkle.root_by_path(bytes(32), index, size, [])
