"""Envelopes from addresses."""

from __future__ import annotations

import pytest

from smtpproto import ForwardPath
from smtpproto.conversations import Envelope

BOB = ForwardPath.of("bob@mx.example")


@pytest.mark.parametrize("recipients", ["bob@mx.example", BOB, ["bob@mx.example"], (BOB,)])
def test_one_recipient_may_stand_alone(recipients: str | ForwardPath | list[str]) -> None:
    envelope = Envelope.of("eve@client.example", recipients)
    assert envelope.forward_paths == (BOB,)


def test_an_envelope_has_a_recipient() -> None:
    with pytest.raises(ValueError, match="needs a recipient"):
        Envelope.of("eve@client.example", [])
