"""Batches for the tests of the collector, sealed by the probe's own code."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from collector.log import Envelope
from probe.codecs.said_once import say
from probe.codecs.seal import encode, seal, unseal
from probe.model import (
    BatchHeader,
    Context,
    DnsFacts,
    Link,
    Measurement,
    Network,
    Observation,
    Resolution,
    Step,
)

NOW_MS = 1_772_000_000_000
DIGEST = "d" * 64
NETWORK = Network(country="MA", asn=36903, operator="Maroc Telecom")
NAMED = {"212.217.0.0/16": NETWORK}


class Volunteer:
    """A probe's key, made of a number so that tests repeat; it numbers what it measures."""

    def __init__(self, number: int = 1) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))
        self.key = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        self._count = 0

    def number(self) -> str:
        self._count += 1
        return f"{self._count:032x}"

    def measure(
        self,
        target: str = "whatsapp/chat",
        *,
        started_ms: int = NOW_MS,
        clock_offset_ms: int | None = 0,
        cycle: str = "c" * 32,
        round: int = 1,
        resolver_prefix: str | None = None,
    ) -> Measurement:
        dns = DnsFacts(resolver="isp", resolver_prefix=resolver_prefix)
        seen = Observation(step=Step.DNS, started_us=0, took_us=20, failure=None, dns=dns)
        return Measurement(
            uid=self.number(),
            target=target,
            cycle=cycle,
            round=round,
            started_ms=started_ms,
            clock_offset_ms=clock_offset_ms,
            link=Link(up=True),
            resolutions=(Resolution(host="e1.whatsapp.net", observation=seen),) if resolver_prefix else (),
        )

    def seal(self, measurements: Sequence[Measurement], sealed_ms: int = NOW_MS, targets: str = DIGEST) -> bytes:
        return self.seal_lines([encode(measurement) for measurement in measurements], sealed_ms, targets)

    def seal_2(self, measurements: Sequence[Measurement], **header: int) -> bytes:
        """In format 2, one context for all that have the same link."""
        links = list(dict.fromkeys(each.link for each in measurements))
        given = BatchHeader(
            format=2,
            key=self.key,
            batch=self.number(),
            sealed_ms=NOW_MS,
            software="ringback 0.1",
            targets=DIGEST,
            contexts=len(links),
            salt=self.number(),
            **header,
        )
        lines = [say(each, links.index(each.link)) for each in measurements]
        return seal(given, lines, self._private.sign, [encode(Context(link=link)) for link in links])

    def seal_lines(self, lines: Sequence[bytes], sealed_ms: int = NOW_MS, targets: str = DIGEST) -> bytes:
        header = BatchHeader(
            format=1, key=self.key, batch=self.number(), sealed_ms=sealed_ms, software="ringback 0.1", targets=targets
        )
        return seal(header, lines, self._private.sign)


def enveloped(
    body: bytes, received_ms: int = NOW_MS, network: Network = NETWORK, named: dict[str, Network] = NAMED
) -> tuple[Envelope, int]:
    """The arguments of `Log.append`."""
    envelope = Envelope(received_ms=received_ms, network=network, named=named, body=body)
    return envelope, unseal(body).header.sealed_ms
