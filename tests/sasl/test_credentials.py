"""Credentials, context, identity."""

from __future__ import annotations

from typing import Any

import pytest

from smtpproto.errors import LocalProtocolError
from smtpproto.sasl import Context, Credentials, SASLError
from smtpproto.vocabulary.session_facts import NameKind, PeerName, Session, TLSFacts
from tests.sasl.driver import BINDINGS, context, nonces


@pytest.mark.parametrize(
    "fields, why",
    [
        ({"username": "a\0b"}, "username: expected no NUL"),
        ({"password": "a\0b"}, "password: expected no NUL"),
        ({"authorization": "\0"}, "authorization: expected no NUL"),
        ({"anonymous": "x" * 1025}, "anonymous: expected at most 1024 octets, found 1025"),
        ({"password": "é" * 513}, "password: expected at most 1024 octets, found 1026"),
        ({"username": "\ud800"}, "username: expected Unicode text"),
        ({"token": "a b"}, "token: expected at most 8192 visible"),
        ({"token": "a\x01b"}, "token"),
        ({"token": "x" * 8193}, "token"),
    ],
)
def test_credentials_that_nothing_can_carry(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        Credentials(**fields)


def test_credentials_as_long_as_they_may_be() -> None:
    longest = Credentials(username="é" * 512, password="x" * 1024, token="~" * 8192)
    assert "xx" not in repr(longest)
    assert "~" not in repr(longest)
    assert longest == Credentials(username="é" * 512, password="x" * 1024, token="~" * 8192)


@pytest.mark.parametrize("host", ["a b", "a<b", "a>b", "a@b", "a\r\n", "é.example", "\x01"])
def test_a_host_cannot_break_a_message(host: str) -> None:
    with pytest.raises(SASLError, match="host"):
        context(host=host)


@pytest.mark.parametrize(
    "bindings, kind",
    [
        ({}, None),
        ({"tls-exporter": b""}, None),
        ({"x-own": b"x"}, None),
        ({"tls-server-end-point": b"x", "tls-unique": b"x"}, "tls-unique"),
        ({"tls-unique": b"", "tls-server-end-point": b"x"}, "tls-server-end-point"),
        ({"tls-unique": b"x", "tls-exporter": b"x"}, "tls-exporter"),
    ],
)
def test_the_binding_that_a_client_uses(bindings: dict[str, bytes], kind: str | None) -> None:
    assert context(channel_bindings=bindings).binding == kind


def test_a_context_comes_from_a_session() -> None:
    tls = TLSFacts(
        "TLSv1.3",
        server_name="smtp.example",
        peer_names=(PeerName(NameKind.DNS, "tim.example"), PeerName(NameKind.EMAIL, "tim@example")),
        channel_bindings=BINDINGS,
    )
    session = Session(hostname="mx.example", secure=True, tls=tls)
    server = Context.of(session, nonces(), offered=("PLAIN",), external=NameKind.EMAIL)
    assert (server.host, server.port, server.secure) == ("mx.example", 0, True)
    assert (server.external, server.aliases) == (("tim@example",), ("smtp.example",))
    assert Context.of(session, nonces()).external == ()
    assert (server.offered, server.channel_bindings) == (("PLAIN",), BINDINGS)
    client = Context.of(session, nonces(), host="smtp.example", port=587)
    assert (client.host, client.port) == ("smtp.example", 587)


def test_a_context_without_tls() -> None:
    plain = Context.of(Session(hostname="mx.example"), nonces())
    assert (plain.secure, plain.external, plain.aliases) == (False, (), ())
    assert plain.channel_bindings == {}
    nameless = Context.of(Session(tls=TLSFacts("TLSv1.2"), secure=True), nonces())
    assert nameless.aliases == ()
