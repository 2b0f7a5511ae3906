"""Batches of format 2 as strangers write them: contexts with tickets that are right in form, and otherwise anything."""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec.structs import replace

from probe.codecs.said_once import say
from probe.codecs.seal import LIMITS, SealError, encode, seal, unseal
from probe.codecs.ticket import MINUTE_MS
from probe.model import BatchHeader, Context, Link, Measurement, Network, Ticket
from tests.collector.batches import Volunteer
from tests.torture.mutants import TEXTS

MINUTES = (0, 1, 2**31, 2**53 - 1)
NUMBERS = (0, 1, 64_501, 36_903, 2**32 - 1)
COUNTRIES = ("MA", "ZZ", "XA", "AA")


class Contexts:
    """Draws contexts; the same seed draws the same. `signers` are keys by which tickets say that they were signed."""

    def __init__(self, seed: int, signers: Sequence[str]) -> None:
        self._chance, self._signers = random.Random(seed), signers

    def batch(self, volunteer: Volunteer, seen: Sequence[Measurement], sealed_ms: int, targets: str) -> bytes:
        """All of them; those of more links than a batch has contexts for get the first."""
        links = list(dict.fromkeys(each.link for each in seen))[: LIMITS.contexts]
        contexts = [self._context(volunteer, link, sealed_ms) for link in links]
        lines = [say(each, links.index(each.link) if each.link in links else 0) for each in seen]
        return _sealed(volunteer, lines, contexts, sealed_ms, targets)

    def _context(self, volunteer: Volunteer, link: Link, sealed_ms: int) -> Context:
        """One that the door takes; without tickets where it takes none of these."""
        bare = Context(link=link)
        tickets = {name: self._ticket(volunteer, sealed_ms) for name in ("ticket", "before", "after")}
        given = replace(bare, **{name: each for name, each in tickets.items() if self._chance.random() < 0.5})
        try:
            unseal(_sealed(volunteer, [say(volunteer.measure(), 0)], [given], sealed_ms, "0" * 64))
        except SealError:
            return bare
        return given

    def _ticket(self, volunteer: Volunteer, sealed_ms: int) -> Ticket:
        chance = self._chance
        network = Network(
            country=chance.choice(COUNTRIES), asn=chance.choice(NUMBERS), operator=chance.choice(TEXTS)[:255]
        )
        return Ticket(
            by=chance.choice(self._signers),
            key=chance.choice((volunteer.key, "0" * 64)),
            network=network,
            bucket=f"{chance.getrandbits(128):032x}",
            bucket_before=chance.choice(("0" * 32, "f" * 32)),
            minute=chance.choice((*MINUTES, sealed_ms // MINUTE_MS)),
            nonce=f"{chance.getrandbits(128):032x}",
            family=chance.choice((4, 6)),
            signature=chance.choice(("0" * 128, f"{chance.getrandbits(512):0128x}")),
        )


def _sealed(
    volunteer: Volunteer, lines: Sequence[bytes], contexts: Sequence[Context], sealed_ms: int, targets: str
) -> bytes:
    header = BatchHeader(
        format=2,
        key=volunteer.key,
        batch=volunteer.number(),
        sealed_ms=sealed_ms,
        software="ringback 0.1",
        targets=targets,
        contexts=len(contexts),
        salt=volunteer.number(),
    )
    return seal(header, lines, volunteer._private.sign, [encode(each) for each in contexts])
