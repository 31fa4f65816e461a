"""Lockstep: client and server agree, whatever they say; and a disagreement is found."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from smtpproto import Client, ContentChunk, Mail, Protocol, Reply, ReversePath, Server
from smtpproto.extensions import Auth
from smtpproto.testing import Mismatch, Pair
from smtpproto.testing import strategies as smtp
from smtpproto.testing.stateful import Lockstep
from tests.effort import effort


class Lmtp(Lockstep):
    protocol = Protocol.LMTP


class Bare(Lockstep):
    extensions = ()


class WithAuth(Lockstep):
    extensions = (*smtp.offers(), Auth(("PLAIN",), allow_plaintext=("PLAIN",)))


for machine in (Lockstep, Lmtp, Bare, WithAuth):
    machine.TestCase.settings = settings(
        max_examples=effort(5, 40), stateful_step_count=30, deadline=None
    )

TestLockstep = Lockstep.TestCase
TestLmtp = Lmtp.TestCase
TestBare = Bare.TestCase
TestWithAuth = WithAuth.TestCase


# --- It finds what is wrong ---------------------------------------------------------------------


class Lossy(Server):
    """Loses the first octet of each chunk of content."""

    def next_event(self) -> Any:
        event = super().next_event()
        return ContentChunk(event.octets[1:]) if isinstance(event, ContentChunk) else event


class Forgetful(Server):
    """Takes every sender for nobody."""

    def next_event(self) -> Any:
        event = super().next_event()
        return Mail(ReversePath(None)) if isinstance(event, Mail) else event


class Silent(Server):
    """Says nothing to RCPT."""

    def send(self, message: Reply) -> None:
        super().send(message)
        if self.transaction is not None and self.transaction.recipients:
            self.data_to_send()


@pytest.mark.parametrize(
    "client, server, error",
    [
        (Client, Lossy, Mismatch),
        (Client, Forgetful, Mismatch),
        (Client, Silent, AssertionError),
    ],
)
def test_what_is_wrong_is_found(
    client: type[Client], server: type[Server], error: type[Exception]
) -> None:
    class Broken(Lockstep):
        def connections(self) -> Pair:
            made = server("mx.example", tuple(self.extensions))
            return Pair(client(), made, segments=self.segments)

    size = settings(
        max_examples=300, phases=[Phase.generate], deadline=None, report_multiple_bugs=False
    )
    with pytest.raises(error):
        run_state_machine_as_test(Broken, settings=size)
