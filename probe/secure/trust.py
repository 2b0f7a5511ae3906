"""Verifying a certificate chain after the handshake, against roots that we chose and at the time that we believe.

The system's store is never asked: a volunteer's device may carry roots of an employer, a school or a censor.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import certifi
import service_identity
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from OpenSSL import crypto
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from probe.addresses import is_address
from probe.codecs.text import utf8
from probe.failure import TLS_AUTHORITY, TLS_CERTIFICATE, TLS_HOSTNAME, Failed, UserError

# X509_V_ERR codes (x509_vfy.h) of a certificate's own time: not yet valid, expired. Every other one says that no root
# of ours vouches for the chain. (23, revoked, is never met: we load no revocation lists.)
OUT_OF_DATE = frozenset({9, 10})
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME

REMEMBERED = 128  # pairs of a certificate and a host: more than a cycle meets

BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


class Trust:
    """The public roots, more roots of the user's, and the services' own authorities by name.

    `as_of_ms` is the date of the public roots: an authority that began later is unknown to them. None: not known.
    """

    def __init__(self, public_pem: bytes, authorities: Mapping[str, str], as_of_ms: int | None = None) -> None:
        self.as_of_ms = as_of_ms
        self._public = _roots(public_pem)
        self._authorities = {name: _roots(pem.encode()) for name, pem in authorities.items()}

    def verify(self, chain: Sequence[x509.Certificate], host: str, ca: str | None, now_ms: int) -> bool:
        """True when the chain ends in the service's own authority `ca`, False when in a public root.

        Raises Failed with `ssl_unknown_authority`, `ssl_invalid_certificate` or `ssl_invalid_hostname`.
        """
        if not chain:
            raise Failed(TLS_AUTHORITY)
        own = self._authorities.get(ca, ()) if ca else ()
        pinned = bool(own) and _chain_error(chain, own, now_ms) is None
        if not pinned:
            _verify_chain(chain, (*self._public, *own), now_ms)
        if not is_for(chain[0], host):
            raise Failed(TLS_HOSTNAME)
        return pinned

    def contradicts(self, chain: Sequence[x509.Certificate], ca: str | None) -> bool:
        """Some certificate of the chain names as its issuer one of our roots, or one that came along, and is not its.

        Who copies an authority's name cannot copy its signature; an authority that we do not know yet, or a server
        that sends half its chain, contradicts nobody.
        """
        roots = [root.to_cryptography() for root in (*self._public, *self._authorities.get(ca or "", ()))]
        certificate = chain[0] if chain else None
        for _ in chain:
            assert certificate is not None
            named = [root for root in roots if root.subject == certificate.issuer]
            sent = [each for each in chain if each.subject == certificate.issuer and each is not certificate]
            signers = [each for each in named or sent if _may_have_signed(each, certificate)]
            if named or not signers:
                return bool(named or sent) and not signers
            certificate = signers[0]
        return False


def load_trust(authorities: Mapping[str, str], ca_file: str | None = None) -> Trust:
    """certifi's roots, those of `ca_file` (PEM), and the authorities of the targets file."""
    pem = Path(certifi.where()).read_bytes()
    if ca_file is not None:
        pem += b"\n" + _more_roots(ca_file)
    return Trust(pem, authorities, _date_of(certifi.__version__))


def _date_of(version: str) -> int | None:
    """The date of certifi's roots, which is its version: 2026.10.18. None for another way of counting."""
    try:
        year, month, day = map(int, version.split(".")[:3])
        return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


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
        loaded = (_root(block) for block in pem_blocks(pem))
        return tuple(root for root in loaded if root is not None)


def pem_blocks(pem: bytes) -> Iterator[bytes]:
    """Each certificate's text, from BEGIN to END; what is cut off is left out."""
    for part in pem.split(BEGIN)[1:]:
        text, end, _ = part.partition(END)
        if end:
            yield BEGIN + text + END


def _root(block: bytes) -> crypto.X509 | None:
    try:
        return crypto.X509.from_cryptography(x509.load_pem_x509_certificate(block))
    except ValueError:
        return None  # one root less: what it signed is found unknown


def _verify_chain(chain: Sequence[x509.Certificate], roots: Sequence[crypto.X509], now_ms: int) -> None:
    """Out of date is only what is sound but for its time: an old intermediate does not excuse a forged leaf."""
    error = _chain_error(chain, roots, now_ms)
    if error in OUT_OF_DATE and _chain_error(chain, roots, now_ms, NO_CHECK_TIME) is None:
        raise Failed(TLS_CERTIFICATE)
    if error is not None:
        raise Failed(TLS_AUTHORITY)


def _may_have_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """The issuer may have signed it: a signature of a kind that we do not know contradicts nobody."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return True
    return True


def _chain_error(
    chain: Sequence[x509.Certificate], roots: Sequence[crypto.X509], now_ms: int, flags: int = 0
) -> int | None:
    store = crypto.X509Store()
    store.set_flags(flags)
    for root in roots:
        store.add_cert(root)
    store.set_time(datetime.fromtimestamp(now_ms / 1000, UTC))
    leaf, *others = (crypto.X509.from_cryptography(certificate) for certificate in chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0])
    return None


@lru_cache(REMEMBERED)
def is_for(leaf: x509.Certificate, host: str) -> bool:
    """The certificate names the host. Some name a hundred hosts, and all its addresses show the same one."""
    try:
        if is_address(host):
            verify_certificate_ip_address(leaf, host)
        else:
            verify_certificate_hostname(leaf, host)
    except (service_identity.VerificationError, service_identity.CertificateError):
        return False
    except (ValueError, x509.DuplicateExtension):  # names that cannot be read name nobody
        return False
    return True
