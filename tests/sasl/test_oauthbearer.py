"""OAUTHBEARER (RFC 7628)."""

from __future__ import annotations

import base64
import json

import pytest

from smtpproto.sasl import (
    Authorize,
    Challenge,
    CheckToken,
    ClientExchange,
    Credentials,
    Identity,
    OAuthBearer,
    SASLError,
    SASLRefused,
    ServerExchange,
    TokenRefused,
)
from tests.sasl.driver import context, wants

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
ME = Credentials(username="user@example.com", token=TOKEN)

# RFC 7628 section 4.1, the exchange over SMTP.
RFC_MESSAGE = base64.b64decode(
    "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVy"
    "IHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
)
# Section 4.3: an empty token, and what the server says then.
RFC_DISCOVERY = base64.b64decode(
    "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE="
)
RFC_REFUSAL = base64.b64decode(
    "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbmZpZ3Vy"
    "YXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0="
)
CONFIGURATION = "https://example.com/.well-known/openid-configuration"


def test_the_clients_message() -> None:
    here = ClientExchange(OAuthBearer(), ME, context(host="server.example.com", port=587))
    assert here.initial == RFC_MESSAGE
    here.succeeded()


@pytest.mark.parametrize(
    "credentials, message",
    [
        (Credentials(token="t"), b"n,,\x01auth=Bearer t\x01\x01"),
        (
            Credentials(username="u", authorization="a,b=c", token="t"),
            b"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01",
        ),
    ],
)
def test_what_is_not_known_is_not_said(credentials: Credentials, message: bytes) -> None:
    assert ClientExchange(OAuthBearer(), credentials, context(host="", port=0)).initial == message


@pytest.mark.parametrize(
    "message, question",
    [
        (RFC_MESSAGE, CheckToken("user@example.com", TOKEN)),
        (b"n,,\x01auth=Bearer t\x01\x01", CheckToken("", "t")),
    ],
)
def test_the_server_asks_whose_token_it_is(message: bytes, question: CheckToken) -> None:
    there = ServerExchange(OAuthBearer(), context(), message)
    assert wants(there) == question
    there.answer("user@example.com")
    assert there.identity == Identity("user@example.com", "user@example.com")


def test_acting_as_another_has_to_be_allowed() -> None:
    there = ServerExchange(OAuthBearer(), context(), RFC_MESSAGE)
    there.answer("admin@example.com")
    assert wants(there) == Authorize("admin@example.com", "user@example.com")
    there.answer(True)
    assert there.identity == Identity("admin@example.com", "user@example.com")


def test_a_refused_token_as_in_the_rfc() -> None:
    there = ServerExchange(OAuthBearer(), context(port=0), RFC_MESSAGE)
    there.answer(TokenRefused(scope="example_scope", configuration=CONFIGURATION))
    assert wants(there) == Challenge(RFC_REFUSAL)
    here = ClientExchange(OAuthBearer(), ME, context())
    assert here.respond(RFC_REFUSAL) == b"\x01"
    with pytest.raises(SASLRefused):
        there.answer(b"\x01")
    refused = str(here.refused())
    for said in ("invalid_token", "example_scope", CONFIGURATION):
        assert said in refused
    assert TOKEN not in refused


def test_an_empty_token_is_a_way_to_ask_for_the_scope() -> None:
    there = ServerExchange(OAuthBearer(), context(port=143), RFC_DISCOVERY)
    assert wants(there) == Challenge(b'{"status":"invalid_token"}')
    with pytest.raises(SASLRefused):
        there.answer(b"\x01")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"n,user=someuser@example.com,\x01auth=Bearer t\x01\x01",  # section 4.4 is wrong there
        b"x,,\x01auth=Bearer t\x01\x01",
        b"n,,\x01auth=Bearer t\x01",
        b"n,,auth=Bearer t\x01\x01",
        b"n,,\x01auth=Bearer t\x01\x01more",
        b"n,,\x01\x01",
        b"n,,\x01auth=Basic t\x01\x01",
        b"n,,\x01auth=Bearer\x01\x01",
        b"n,,\x01auth=Bearer a b\x01\x01",
        b"n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        b"n,a=,\x01auth=Bearer t\x01\x01",
        b"n,a=b=c,\x01auth=Bearer t\x01\x01",
        b"n,,\x01auth=Bearer \xff\x01\x01",
        b"n,,\x01a1=x\x01auth=Bearer t\x01\x01",
        b"n,,\x01auth=Bearer " + b"x" * 20000 + b"\x01\x01",
    ],
)
def test_malformed(message: bytes) -> None:
    with pytest.raises(SASLError) as found:
        ServerExchange(OAuthBearer(), context(), message)
    assert found.value.code == 501


@pytest.mark.parametrize(
    "message, token",
    [
        (b"y,,\x01auth=bEaReR  t\x01\x01", "t"),
        (b"n,,\x01qs=a b\r\n\x01auth=Bearer t\x01own=\x01\x01", "t"),
    ],
)
def test_unusual_and_right(message: bytes, token: str) -> None:
    assert wants(ServerExchange(OAuthBearer(), context(), message)) == CheckToken("", token)


@pytest.mark.parametrize(
    "written, fits",
    [
        (b"host=smtp.example\x01port=587\x01", True),
        (b"host=SMTP.example\x01", True),
        (b"port=587\x01", True),
        (b"", True),
        (b"host=other.example\x01", False),
        (b"host=smtp.example\x01port=25\x01", False),
    ],
)
def test_the_client_has_to_mean_this_server(written: bytes, fits: bool) -> None:
    message = b"n,,\x01" + written + b"auth=Bearer t\x01\x01"
    known = context(aliases=("smtp.example",), port=587)
    if fits:
        assert wants(ServerExchange(OAuthBearer(), known, message)) == CheckToken("", "t")
    else:
        with pytest.raises(SASLRefused, match="another host or port"):
            ServerExchange(OAuthBearer(), known, message)
    # A server that does not know its names and port cannot tell.
    unknown = ServerExchange(OAuthBearer(), context(port=0), message)
    assert wants(unknown) == CheckToken("", "t")


def test_there_is_no_channel_binding() -> None:
    with pytest.raises(SASLRefused, match="no channel binding"):
        ServerExchange(OAuthBearer(), context(), b"p=tls-exporter,,\x01auth=Bearer t\x01\x01")


def test_an_explanation_cannot_flood_or_forge_a_log() -> None:
    here = ClientExchange(OAuthBearer(), ME, context())
    here.respond(json.dumps({"status": "x\r\n" + "y" * 5000}).encode())
    text = str(here.refused())
    assert len(text) < 400
    assert text.isprintable()
