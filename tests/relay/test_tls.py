"""examples/relay: TLS as REQUIRETLS, DANE and MTA-STS ask for it."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from examples.relay.reception import EXTENSIONS
from smtpproto import ForwardPath, Mail, Rcpt, ReversePath, sync
from smtpproto.extensions import RequireTls, RequireTlsParameter, Ret
from smtpproto.sync import Envelope, server_context
from tests.relay.world import LETTER, NO_USER, Relay, Zone, read, relay, zone

EVE = Mail(ReversePath.of("eve@here.example"), (RequireTlsParameter(), Ret("FULL")))
SECRET = Envelope(EVE, (Rcpt(ForwardPath.of("bob@there.example")),))


@dataclass
class Certificates:
    """A certificate for "mx.example" and "relay.example", and who believes it."""

    server: ssl.SSLContext
    trust: ssl.SSLContext
    tlsa: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = trustme.CA()
    issued = authority.issue_cert("mx.example", "relay.example")
    path = tmp_path_factory.mktemp("certificates") / "all.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    key = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Certificates(server_context(path), trust, f"3 1 1 {hashlib.sha256(octets).hexdigest()}")


@pytest.fixture
def records() -> Zone:
    return zone("there.example", "here.example")


def behind(certificates: Certificates, *, required: bool = True) -> list[sync.ListeningSettings]:
    extensions = [each for each in EXTENSIONS if required or not isinstance(each, RequireTls)]
    return [sync.ListeningSettings(tls_context=certificates.server, extensions=extensions)]


@pytest.fixture
def secure(tmp_path: Path, records: Zone, certificates: Certificates) -> Iterator[Relay]:
    """A relay, and a server behind it with everything that REQUIRETLS needs."""
    with relay(
        tmp_path,
        records,
        behind=behind(certificates),
        trust=certificates.trust,
        tls=certificates.server,
    ) as here:
        yield here


def submit(here: Relay, certificates: Certificates) -> None:
    assert here.submit(SECRET, **to_the_relay(certificates)).complete


def to_the_relay(certificates: Certificates) -> dict[str, Any]:
    return {"tls_context": certificates.trust, "server_hostname": "relay.example"}


def test_requiretls_is_passed_on(secure: Relay, certificates: Certificates) -> None:
    submit(secure, certificates)
    ((envelope, _),) = secure.behind.wait_for(1)
    assert envelope.mail.get(RequireTlsParameter) is not None
    secure.wait_until_empty()


def test_a_notification_of_a_secret_is_one(secure: Relay, certificates: Certificates) -> None:
    """And it does not hold the message, also with RET=FULL."""
    secure.behind.answers["bob@there.example"] = [NO_USER]
    submit(secure, certificates)
    back, content = secure.notification()
    assert back.mail.get(RequireTlsParameter) is not None
    assert b"Hello." not in content


def test_requiretls_outside_tls_is_refused(secure: Relay) -> None:
    with sync.connect("127.0.0.1", secure.port, tls=sync.TLSMode.NONE) as client:
        reply = client.command(Mail(EVE.reverse_path))
        assert reply.code == 250
        assert RequireTls not in client.offered


def test_a_server_without_requiretls(
    tmp_path: Path, records: Zone, certificates: Certificates
) -> None:
    with relay(
        tmp_path,
        records,
        behind=behind(certificates, required=False),
        trust=certificates.trust,
        tls=certificates.server,
    ) as here:
        submit(here, certificates)
        # The notification is delivered without it (RFC 8689 section 5).
        _, content = here.notification()
        assert here.behind.of("eve@here.example") == []
    assert [bob["Status"] for bob in read(content)[2][1:]] == ["5.7.30"]


@pytest.mark.parametrize("trusted", [True, False])
def test_servers_that_cannot_be_trusted(
    tmp_path: Path, records: Zone, certificates: Certificates, trusted: bool
) -> None:
    """MX records that nothing vouches for; a certificate of an unknown authority."""
    if trusted:
        records["unsigned.example", "MX"] = records.pop(("there.example", "MX"))
    trust = certificates.trust if trusted else None
    bob = Rcpt(ForwardPath.of("bob@unsigned.example" if trusted else "bob@there.example"))
    with relay(
        tmp_path, records, behind=behind(certificates), trust=trust, tls=certificates.server
    ) as here:
        assert here.submit(Envelope(EVE, (bob,)), **to_the_relay(certificates)).complete
        _, content = here.notification()
        assert here.behind.of("eve@here.example") == []
        # Others go there.
        assert here.submit(Envelope(Mail(EVE.reverse_path), (bob,))).complete
        here.behind.wait_for(1)
    assert [group["Status"] for group in read(content)[2][1:]] == ["5.7.10"]


def test_dane(secure: Relay, records: Zone, certificates: Certificates) -> None:
    """With the wrong key the message waits, since the record may be an old one."""
    name = (f"_{secure.routes.ways.port}._tcp.mx.example", "TLSA")
    records[name] = f"3 1 1 {'00' * 32}"
    secure.send("bob@there.example")
    secure.attempted()
    assert secure.store.listing()[0]["last"].startswith("451 4.7.5 TLS with 127.0.0.1 does not")
    records[name] = certificates.tlsa
    secure.forget_routes()
    secure.behind.wait_for(1)


@pytest.mark.parametrize("mx", ["mx.example", "mx.elsewhere.example"])
def test_mta_sts(tmp_path: Path, records: Zone, certificates: Certificates, mx: str) -> None:
    records["_mta-sts.there.example", "TXT"] = '"v=STSv1; id=1;"'
    policy = f"version: STSv1\nmode: enforce\nmx: {mx}\nmax_age: 86400\n"
    with relay(
        tmp_path,
        records,
        behind=behind(certificates),
        trust=certificates.trust,
        fetch=lambda url: policy,
    ) as here:
        here.send("bob@there.example")
        if mx == "mx.example":
            here.behind.wait_for(1)
            return
        here.attempted()
        assert here.store.listing()[0]["last"].startswith("451 4.7.5")
        assert here.behind.arrived == []


def test_opportunistic_tls(secure: Relay, certificates: Certificates) -> None:
    """Without a policy any certificate will do."""
    secure.routes.ways = dataclasses.replace(secure.routes.ways, trust=None)
    assert secure.send("bob@there.example").complete
    ((_, content),) = secure.behind.wait_for(1)
    assert b" with ESMTPS " in content or b" with UTF8SMTPS " in content
    assert content.endswith(LETTER)


@pytest.mark.parametrize("policy", [False, True])
def test_a_server_whose_tls_fails(tmp_path: Path, records: Zone, policy: bool) -> None:
    """The message goes without TLS, unless a policy asks for it."""
    # It has no certificate.
    broken = sync.ListeningSettings(tls_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    with relay(tmp_path, records, behind=[broken]) as here:
        if policy:
            records[f"_{here.routes.ways.port}._tcp.mx.example", "TLSA"] = f"3 1 1 {'00' * 32}"
        here.send("bob@there.example")
        if policy:
            here.attempted()
            assert here.store.listing()[0]["last"].startswith("451 4.7.5")
            assert here.behind.arrived == []
        else:
            ((_, content),) = here.behind.wait_for(1)
            assert b" with ESMTP " in content.partition(b"\r\nReceived")[0]
