"""The probe's key: made once, kept safe, never guessed at."""

from __future__ import annotations

import hashlib
import json
import stat
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from probe.failure import UserError
from probe.submit.identity import FILE, Keys, load_or_create
from tests.source import ROOT


def fixed(size: int) -> bytes:
    return bytes(range(size))


def no_randomness(size: int) -> bytes:
    raise AssertionError("a key exists already")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    made = load_or_create(tmp_path / "data", fixed)
    assert load_or_create(tmp_path / "data", no_randomness).fixed.key == made.fixed.key
    # RFC 8032: the public key of the seed 00 01 … 1f, as every implementation derives it
    assert made.fixed.key == "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"


def test_what_it_signs_verifies_by_its_key(tmp_path: Path) -> None:
    identity = load_or_create(tmp_path, fixed).fixed
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity.key)).verify(identity.sign(b"data"), b"data")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "above" / "data"
    load_or_create(directory, fixed)
    assert mode(directory / FILE) == 0o600
    assert mode(directory) == mode(directory.parent) == 0o700
    assert [path.name for path in directory.iterdir()] == [FILE]


def test_a_write_that_was_killed_leaves_no_half_key(tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").write_bytes(b"00")
    assert len(load_or_create(tmp_path, fixed).fixed.key) == 64


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


def test_keys_of_networks_are_what_the_docstring_says() -> None:
    """By another implementation: RFC 7693 as hashlib has it, and the seed of `fixed`."""
    keys, seed = Keys(bytes(range(32))), bytes(range(32))
    for asn, quarter in ((36903, 225), (36903, 226), (3352, 225), (0, 225)):
        data = struct.pack(">II", asn, quarter)
        derived = hashlib.blake2b(data, key=seed, person=b"ringback-key-1", digest_size=32).digest()
        private = Ed25519PrivateKey.from_private_bytes(derived)
        assert keys.of(asn, quarter).key == private.public_key().public_bytes_raw().hex()
    assert keys.provisional(1_776_000_000_000).key == keys.of(0, 225).key


def test_keys_are_the_ones_that_were_written_down() -> None:
    """What must never change: a volunteer's standing hangs on it."""
    vectors = json.loads((ROOT / "tests/data/keys/derived.json").read_text())
    for one in vectors["keys"]:
        keys = Keys(bytes.fromhex(one["seed"]))
        assert keys.of(one["asn"], one["quarter"]).key == one["key"]
    for one in vectors["marks"]:
        assert Keys(bytes.fromhex(one["seed"])).mark(one["gateway"]) == one["mark"]


def test_no_two_networks_or_quarters_or_devices_share_a_key() -> None:
    several = [Keys(bytes([number]) * 32) for number in range(3)]
    made = [each.of(asn, quarter).key for each in several for asn in (0, 1, 256) for quarter in (0, 1, 256)]
    assert len({*made, *(each.fixed.key for each in several)}) == len(made) + 3


def test_a_mark_is_another_on_each_device() -> None:
    gateway = "52:54:00:12:34:56"
    marks = {Keys(bytes([number]) * 32).mark(gateway) for number in range(3)}
    assert len(marks) == 3
    assert all(len(bytes.fromhex(mark)) == 16 for mark in marks)
