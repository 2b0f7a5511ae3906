"""The probe's key: made once, kept safe, never guessed at."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from probe.failure import UserError
from probe.submit.identity import FILE, load_or_create


def fixed(size: int) -> bytes:
    return bytes(range(size))


def no_randomness(size: int) -> bytes:
    raise AssertionError("a key exists already")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    made = load_or_create(tmp_path / "data", fixed)
    assert load_or_create(tmp_path / "data", no_randomness).key == made.key
    # RFC 8032: the public key of the seed 00 01 … 1f, as every implementation derives it
    assert made.key == "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"


def test_what_it_signs_verifies_by_its_key(tmp_path: Path) -> None:
    identity = load_or_create(tmp_path, fixed)
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity.key)).verify(identity.sign(b"data"), b"data")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "above" / "data"
    load_or_create(directory, fixed)
    assert mode(directory / FILE) == 0o600
    assert mode(directory) == mode(directory.parent) == 0o700
    assert [path.name for path in directory.iterdir()] == [FILE]


def test_a_write_that_was_killed_leaves_no_half_key(tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(b"00")
    assert len(load_or_create(tmp_path, fixed).key) == 64


@pytest.mark.parametrize("content", [b"", b"0" * 63, b"0" * 65, b"G" * 64, b"\xff" * 64, b"0" * 64 + b"\n\n"])
def test_a_damaged_file_is_said_to_be_damaged_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"identity\.key is damaged: restore it, or delete it"):
        load_or_create(tmp_path, no_randomness)
    assert (tmp_path / FILE).read_bytes() == content


def test_a_place_that_holds_no_files_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(UserError, match=r"Cannot keep the probe's key in .*: "):
        load_or_create(tmp_path / "data", fixed)


def test_the_private_key_is_not_shown(tmp_path: Path) -> None:
    assert fixed(32).hex() not in repr(load_or_create(tmp_path, fixed))
