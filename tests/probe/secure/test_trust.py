"""Chains against roots that we chose, at the time that we believe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from probe.failure import Failed, UserError
from probe.secure.trust import Trust, _date_of, load_trust
from tests.servers.certificates import DAY, Authority, Leaf

NOW_MS = int(datetime.now(UTC).timestamp() * 1000)
PUBLIC, OWN, FORGER = (Authority.create(name) for name in ("Public root", "The service's own", "A censor"))
TRUST = Trust(PUBLIC.pem, {"service": OWN.pem.decode()})


def chain(*leaves: Leaf) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(leaf.certificate) for leaf in leaves]


def failure(certificates: list[x509.Certificate], host: str = "chat.example", ca: str | None = None, **at: int) -> str:
    with pytest.raises(Failed) as failed:
        TRUST.verify(certificates, host, ca, at.get("now_ms", NOW_MS))
    return failed.value.failure


def test_a_public_root_and_the_right_name() -> None:
    assert TRUST.verify(chain(PUBLIC.leaf("chat.example")), "chat.example", None, NOW_MS) is False


@pytest.mark.parametrize("host", ["chat.example", "edge.chat.example", "192.0.2.10", "2001:db8::10"])
def test_each_name_of_a_certificate_is_good(host: str) -> None:
    leaf = PUBLIC.leaf("chat.example", "*.chat.example", "192.0.2.10", "2001:db8::10")
    assert TRUST.verify(chain(leaf), host, None, NOW_MS) is False


def test_the_services_own_authority_is_pinned() -> None:
    assert TRUST.verify(chain(OWN.leaf("chat.example")), "chat.example", "service", NOW_MS) is True


def test_a_public_root_in_place_of_the_pinned_one_is_good_but_not_pinned() -> None:
    assert TRUST.verify(chain(PUBLIC.leaf("chat.example")), "chat.example", "service", NOW_MS) is False


def test_a_services_authority_is_for_that_service_alone() -> None:
    assert failure(chain(OWN.leaf("chat.example"))) == "ssl_unknown_authority"


def test_an_authority_that_nobody_chose() -> None:
    assert failure(chain(FORGER.leaf("chat.example"))) == "ssl_unknown_authority"
    assert failure([*chain(FORGER.leaf("chat.example")), FORGER.certificate]) == "ssl_unknown_authority"
    assert failure(chain(FORGER.leaf("chat.example")), ca="service") == "ssl_unknown_authority"


def test_a_certificate_signed_by_itself() -> None:
    assert failure([FORGER.certificate], "A censor") == "ssl_unknown_authority"


@pytest.mark.parametrize("host", ["other.example", "a.b.chat.example", "192.0.2.66", "2001:db8::66"])
def test_another_name(host: str) -> None:
    leaf = PUBLIC.leaf("chat.example", "*.chat.example", "192.0.2.10")
    assert failure(chain(leaf), host) == "ssl_invalid_hostname"


def test_a_name_is_remembered_of_that_certificate_alone() -> None:
    """Each is asked twice: the answer of one certificate, or of one name, is never another's."""
    one, other = chain(PUBLIC.leaf("chat.example")), chain(PUBLIC.leaf("other.example"))
    for _ in range(2):
        assert TRUST.verify(one, "chat.example", None, NOW_MS) is False
        assert failure(one, "other.example") == failure(other, "chat.example") == "ssl_invalid_hostname"
        assert TRUST.verify(other, "other.example", None, NOW_MS) is False


@pytest.mark.parametrize("days", [-3, 3])
def test_time_is_an_argument(days: int) -> None:
    leaf = PUBLIC.leaf("chat.example", since=datetime.now(UTC) - DAY, lasts=2 * DAY)
    assert failure(chain(leaf), now_ms=NOW_MS + days * 86_400_000) == "ssl_invalid_certificate"


def test_an_expired_pinned_certificate_is_no_unknown_authority() -> None:
    leaf = OWN.leaf("chat.example", since=datetime.now(UTC) - 9 * DAY, lasts=2 * DAY)
    assert failure(chain(leaf), ca="service") == "ssl_invalid_certificate"


def test_the_name_is_looked_at_after_the_chain() -> None:
    assert failure(chain(FORGER.leaf("other.example"))) == "ssl_unknown_authority"


def with_extension(*extensions: x509.ExtensionType) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.now(UTC) - timedelta(hours=1)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "chat.example")])
    issuer = PUBLIC.certificate.subject
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), 7, start, start + DAY)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(PUBLIC.key, hashes.SHA256())


def test_a_common_name_alone_is_no_name() -> None:
    assert failure([with_extension()]) == "ssl_invalid_hostname"


def test_names_that_cannot_be_read_make_a_bad_certificate() -> None:
    broken = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x03\x82\x09x")
    assert failure([with_extension(broken)]) in ("ssl_invalid_hostname", "ssl_unknown_authority")


# --- Who copies an authority's name -------------------------------------------------------------------------------


COPYIST = Authority.create("Public root")
CHAINS = [  # certificates, whether it contradicts
    pytest.param(chain(COPYIST.leaf("chat.example")), True, id="a leaf in the root's name"),
    pytest.param([*chain(COPYIST.leaf("chat.example")), COPYIST.certificate], True, id="with a root of the same name"),
    pytest.param([*chain(FORGER.leaf("chat.example")), Authority.create("A censor").certificate], True, id="half"),
    pytest.param(chain(FORGER.leaf("chat.example")), False, id="an authority that we do not know"),
    pytest.param([*chain(FORGER.leaf("chat.example")), FORGER.certificate], False, id="the same, with its root"),
    pytest.param([FORGER.certificate], False, id="signed by itself"),
    pytest.param([], False, id="nothing"),
]


@pytest.mark.parametrize(("certificates", "contradicts"), CHAINS)
def test_a_copied_name_is_told_by_the_signature(certificates: list[x509.Certificate], contradicts: bool) -> None:
    assert failure(certificates) == "ssl_unknown_authority"
    assert TRUST.contradicts(certificates, None) is contradicts


def test_a_genuine_chain_contradicts_nobody() -> None:
    assert not TRUST.contradicts(chain(PUBLIC.leaf("chat.example")), None)
    assert not TRUST.contradicts(chain(OWN.leaf("chat.example")), "service")


@pytest.mark.parametrize("days", [-3, 0, 3])
def test_a_forged_chain_is_not_merely_out_of_date(days: int) -> None:
    """OpenSSL says the first thing that it finds, maybe the time of a genuine certificate beside a forged one."""
    leaf = COPYIST.leaf("chat.example", since=datetime.now(UTC) - DAY, lasts=2 * DAY)
    assert failure(chain(leaf), now_ms=NOW_MS + days * 86_400_000) == "ssl_unknown_authority"


def test_a_leaf_that_an_expired_intermediate_did_not_sign_is_forged() -> None:
    root = signer("A root", None, lasts=9 * DAY)
    old = signer("Old intermediate", root, lasts=DAY / 2)
    trust = Trust(root.pem, {})
    forged = [*chain(Authority.create("Old intermediate").leaf("chat.example")), old.certificate]
    with pytest.raises(Failed, match="ssl_unknown_authority"):
        trust.verify(forged, "chat.example", None, NOW_MS)
    assert trust.contradicts(forged, None)
    with pytest.raises(Failed, match="ssl_invalid_certificate"):
        trust.verify([*chain(old.leaf("chat.example")), old.certificate], "chat.example", None, NOW_MS)


def signer(name: str, by: Authority | None, lasts: timedelta) -> Authority:
    """A root, or an authority `by` another."""
    key, start = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) - DAY
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer = by.certificate.subject if by else subject
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), 9, start, start + lasts)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Authority(builder.sign(by.key if by else key, hashes.SHA256()), key)


# --- Loading --------------------------------------------------------------------------------------------------


def test_the_public_roots_are_certifis_and_never_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(FORGER.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(Failed, match="ssl_unknown_authority"):
        load_trust({}).verify(chain(FORGER.leaf("chat.example")), "chat.example", None, NOW_MS)
    root = x509.load_pem_x509_certificate(Path(certifi.where()).read_bytes())
    with pytest.raises(Failed, match="ssl_invalid_hostname"):  # trusted, and only of another name
        load_trust({}).verify([root], "chat.example", None, NOW_MS)


def test_a_ca_file_adds_roots(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(FORGER.pem)
    trust = load_trust({}, str(tmp_path / "ca.pem"))
    assert trust.verify(chain(FORGER.leaf("chat.example")), "chat.example", None, NOW_MS) is False


@pytest.mark.parametrize(
    "content", [b"", b"no certificate\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_file_without_a_certificate_is_the_users_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(UserError, match=r"ca\.pem holds no certificate in PEM"):
        load_trust({}, str(tmp_path / "ca.pem"))


@pytest.mark.parametrize("name", ["absent.pem", ""])
def test_a_ca_file_that_cannot_be_read_is_the_users_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="Cannot read the CA file"):
        load_trust({}, str(tmp_path / name))


def test_the_public_roots_know_their_date() -> None:
    as_of_ms = load_trust({}).as_of_ms
    assert as_of_ms is not None
    assert _date_of("2026.10.18") == 1_792_281_600_000
    assert [_date_of(version) for version in ("7.2", "2026.13.1", "main")] == [None] * 3
