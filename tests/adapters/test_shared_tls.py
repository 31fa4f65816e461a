from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import NameKind, PeerName
from smtpproto.adapters import tls_channel_binding, tls_contexts
from smtpproto.adapters.nonblocking_channel import NO_HANDSHAKE, HandshakeSettings
from smtpproto.vocabulary.session_facts import TLSFacts

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("mx.example.org", "mail.example.org")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def write(folder: Path, certificate: trustme.LeafCert, name: str = "server") -> Path:
    path = folder / f"{name}.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(path)
    return path


def der(certificate: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())


def trusting(**settings: Any) -> ssl.SSLContext:
    context = tls_contexts.client_context(**settings)
    CA.configure_trust(context)
    return context


def shake_hands(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = "mx.example.org"
) -> tuple[TLSFacts, TLSFacts]:
    """What each side knows after a handshake in memory."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(one, other, server_hostname=name),
        server.wrap_bio(other, one, server_side=True),
    ]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    first, second = sides
    return tls_contexts.facts(first), tls_contexts.facts(second)


@pytest.mark.parametrize("version", VERSIONS)
def test_both_sides_know_the_same(tmp_path: Path, version: ssl.TLSVersion) -> None:
    client = trusting()
    client.maximum_version = version
    ours, theirs = shake_hands(client, tls_contexts.server_context(write(tmp_path, CERTIFICATE)))
    assert ours.version == theirs.version == version.name.replace("_", ".")
    assert ours.cipher == theirs.cipher != ""
    assert ours.server_name == theirs.server_name == "mx.example.org"
    assert ours.peer_certificate == der(CERTIFICATE)
    assert ours.names(NameKind.DNS) == ("mx.example.org", "mail.example.org")
    assert theirs.peer_certificate is None
    assert theirs.peer_names == ()
    assert ours.channel_bindings == theirs.channel_bindings
    end_point = hashlib.sha256(der(CERTIFICATE)).digest()
    assert ours.channel_bindings["tls-server-end-point"] == end_point
    # Not defined for TLS 1.3.
    assert ("tls-unique" in ours.channel_bindings) is (version is ssl.TLSVersion.TLSv1_2)


def test_a_plain_context_serves_and_knows_less() -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(server)
    ours, theirs = shake_hands(trusting(), server)
    assert theirs.server_name is None
    assert "tls-server-end-point" not in theirs.channel_bindings
    assert "tls-server-end-point" in ours.channel_bindings


def test_a_client_that_asks_for_no_name() -> None:
    server = tls_contexts.ServerContext()
    CERTIFICATE.configure_cert(server)
    client = trusting(verify=False)
    ours, theirs = shake_hands(client, server, None)
    assert theirs.server_name is ours.server_name is None
    # Not verified, so the names in it say nothing.
    assert ours.peer_certificate == der(CERTIFICATE)
    assert ours.peer_names == ()


def test_with_two_certificates_nobody_tells_which_is_used() -> None:
    server = tls_contexts.ServerContext()
    CERTIFICATE.configure_cert(server)
    assert server.certificate == der(CERTIFICATE)
    CA.issue_cert("mx.example.org", key_type=trustme.KeyType.RSA).configure_cert(server)
    assert server.certificate is None


def test_a_client_verifies() -> None:
    server = tls_contexts.ServerContext()
    CERTIFICATE.configure_cert(server)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(tls_contexts.client_context(), server)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(trusting(), server, "other.example.org")


def test_neither_side_takes_less_than_tls_1_2(tmp_path: Path) -> None:
    for context in (
        tls_contexts.client_context(),
        tls_contexts.server_context(write(tmp_path, CERTIFICATE)),
    ):
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_client_may_show_a_certificate(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(authority)
    server = tls_contexts.server_context(write(tmp_path, CERTIFICATE), client_ca=authority)
    client = trusting()
    _, theirs = shake_hands(client, server)
    assert theirs.peer_certificate is None
    person = CA.issue_cert("eve@example.org")
    person.configure_cert(client)
    _, theirs = shake_hands(client, server)
    assert theirs.peer_certificate == der(person)
    assert theirs.peer_names == (PeerName(NameKind.EMAIL, "eve@example.org"),)
    assert theirs.names(NameKind.DNS) == ()


def test_key_and_certificate_may_stand_apart(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(pem.bytes() for pem in CERTIFICATE.cert_chain_pems))
    CERTIFICATE.private_key_pem.write_to_path(key)
    assert tls_contexts.server_context(certificate, key).certificate == der(CERTIFICATE)
    with pytest.raises(OSError, match="PEM"):
        tls_contexts.server_context(certificate)
    with pytest.raises(FileNotFoundError):
        tls_contexts.server_context(tmp_path / "nothing.pem")


def test_a_handshake_needs_a_context() -> None:
    context = tls_contexts.client_context()
    assert HandshakeSettings(context).current() is context
    assert HandshakeSettings(lambda: context).current() is context
    with pytest.raises(OSError, match="TLS needs a context"):
        NO_HANDSHAKE.current()


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("mx.example.org", {"server_side": False, "server_hostname": "mx.example.org"}),
        (None, {"server_side": True, "server_hostname": None}),
    ],
)
def test_a_name_makes_it_a_client(name: str | None, arguments: dict[str, Any]) -> None:
    assert HandshakeSettings(None, name).arguments == arguments


# --- renewal ----------------------------------------------------------------------------------


def test_a_renewed_certificate_is_used_from_the_next_handshake_on(tmp_path: Path) -> None:
    path = write(tmp_path, CERTIFICATE)
    files = tls_contexts.CertificateFiles(path)
    first = files()
    assert files() is first
    renewed = CA.issue_cert("mx.example.org")
    write(tmp_path, renewed, "new").replace(path)
    assert files().certificate == der(renewed)
    assert files() is files()
    # Whoever is in the middle of a handshake is not disturbed.
    assert first.certificate == der(CERTIFICATE)


def test_half_a_renewal_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, CERTIFICATE)
    files = tls_contexts.CertificateFiles(path)
    first = files()
    path.write_text("-----BEGIN CERTIFICATE-----\n")
    assert files() is first
    path.unlink()
    assert files() is first
    assert caplog.text.count("the old one stays") == 2
    renewed = CA.issue_cert("mx.example.org")
    write(tmp_path, renewed)
    assert files().certificate == der(renewed)


def test_the_first_certificate_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tls_contexts.CertificateFiles(tmp_path / "server.pem", tmp_path / "key.pem")


# --- the hash of tls-server-end-point ---------------------------------------------------------

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any, algorithm: Any, **settings: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example.org")])
    now = __import__("datetime").datetime(2026, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=2036))
    )
    made = builder.sign(key, algorithm, **settings)
    return made.public_bytes(serialization.Encoding.DER)


def pss(algorithm: hashes.HashAlgorithm) -> dict[str, Any]:
    return {"rsa_padding": padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)}


@pytest.mark.parametrize(
    "octets, expected",
    [
        (certificate(RSA, hashes.SHA256()), "sha256"),
        (certificate(RSA, hashes.SHA384()), "sha384"),
        (certificate(RSA, hashes.SHA512()), "sha512"),
        (certificate(RSA, hashes.SHA224()), "sha224"),
        (certificate(EC, hashes.SHA256()), "sha256"),
        (certificate(EC, hashes.SHA384()), "sha384"),
        (certificate(EC, hashes.SHA512()), "sha512"),
        (certificate(EC, hashes.SHA224()), "sha224"),
        # Larger ones take a second to make.
        (certificate(dsa.generate_private_key(1024), hashes.SHA256()), "sha256"),  # noqa: S505
        (certificate(RSA, hashes.SHA256(), **pss(hashes.SHA256())), "sha256"),
        (certificate(RSA, hashes.SHA512(), **pss(hashes.SHA512())), "sha512"),
        # RFC 5929 defines nothing where the signature has no hash of its own.
        (certificate(ed25519.Ed25519PrivateKey.generate(), None), None),
    ],
)
def test_the_hash_is_that_of_the_signature(octets: bytes, expected: str | None) -> None:
    assert tls_channel_binding.signature_hash(octets) == expected


def sequence(*items: bytes, tag: int = 0x30) -> bytes:
    content = b"".join(items)
    return bytes([tag, len(content)]) + content


PSS = bytes.fromhex("06092a864886f70d01010a")
SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")


@pytest.mark.parametrize(
    "octets, expected",
    [
        # MD5 and SHA-1 are replaced; cryptography does not sign with them any more.
        (sequence(sequence(), sequence(SHA1_WITH_RSA)), "sha256"),
        # The parameters of RSASSA-PSS default to SHA-1.
        (sequence(sequence(), sequence(PSS)), "sha256"),
        (sequence(sequence(), sequence(PSS, sequence())), "sha256"),
        (sequence(sequence(), sequence(PSS, sequence(sequence(tag=0xA1)))), "sha256"),
        (sequence(sequence(), sequence(bytes.fromhex("06022a03"))), None),
        (sequence(sequence(), sequence(sequence())), None),
        (sequence(sequence()), None),
        (sequence(b"\x30\x05\x00"), None),
        (b"\x30", None),
        (b"", None),
        (b"no certificate", None),
    ],
)
def test_what_is_unusual_or_no_certificate(octets: bytes, expected: str | None) -> None:
    assert tls_channel_binding.signature_hash(octets) == expected


WHOLE = certificate(EC, hashes.SHA256())


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=4))
def test_a_broken_certificate_breaks_nothing(place: int, octets: bytes) -> None:
    broken = WHOLE[:place] + octets + WHOLE[place + len(octets) + 1 :]
    assert tls_channel_binding.signature_hash(broken) in {
        None,
        "sha224",
        "sha256",
        "sha384",
        "sha512",
    }


@given(st.binary(max_size=200))
def test_any_octets_break_nothing(octets: bytes) -> None:
    assert tls_channel_binding.signature_hash(octets) in {None, *hashlib.algorithms_available}


class Exporting:
    """A connection of a Python whose ssl module offers what RFC 9266 asks for."""

    server_side = False
    server_hostname = None

    def getpeercert(self, binary_form: bool = False) -> None:
        return None

    def cipher(self) -> None:
        return None

    def version(self) -> str:
        return "TLSv1.3"

    def get_channel_binding(self, kind: str) -> bytes:
        return kind.encode()


def test_the_exporter_where_the_ssl_module_offers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tls_contexts.facts(Exporting()).channel_bindings == {}
    monkeypatch.setattr(ssl, "CHANNEL_BINDING_TYPES", ["tls-unique", "tls-exporter"])
    assert tls_contexts.facts(Exporting()).channel_bindings == {"tls-exporter": b"tls-exporter"}
