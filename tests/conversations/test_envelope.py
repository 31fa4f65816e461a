"""Envelopes from addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto import (
    ForwardPath,
    LocalProtocolError,
    Mail,
    Rcpt,
    ReversePath,
    Session,
    UnknownParameter,
)
from smtpproto.conversations import Envelope
from smtpproto.extensions import Envid, Notify, Orcpt, RequireTlsParameter, Ret
from smtpproto.testing.strategies import mails, offers, rcpts

BOB = ForwardPath.of("bob@mx.example")


@pytest.mark.parametrize("recipients", ["bob@mx.example", BOB, ["bob@mx.example"], (BOB,)])
def test_one_recipient_may_stand_alone(recipients: str | ForwardPath | list[str]) -> None:
    envelope = Envelope.of("eve@client.example", recipients)
    assert envelope.forward_paths == (BOB,)


def test_an_envelope_has_a_recipient() -> None:
    with pytest.raises(ValueError, match="needs a recipient"):
        Envelope.of("eve@client.example", [])


def test_lines_can_be_stored() -> None:
    envelope = Envelope(
        Mail(
            ReversePath.of("jürgen@bücher.example"),
            (Ret("HDRS"), Envid.of("a+b"), RequireTlsParameter(), UnknownParameter("X-Y", "1")),
        ),
        (
            Rcpt(BOB, (Notify(("SUCCESS", "FAILURE")), Orcpt.of("bob@old.example"))),
            Rcpt(ForwardPath.of("postmaster")),
        ),
    )
    mail, *_ = lines = envelope.lines()
    assert mail == ("MAIL FROM:<jürgen@bücher.example> RET=HDRS ENVID=a+2Bb REQUIRETLS X-Y=1")
    assert Envelope.parse(lines) == envelope


@given(data=st.data())
def test_any_envelope_can_be_stored(data: st.DataObject) -> None:
    session = Session(secure=True)
    mail = data.draw(mails(offers(), session=session))
    recipients = st.lists(rcpts(mail, offers(), session=session), min_size=1, max_size=3)
    envelope = Envelope(mail, tuple(data.draw(recipients)))
    assert Envelope.parse(envelope.lines()) == envelope


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["MAIL FROM:<>"],
        ["RCPT TO:<a@b.example>"],
        ["RCPT TO:<a@b.example>", "MAIL FROM:<>"],
        ["MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA"],
    ],
)
def test_other_lines_are_no_envelope(lines: list[str]) -> None:
    with pytest.raises(ValueError, match="MAIL, then those of one RCPT"):
        Envelope.parse(lines)


def test_a_line_that_is_no_command() -> None:
    with pytest.raises(LocalProtocolError):
        Envelope.parse(["MAIL FROM:<>", "RCPT TO:<"])
