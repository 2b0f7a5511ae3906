"""Unsealing: what an honest probe sends is read at once; whatever costs more to read waits for its like.

A first look takes a few milliseconds at most, for it goes no further than the batches of this version's probes do. What
it cannot read is looked at closely, by one thread: it may be a later version's, or made to cost, and then it keeps
waiting who makes such too, and not the others.
"""

from __future__ import annotations

from msgspec.structs import replace

from collector.front.executors import Executors
from collector.front.refusals import Refused
from probe.codecs.seal import LIMITS, Limits, SealedBatch, SealError, unseal

# Twice what fifty rich measurements take, and nothing that this version does not know.
AT_FIRST = replace(LIMITS, plain_bytes=320_000, tokens=0, keys=40)
BEYOND = ("bomb", "too_many", "bad_json")  # may be of a first look only

# Reasons of a SealError that are not the plain 400 of something that is no batch.
STATUSES = {
    "too_large": 413,
    "bomb": 413,
    "too_many": 413,
    "too_deep": 413,
    "bad_schema": 422,
    "duplicate_uid": 422,
}


async def unsealed(executors: Executors, data: bytes) -> SealedBatch:
    """The batch in these bytes. Raises Refused."""
    found = await executors.ingest.run(_unsealed, data, AT_FIRST)
    if isinstance(found, Refused) and found.reason in BEYOND:
        found = await executors.careful.run(_unsealed, data, LIMITS)
    if isinstance(found, Refused):
        raise found
    return found


def _unsealed(data: bytes, limits: Limits) -> SealedBatch | Refused:
    """The batch, or why it is refused: as a value, for an exception that goes from thread to thread keeps what its
    frames hold, megabytes of what strangers sent, until garbage is looked for.
    """
    try:
        return unseal(data, limits)
    except SealError as error:
        return Refused(STATUSES.get(error.reason, 400), error.reason, str(error))
