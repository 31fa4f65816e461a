"""MTRK (RFC 3885)."""

from __future__ import annotations

import base64
import hashlib

import pytest

from smtpproto import LocalProtocolError
from smtpproto.extensions import Dsn, Envid, Mtrk, MtrkParameter
from smtpproto.testing import Pair
from tests.commands import mail

CERTIFIER = base64.b64encode(hashlib.sha1(b"a large random number").digest()).decode().rstrip("=")
ENVID = Envid.of("1234@client.example")


def test_a_message_that_can_be_asked_for() -> None:
    pair = Pair.offering(Dsn(), Mtrk()).hello()
    assert len(CERTIFIER) == 27
    assert pair.say(mail(MtrkParameter(CERTIFIER, 86_400), ENVID)).code == 250


@pytest.mark.parametrize(
    "text",
    ["MTRK", "MTRK=", "MTRK=abc:", "MTRK=abc:1234567890", "MTRK=abc:x", "MTRK=a-b", "MTRK=abcde"],
)
def test_malformed_values(text: str) -> None:
    pair = Pair.offering(Dsn(), Mtrk()).hello()
    reply = pair.raw(f"MAIL FROM:<a@client.example> {text} ENVID=1@client.example")
    assert reply.startswith(("501 MTRK: expected base64", "501 MTRK: expected printable"))


def test_timeouts_that_cannot_be_written() -> None:
    for timeout in (10**9, -1, 10**5000):
        with pytest.raises(LocalProtocolError, match="up to nine digits"):
            MtrkParameter(CERTIFIER, timeout)


@pytest.mark.parametrize("envid", ["", " ENVID=1234"])
def test_a_message_without_a_name_of_its_own(envid: str) -> None:
    pair = Pair.offering(Dsn(), Mtrk()).hello()
    reply = pair.raw(f"MAIL FROM:<a@client.example>{envid} MTRK={CERTIFIER}")
    assert reply.startswith("501 MTRK needs ENVID=local@hostname")
    with pytest.raises(LocalProtocolError, match="MTRK needs ENVID"):
        pair.client.send(mail(MtrkParameter(CERTIFIER)))


@pytest.mark.parametrize("command", [mail(), mail(ENVID)])
def test_other_messages(command: object) -> None:
    assert Pair.offering(Dsn(), Mtrk()).hello().say(command).code == 250  # type: ignore[arg-type]
