"""How what was measured becomes batches that a collector will take: at most 50 measurements, their links said once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from probe.codecs.said_once import say
from probe.codecs.seal import FORMAT, LIMITS, SealError, check_header, encode, seal, unseal
from probe.model import BatchHeader, Context, Link, Measurement, Succession, Ticket
from probe.submit.identity import Identity
from probe.submit.spool import Spool

logger = logging.getLogger(__name__)


class Belonging(Struct, frozen=True, kw_only=True):
    """By what measurements belong to a network, as in probe.model.Context; without any they belong to none."""

    ticket: Ticket | None = None
    before: Ticket | None = None
    after: Ticket | None = None

    def context(self, link: Link) -> Context:
        return Context(link=link, ticket=self.ticket, before=self.before, after=self.after)


NOWHERE = Belonging()


class Sealer(Struct, frozen=True, kw_only=True):
    """What is the same for all batches of a cycle. `random_bytes` makes their ids and salts."""

    identity: Identity
    software: str
    targets: str  # digest of the targets file that was measured
    random_bytes: Callable[[int], bytes]
    belonging: Belonging = NOWHERE
    succession: Succession | None = None  # of the identity's key to the one before it, or of the next to it


def seal_measurements(
    sealer: Sealer, measurements: Iterable[Measurement], now_ms: int, spool: Spool
) -> Iterator[tuple[str, bytes]]:
    """Batches that a collector will take, in order of their numbers: pairs of batch id and bytes.

    A measurement that fits in no batch is dropped with a warning and counted, so that it does not take others with it.
    Raises SealError when software or digest are of the wrong form: that would be so for every batch; and OSError.
    """
    check_header(_header(sealer, [Link(up=True)], now_ms, spool))
    for group in _groups(measurements):
        yield from _batches(sealer, group, now_ms, spool)


def _groups(measurements: Iterable[Measurement]) -> Iterator[list[Measurement]]:
    """In their order, each with no more measurements and no more links than a batch may have."""
    group: list[Measurement] = []
    for measurement in measurements:
        links = {each.link for each in group} | {measurement.link}
        if len(group) == LIMITS.measurements or len(links) > LIMITS.contexts:
            yield group
            group = []
        group.append(measurement)
    if group:
        yield group


def _batches(
    sealer: Sealer, measurements: Sequence[Measurement], now_ms: int, spool: Spool
) -> Iterator[tuple[str, bytes]]:
    """One batch if it is one that will be taken, else those of each half."""
    links = list(dict.fromkeys(measurement.link for measurement in measurements))
    header = _header(sealer, links, now_ms, spool)
    try:
        data = _sealed(sealer, header, links, measurements)
        unseal(data)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        if len(measurements) == 1:
            reason = error if isinstance(error, SealError) else type(error).__name__
            logger.warning("A measurement of %s was dropped: %s", measurements[0].target, reason)
            spool.count_unsealed(header.key)
            return
        half = len(measurements) // 2
        yield from _batches(sealer, measurements[:half], now_ms, spool)
        yield from _batches(sealer, measurements[half:], now_ms, spool)
    else:
        spool.take(header.key, header.sequence or 0)
        yield header.batch, data


def _sealed(sealer: Sealer, header: BatchHeader, links: Sequence[Link], measurements: Sequence[Measurement]) -> bytes:
    contexts = [encode(sealer.belonging.context(link)) for link in links]
    lines = [say(measurement, links.index(measurement.link)) for measurement in measurements]
    return seal(header, lines, sealer.identity.sign, contexts)


def _header(sealer: Sealer, links: Sequence[Link], now_ms: int, spool: Spool) -> BatchHeader:
    lost, roots = (
        spool.lost_of(sealer.identity.key),
        [link.trust_store_ms for link in links if link.trust_store_ms is not None],
    )
    return BatchHeader(
        format=FORMAT,
        key=sealer.identity.key,
        batch=sealer.random_bytes(16).hex(),
        sealed_ms=now_ms,
        software=sealer.software,
        targets=sealer.targets,
        contexts=len(links),
        salt=sealer.random_bytes(16).hex(),
        sequence=spool.sequence(sealer.identity.key),
        lost_batches=lost.batches,
        lost_measurements=lost.measurements,
        trust_store_ms=min(roots, default=None),
        succession=sealer.succession,
    )
