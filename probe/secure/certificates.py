"""The certificates that a peer showed: read from a session, and as hashes fit to keep and to compare with controls'."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace
from OpenSSL import SSL, crypto

from probe.failure import TLS_AUTHORITY, Failed
from probe.model import TlsFacts


def peer_chain(connection: SSL.Connection) -> list[x509.Certificate]:
    """The certificates that the peer sent, its own first.

    Raises Failed(`ssl_unknown_authority`): no root vouches for one that cannot be read.
    """
    try:
        return list(connection.get_peer_cert_chain(as_cryptography=True) or [])
    except (ValueError, x509.InvalidVersion) as error:  # OpenSSL reads more than cryptography does
        raise Failed(TLS_AUTHORITY) from error


def certificate_facts(facts: TlsFacts, chain: Sequence[x509.Certificate]) -> TlsFacts:
    """`facts` with the hashes of the leaf and of its issuer's name."""
    if not chain:
        return facts
    leaf = chain[0]
    return replace(
        facts,
        leaf_sha256=_sha256(leaf.public_bytes(Encoding.DER)),
        issuer_sha256=_sha256(leaf.issuer.public_bytes()),
    )


def peer_certificate_facts(facts: TlsFacts, connection: SSL.Connection) -> TlsFacts:
    """The facts of a session's certificate; of a chain that cannot be read (verification says so) the leaf alone."""
    leaf = connection.get_peer_certificate()
    if leaf is None:
        return facts
    try:
        return certificate_facts(facts, peer_chain(connection))
    except Failed:
        return replace(facts, leaf_sha256=_sha256(crypto.dump_certificate(crypto.FILETYPE_ASN1, leaf)))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
