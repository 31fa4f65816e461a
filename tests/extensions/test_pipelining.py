"""PIPELINING (RFC 2920)."""

from __future__ import annotations

from smtpproto import Data, Noop, Reply, State
from smtpproto.extensions import Pipelining
from smtpproto.testing import Pair
from tests.commands import mail, rcpt

ENVELOPE = (mail(), rcpt(), rcpt(), Data())


def test_an_envelope_in_one_round_trip() -> None:
    pair = Pair.offering(Pipelining()).hello()
    pair.send(*ENVELOPE)
    group = pair.client.data_to_send()
    assert group.count(b"\r\n") == len(ENVELOPE)
    pair.server.receive_data(group)
    assert [reply.code for reply in pair.run()] == [250, 250, 250, 354]


def test_without_it_one_command_at_a_time() -> None:
    pair = Pair.offering().hello()
    pair.send(*ENVELOPE)
    first = pair.client.data_to_send()
    assert first.startswith(b"MAIL FROM:")
    assert first.count(b"\r\n") == 1
    pair.server.receive_data(first)
    assert [reply.code for reply in pair.run()] == [250, 250, 250, 354]


def test_what_has_to_be_last_in_its_group() -> None:
    """RFC 2920 section 3.1."""
    pair = Pair.offering(Pipelining()).hello()
    commands = (mail(), rcpt(), Noop(), rcpt())
    for command in commands:
        pair.client.send(command)
    assert pair.client.data_to_send().endswith(b"NOOP\r\n")


def test_each_reply_belongs_to_its_command() -> None:
    pair = Pair.offering(Pipelining()).hello()
    replies = pair.talk(*ENVELOPE, answers=[None, Reply(550), Reply(550), Reply(554)])
    assert [(reply.command, reply.code) for reply in replies] == list(
        zip(ENVELOPE, (250, 550, 550, 503), strict=True)
    )
    assert pair.client.state is pair.server.state is State.MAIL
