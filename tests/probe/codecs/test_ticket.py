"""The ticket: what an independent signer makes of the docstring, and to which network measurements belong by it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from probe.codecs.ticket import is_genuine, network_of, sign
from probe.model import Context, Link, Network, Ticket

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
COLLECTOR = PRIVATE.public_key().public_bytes_raw().hex()
KEY = "ab" * 32
IAM, ELSEWHERE = Network(country="MA", asn=36903, operator="Maroc Télécom"), Network(country="ES", asn=3352)
MINUTE = 29_533_333
START_MS = MINUTE * 60_000 + 30_000
LINK = Link(up=True)


def ticket(minutes: int = 0, **changes: Any) -> Ticket:
    """Had so many minutes after MINUTE; signed with the changes."""
    unsigned = Ticket(
        by=COLLECTOR,
        key=KEY,
        network=IAM,
        bucket="1" * 32,
        bucket_before="2" * 32,
        minute=MINUTE + minutes,
        nonce="3" * 32,
        family=4,
        signature="",
    )
    return sign(replace(unsigned, **changes), PRIVATE.sign)


def named(context: Context, started_ms: int = START_MS) -> Network | None:
    return network_of(context, KEY, started_ms, {COLLECTOR})


def test_a_ticket_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked about twice in each batch of its cycle. What signed it is asked each time: keys are rotated."""
    seen: list[str] = []

    def verifies(key: str, signature: str, message: bytes) -> bool:
        seen.append(signature)
        return True

    monkeypatch.setattr("probe.codecs.ticket.verifies", verifies)
    one = ticket(nonce="7" * 32)
    assert [is_genuine(one, {COLLECTOR}), is_genuine(one, {COLLECTOR}), is_genuine(one, {KEY})] == [True, True, False]
    assert seen == [one.signature]


def test_what_is_signed_is_what_the_docstring_says() -> None:
    signed = b"ringback-ticket-1\n" + bytes.fromhex(COLLECTOR + KEY + "3" * 32 + "1" * 32 + "2" * 32)
    signed += struct.pack(">QBI", MINUTE, 4, 36903) + "MA\nMaroc Télécom".encode()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(COLLECTOR)).verify(bytes.fromhex(ticket().signature), signed)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "cd" * 32},
        {"network": ELSEWHERE},
        {"network": replace(IAM, country="M", operator="A\nMaroc Télécom")},
        {"bucket": "2" * 32},
        {"bucket_before": "1" * 32},
        {"minute": MINUTE + 1},
        {"nonce": "4" * 32},
        {"family": 6},
        {"signature": ""},
        {"by": KEY},
        {"minute": -1},
        {"family": 2**40},
        {"nonce": "x"},
    ],
)
def test_what_is_altered_is_not_genuine(changes: dict[str, Any]) -> None:
    assert is_genuine(ticket(), {COLLECTOR})
    assert not is_genuine(replace(ticket(), **changes), {COLLECTOR, KEY})


def test_another_collectors_ticket_names_nothing() -> None:
    assert network_of(Context(link=LINK, ticket=ticket()), KEY, START_MS, {KEY}) is None


@pytest.mark.parametrize(
    ("minutes", "network"), [(0, IAM), (-59, IAM), (-61, None), (5, IAM), (7, None), (-24 * 60, None)]
)
def test_a_ticket_is_of_its_own_cycle(minutes: int, network: Network | None) -> None:
    assert named(Context(link=LINK, ticket=ticket(minutes))) == network


def test_another_keys_ticket_names_nothing() -> None:
    assert named(Context(link=LINK, ticket=ticket(key="cd" * 32))) is None


@pytest.mark.parametrize(
    ("before", "after", "network"),
    [
        (ticket(-600), ticket(30), IAM),
        (ticket(-600), ticket(9_000), IAM),
        (ticket(-24 * 60 - 2), ticket(30), None),
        (ticket(-600), ticket(-300), None),
        (ticket(-600), ticket(30, network=ELSEWHERE), None),
        (ticket(-600), None, None),
        (None, ticket(30), None),
        (None, None, None),
        (ticket(-600), ticket(30, key="cd" * 32), None),
        (ticket(-600), replace(ticket(30), signature="00" * 64), None),
    ],
)
def test_without_its_own_the_ones_before_and_after_must_agree(
    before: Ticket | None, after: Ticket | None, network: Network | None
) -> None:
    assert named(Context(link=LINK, before=before, after=after)) == network


@given(st.text(max_size=80), st.integers())
def test_junk_is_not_genuine(said: str, number: int) -> None:
    for changes in ({"nonce": said}, {"bucket": said}, {"signature": said}, {"by": said}):
        assert not is_genuine(replace(ticket(), **changes), {COLLECTOR, said})
    assert is_genuine(replace(ticket(), minute=number), {COLLECTOR}) is (number == MINUTE)
