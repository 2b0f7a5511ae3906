"""Verifying a certificate chain after the handshake, against roots that we chose and at the time that we believe.

The system's store is never asked: a volunteer's device may carry roots of an employer, a school or a censor.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import certifi
import service_identity
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from OpenSSL import crypto
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from probe.addresses import is_address
from probe.codecs.text import utf8
from probe.failure import TLS_AUTHORITY, TLS_CERTIFICATE, TLS_HOSTNAME, Failed, UserError

# X509_V_ERR codes (x509_vfy.h) that say that the chain ends in no root of ours; every other one is the certificate's.
NO_AUTHORITY = frozenset({2, 18, 19, 20, 21, 24, 27, 33})

PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Trust:
    """The public roots, more roots of the user's, and the services' own authorities by name."""

    def __init__(self, public_pem: bytes, authorities: Mapping[str, str]) -> None:
        self._public = _roots(public_pem)
        self._authorities = {name: _roots(pem.encode()) for name, pem in authorities.items()}

    def verify(self, chain: Sequence[x509.Certificate], host: str, ca: str | None, now_ms: int) -> bool:
        """True when the chain ends in the service's own authority `ca`, False when in a public root.

        Raises Failed with `ssl_unknown_authority`, `ssl_invalid_certificate` or `ssl_invalid_hostname`.
        """
        own = self._authorities.get(ca, ()) if ca else ()
        pinned = bool(own) and _chain_error(chain, own, now_ms) is None
        if not pinned:
            error = _chain_error(chain, (*self._public, *own), now_ms)
            if error is not None:
                raise Failed(TLS_AUTHORITY if error in NO_AUTHORITY else TLS_CERTIFICATE)
        _verify_name(chain[0], host)
        return pinned


def load_trust(authorities: Mapping[str, str], ca_file: str | None = None) -> Trust:
    """certifi's roots, those of `ca_file` (PEM), and the authorities of the targets file."""
    pem = Path(certifi.where()).read_bytes()
    if ca_file is not None:
        pem += b"\n" + _more_roots(ca_file)
    return Trust(pem, authorities)


def _more_roots(ca_file: str) -> bytes:
    try:
        pem = utf8(Path(ca_file).read_bytes())
        x509.load_pem_x509_certificates(pem)
    except OSError as error:
        raise UserError(f"Cannot read the CA file {ca_file}: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"The CA file {ca_file} holds no certificate in PEM, or a damaged one.") from error
    return pem


def _roots(pem: bytes) -> tuple[crypto.X509, ...]:
    with warnings.catch_warnings():
        # Some public roots have a serial number of zero, which cryptography warns of and may refuse one day.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        loaded = (_root(block) for block in PEM_BLOCK.findall(pem))
        return tuple(root for root in loaded if root is not None)


def _root(block: bytes) -> crypto.X509 | None:
    try:
        return crypto.X509.from_cryptography(x509.load_pem_x509_certificate(block))
    except ValueError:
        return None  # one root less: what it signed is found unknown


def _chain_error(chain: Sequence[x509.Certificate], roots: Sequence[crypto.X509], now_ms: int) -> int | None:
    store = crypto.X509Store()
    for root in roots:
        store.add_cert(root)
    store.set_time(datetime.fromtimestamp(now_ms / 1000, UTC))
    leaf, *others = (crypto.X509.from_cryptography(certificate) for certificate in chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0])
    return None


def _verify_name(leaf: x509.Certificate, host: str) -> None:
    try:
        if is_address(host):
            verify_certificate_ip_address(leaf, host)
        else:
            verify_certificate_hostname(leaf, host)
    except (service_identity.VerificationError, service_identity.CertificateError) as error:
        raise Failed(TLS_HOSTNAME) from error
    except (ValueError, x509.DuplicateExtension) as error:  # its names cannot be read
        raise Failed(TLS_CERTIFICATE) from error
