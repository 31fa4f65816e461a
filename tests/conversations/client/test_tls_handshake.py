"""The client's TLS handshake: what is told when it fails."""

from __future__ import annotations

import pytest

from smtpproto import Client, TLSFacts
from smtpproto.conversations import ConnectionLost, TLSError, TLSMode, TLSPolicy
from smtpproto.conversations.client.certificate_errors import tls_error
from smtpproto.conversations.client.tls_handshake import handshake
from tests.conversations.driver import CLIENT_FACTS, follow, opening


class Refused(OSError):
    """What the ssl module raises for a certificate, as far as it matters here."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(1, "certificate verify failed")
        self.verify_code = code
        self.verify_message = message


@pytest.mark.parametrize(
    "code, what, check",
    [
        (9, "not valid yet", "clock"),
        (10, "has expired", "clock"),
        (18, "self-signed", "load_verify_locations"),
        (19, "private authority that is not trusted", "load_verify_locations"),
        (20, "authority that is not trusted", "intermediate certificates"),
        (21, "authority that is not trusted", "ca-certificates"),
        (23, "revoked", "administrator"),
        (62, "another name", "server_hostname"),
        (64, "another name", "by the name"),
        (26, "the certificate is not trusted", "openssl s_client"),
    ],
)
def test_certificates(code: int, what: str, check: str) -> None:
    error = tls_error(Refused(code, "the words of OpenSSL"), "mx.example")
    first, *checks = str(error).split("\n- ")
    assert first.startswith("TLS with mx.example: ")
    assert what in first
    assert ("the words of OpenSSL" in first) is (code != 19)
    assert any(check in each for each in checks)


@pytest.mark.parametrize(
    "error, detail",
    [
        (OSError(1, "wrong version number"), "(wrong version number)"),
        (OSError("no context"), "(no context)"),
        (Refused(26), "(certificate verify failed)"),
    ],
)
def test_other_failures(error: OSError, detail: str) -> None:
    text = str(tls_error(error, ""))
    assert "TLS with the server" in text
    assert detail in text


def test_a_server_without_tls_on_that_port() -> None:
    text = str(tls_error(OSError(1, "wrong version number"), "mx.example"))
    assert "465" in text
    assert "TLSMode.STARTTLS" in text


@pytest.mark.parametrize(
    "error, kind, text",
    [
        (TimeoutError("slow"), ConnectionLost, "within 60 seconds"),
        (ConnectionResetError("reset"), ConnectionLost, "within the TLS handshake: reset"),
        (Refused(10), TLSError, "has expired"),
    ],
)
def test_what_is_raised(error: OSError, kind: type[Exception], text: str) -> None:
    link = follow("TLS")
    link.client.tls = error
    with pytest.raises(kind, match=text) as caught:
        link.run(handshake(Client(), opening()))
    assert caught.value.__cause__ is error


def test_a_policy_that_is_satisfied() -> None:
    seen: list[TLSFacts] = []
    policy = TLSPolicy(hosts=("mx.example",), check=seen.append)
    client = Client()
    link = follow("TLS")
    link.run(handshake(client, opening(tls=TLSMode.OPPORTUNISTIC, policy=policy)))
    assert client.session.tls == CLIENT_FACTS
    assert seen == [CLIENT_FACTS]


@pytest.mark.parametrize(
    "policy, problem",
    [
        (
            TLSPolicy(hosts=("mx1.example",)),
            "expects mx1.example in the certificate, found mx.exam",
        ),
        (TLSPolicy(check=lambda _: "no TLSA record matches"), "no TLSA record matches"),
    ],
)
def test_a_policy_that_is_not(policy: TLSPolicy, problem: str) -> None:
    link = follow("TLS")
    with pytest.raises(TLSError, match=problem):
        link.run(handshake(Client(), opening(tls=TLSMode.OPPORTUNISTIC, policy=policy, host="")))


def test_a_policy_that_fails_is_the_users_affair() -> None:
    def fail(_: TLSFacts) -> None:
        raise LookupError("no DNS")

    link = follow("TLS")
    with pytest.raises(LookupError):
        link.run(
            handshake(Client(), opening(tls=TLSMode.OPPORTUNISTIC, policy=TLSPolicy(check=fail)))
        )
