"""How a session is to begin: ports, policies, names in certificates."""

from __future__ import annotations

import pytest

from smtpproto import NameKind, PeerName, TLSFacts
from smtpproto.conversations import ClientSettings, TLSMode, TLSPolicy
from smtpproto.sasl import Credentials

NAME = "client.example"
ALICE = Credentials(username="alice", password="wonderland")


@pytest.mark.parametrize(
    "port, credentials, mode",
    [
        (25, None, TLSMode.OPPORTUNISTIC),
        (24, None, TLSMode.OPPORTUNISTIC),
        (587, None, TLSMode.STARTTLS),
        (465, None, TLSMode.IMPLICIT),
        (25, ALICE, TLSMode.STARTTLS),
        (465, ALICE, TLSMode.IMPLICIT),
    ],
)
def test_the_usual_mode(port: int, credentials: Credentials | None, mode: TLSMode) -> None:
    assert TLSMode.default(port, credentials) is mode


@pytest.mark.parametrize(
    "hosts, names, fits",
    [
        ((), (), True),
        (("mx.example",), ("mx.example",), True),
        (("mx.example",), ("other.example", "MX.example."), True),
        (("*.example",), ("mx.example",), True),
        (("mx.example",), ("*.example",), True),
        (("a.example", "mx.example"), ("mx.example",), True),
        (("mx.example",), ("other.example",), False),
        (("*.example",), ("a.mx.example",), False),
        (("*.example",), ("example",), False),
        (("*",), ("example",), False),
        # Names count only if the certificate was verified.
        (("mx.example",), (), False),
    ],
)
def test_names_that_a_policy_allows(
    hosts: tuple[str, ...], names: tuple[str, ...], fits: bool
) -> None:
    found = tuple(PeerName(NameKind.DNS, name) for name in names)
    problem = TLSPolicy(hosts=hosts).names(TLSFacts("TLSv1.3", peer_names=found))
    assert (problem is None) is fits
    if problem is not None:
        assert hosts[0] in problem


@pytest.mark.parametrize("kind", [NameKind.EMAIL, NameKind.URI, NameKind.IP])
def test_names_of_another_kind_satisfy_no_policy(kind: NameKind) -> None:
    """MTA-STS compares DNS names only (RFC 8461 section 4.1)."""
    facts = TLSFacts("TLSv1.3", peer_names=(PeerName(kind, "mx.example"),))
    assert "no DNS name" in (TLSPolicy(hosts=("mx.example",)).names(facts) or "")


def test_what_is_required() -> None:
    assert not ClientSettings(name=NAME).requires_tls
    assert not ClientSettings(name=NAME).verifies
    assert ClientSettings(name=NAME, tls=TLSMode.STARTTLS).verifies
    assert ClientSettings(name=NAME, policy=TLSPolicy()).requires_tls
    assert not ClientSettings(name=NAME, policy=TLSPolicy(required=False)).requires_tls
    assert ClientSettings(name=NAME, credentials=ALICE, nonce=str).verifies


def test_openings_that_contradict_themselves() -> None:
    with pytest.raises(ValueError, match="policy requires TLS"):
        ClientSettings(name=NAME, tls=TLSMode.NONE, policy=TLSPolicy())
    with pytest.raises(ValueError, match="need `nonce`"):
        ClientSettings(name=NAME, credentials=ALICE)


def test_mechanisms_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="PLIAN is not known here"):
        ClientSettings(name=NAME, mechanisms=["PLAIN", "PLIAN"])
    with pytest.raises(ValueError, match="allow_plaintext: LOGIN is not among the mechanisms"):
        ClientSettings(name=NAME, mechanisms=["PLAIN"], allow_plaintext=["LOGIN"])


def test_no_secret_is_shown() -> None:
    assert "wonderland" not in repr(ClientSettings(name=NAME, credentials=ALICE, nonce=str))
