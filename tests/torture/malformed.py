"""T7: what is malformed, each kind the dearest that could be made of it within the limits, and what its refusal costs.

Measured is the collector's processor, mean of many refusals of one kind, and its memory over what it had after honest
uploads of full size.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from collector.instance import now_ms
from probe import targets as targets_file
from probe.codecs.seal import LIMITS, encode, seal
from probe.model import BatchHeader, Context
from tests import genuine
from tests.collector.batches import DIGEST, Volunteer
from tests.torture.honest import Honest
from tests.torture.honest import genuine as known
from tests.torture.line import Line, beyond
from tests.torture.served import Served, load, served
from tests.torture.wire import Address, ask, post, source

REFUSAL_MS, MEMORY_MB = 50.0, 20.0
REPEATS = 40
HONEST = 60  # uploads before, so that what is grown once for all is grown
TEXT = 3_000  # characters: nearly as long as a string may be
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
SIGNATURE = b'{"signature":"' + b"0" * 128 + b'"}\n'


_gzip = partial(gzip.compress, mtime=0)


class Malformed(Struct, frozen=True, kw_only=True):
    """A request, the status with which it is refused, and the word of the refusal."""

    request: bytes
    status: int
    reason: str


class Made:
    """Makes what is malformed; the same each time."""

    def __init__(self) -> None:
        self.volunteer = Volunteer(7)
        self._chance = random.Random(7)

    def noise(self, length: int) -> str:
        """Text that gzip makes little smaller, so that more may stand beside it."""
        return "".join(self._chance.choices(LETTERS, k=length))

    def texts(self, count: int, text: Callable[[], str]) -> bytes:
        return b",".join(b'"%s"' % text().encode() for _ in range(count))

    def unknown(self, items: bytes) -> bytes:
        """A measurement with a field of a later version, a list of these."""
        return b'{"later":[' + items + b"]," + encode(self.volunteer.measure())[1:]

    def sealed(self, *lines: bytes) -> bytes:
        """Whatever it is, rightly signed; that nothing fits is seen at its last line."""
        return self.volunteer.seal_lines([*lines, b'{"bad":1}'])

    def sealed_2(self, *lines: bytes) -> bytes:
        contexts = [encode(Context(link=genuine.LINK))]
        header = BatchHeader(
            format=2,
            key=self.volunteer.key,
            batch=self.volunteer.number(),
            sealed_ms=0,
            software="ringback 0.1",
            targets=DIGEST,
            contexts=len(contexts),
            salt=self.volunteer.number(),
        )
        return seal(header, lines, self.volunteer._private.sign, contexts)


# Kind → what makes its body, and how it is refused.
BODIES: Mapping[str, tuple[Callable[[Made], bytes], int, str]] = {
    "nothing": (lambda made: b"", 400, "not_gzip"),
    "no gzip": (lambda made: b"x" * LIMITS.compressed_bytes, 400, "not_gzip"),
    "noise in gzip": (lambda made: _gzip(random.Random(1).randbytes(250_000)), 413, "too_many"),
    "cut short": (lambda made: _honest(made)[:-9], 400, "not_gzip"),
    "altered": (lambda made: _altered(_honest(made)), 400, "bad_signature"),
    "two members": (lambda made: _honest(made) * 2, 400, "not_gzip"),
    "too large": (lambda made: bytes(LIMITS.compressed_bytes + 1), 413, "too_large"),
    "200 MB of zeros": (lambda made: _gzip(bytes(200_000_000)), 413, "bomb"),
    "quotation marks": (lambda made: _gzip(b'"' * 1_900_000), 413, "bomb"),
    "lines": (lambda made: _gzip(b"\n" * 60_000), 413, "too_many"),
    "objects in an unknown field": (
        lambda made: made.sealed(made.unknown(b",".join([b"{}"] * 48_000 + [b'"%s"' % made.noise(TEXT).encode()]))),
        422,
        "bad_schema",
    ),
    "objects with names of their own": (
        lambda made: made.sealed(made.unknown(b",".join(b'{"%x":0}' % n for n in range(24_000)))),
        422,
        "bad_schema",
    ),
    "numbers in an unknown field": (
        lambda made: made.sealed(
            *(made.unknown(b"1," * 14_000 + b'"%s"' % made.noise(900).encode()) for _ in range(6))
        ),
        422,
        "bad_schema",
    ),
    "2 MB of texts": (lambda made: made.sealed(made.unknown(_texts(made, 640))), 413, "too_many"),
    "1 MB of texts": (lambda made: made.sealed(made.unknown(_texts(made, 320))), 422, "bad_schema"),
    "1 MB of escapes": (
        lambda made: made.sealed(made.unknown(made.texts(320, lambda: made.noise(70) + "\\n" * (TEXT // 2 - 50)))),
        422,
        "bad_schema",
    ),
    "2 MB without a signature": (
        lambda made: _gzip(b'{"x":1}\n' + made.unknown(_texts(made, 640)) + b"\n" + SIGNATURE),
        422,
        "bad_schema",
    ),
    "fields of format 2": (lambda made: made.sealed_2(*_fields(made, 24)), 422, "bad_schema"),
    "short fields of format 2": (lambda made: made.sealed_2(*_fields(made, 1)), 422, "bad_schema"),
    "2 MB of what is right but the last": (lambda made: made.sealed(*_wide(made)), 422, "bad_schema"),
    "deep": (lambda made: made.sealed(made.unknown(b"[" * 1_000 + b"]" * 1_000)), 413, "too_deep"),
}


def _texts(made: Made, count: int) -> bytes:
    return made.texts(count, lambda: made.noise(70) * (TEXT // 70))


def _honest(made: Made) -> bytes:
    return made.volunteer.seal([made.volunteer.measure() for _ in range(LIMITS.measurements)])


def _fields(made: Made, length: int) -> Iterator[bytes]:
    """Objects with as many fields as one may have, each hashed for its leaf before the signature is looked at."""
    for _ in range(LIMITS.measurements):
        fields = (b'"f%d":"%s"' % (n, made.noise(length).encode()) for n in range(LIMITS.keys))
        yield b"{" + b",".join(fields) + b"}"


def _altered(data: bytes) -> bytes:
    return _gzip(gzip.decompress(data).replace(b"whatsapp", b"telegram"))


def _wide(made: Made) -> Iterator[bytes]:
    """Measurements of very many attempts, all in the closed forms."""
    one = genuine.measurements()[0]
    wide = replace(one, attempts=one.attempts[:1] * 60)
    for _ in range(1_900_000 // len(encode(wide))):
        yield encode(replace(wide, uid=made.volunteer.number()))


REQUESTS = {
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
    "a name with a space": b"POST / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
    "a length with a sign": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
    "a header of 20 kB": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


def corpus() -> dict[str, Malformed]:
    """By kind."""
    made = Made()
    bodies = {
        kind: Malformed(request=post(make(made)), status=status, reason=reason)
        for kind, (make, status, reason) in BODIES.items()
    }
    others = {kind: Malformed(request=said, status=400, reason="bad_request") for kind, said in REQUESTS.items()}
    return bodies | others


class Cost(Struct, frozen=True, kw_only=True):
    """What a kind cost, by refusal; `faults`: what was not refused as it must be."""

    processor_ms: float
    faults: list[str]


def torture(directory: Path, options: argparse.Namespace) -> Iterator[Line]:
    costs, grown_mb = asyncio.run(_costs(directory / "data", options.repeats))
    dearest = max(costs, key=lambda kind: costs[kind].processor_ms)
    most = costs[dearest].processor_ms
    told = [beyond(f"{kind}: a refusal", each.processor_ms, REFUSAL_MS, "ms") for kind, each in costs.items()]
    grown = beyond("memory grew by", grown_mb, MEMORY_MB, "MB")
    yield Line(
        figure=f"{len(costs)} kinds × {options.repeats}; the dearest takes {most:.1f} ms of processor ({dearest}); "
        f"memory {grown_mb:+.1f} MB at most, {load()}",
        mark=f"≤ {REFUSAL_MS:g} ms a refusal, ≤ {MEMORY_MB:g} MB",
        faults=[*chain(*(each.faults for each in costs.values()), *told), *grown],
    )


async def _costs(data: Path, repeats: int) -> tuple[dict[str, Cost], float]:
    """What each kind costs, and by how many MB the memory ever was more than before."""
    async with served(data) as one:
        await one.ready()
        await upload_honestly(one, HONEST)
        await one.caught_up()
        one.forget_peak()
        before = one.taken().memory_mb
        costs = {kind: await _cost(one, each, repeats) for kind, each in corpus().items()}
        return costs, one.taken().peak_mb - before


async def upload_honestly(one: Served, count: int) -> None:
    honest, volunteer = Honest(known(), targets_file.packaged().digest), Volunteer(1)
    for number in range(count):
        answer = await ask(one.address, post(honest.batch(volunteer, 20, now_ms())), source(number))
        assert answer.status == 200, answer


async def _cost(one: Served, malformed: Malformed, repeats: int) -> Cost:
    began = one.taken().processor_s
    found = [await fault(one.address, malformed, source(number)) for number in range(repeats)]
    processor_ms = 1_000 * (one.taken().processor_s - began) / repeats
    return Cost(processor_ms=processor_ms, faults=[each for each in found if each][:1])


async def fault(address: Address, malformed: Malformed, source: str) -> str | None:
    """What is wrong with the answer to it."""
    answer = await ask(address, malformed.request, source)
    if answer.status == malformed.status and f'"{malformed.reason}"'.encode() in answer.body:
        return None
    return f"what is to be {malformed.reason} was answered with {answer.status}: {answer.body[:200]!r}"
