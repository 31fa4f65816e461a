"""HELP and EXPN (RFC 5321 sections 4.1.1.7 and 4.1.1.8)."""

from __future__ import annotations

import pytest

from smtpproto import Expn, Help, Protocol, Reply, Server, Session, TLSFacts
from smtpproto.extensions import (
    Bdat,
    Chunking,
    ExpnExtension,
    Extension,
    HelpExtension,
    StartTls,
)
from smtpproto.testing import Pair
from tests.commands import mail, rcpt


def test_help() -> None:
    pair = Pair.offering(HelpExtension()).hello()
    assert HelpExtension in pair.client.offered
    assert pair.say(Help("MAIL"), answers=[Reply(214, "", "MAIL FROM:<path>")]).code == 214
    assert pair.events == [Help("MAIL")]


def test_expn() -> None:
    pair = Pair.offering(ExpnExtension()).hello()
    answer = Reply(250, "2.1.5", "<a@mx.example>\n<b@mx.example>")
    assert pair.say(Expn("list"), answers=[answer]).lines == ("<a@mx.example>", "<b@mx.example>")


STEPS = [None, mail(), rcpt(), Bdat(0)]


@pytest.mark.parametrize("line", ["NOOP", "HELP", "VRFY bob", "EXPN list", "QUIT", "RSET"])
@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
@pytest.mark.parametrize("protocol", Protocol)
def test_what_may_be_said_at_any_time(line: str, steps: int, protocol: Protocol) -> None:
    """RFC 5321 section 4.1.4: before EHLO and after it, within a transaction, between chunks."""
    pair = Pair.offering(HelpExtension(), ExpnExtension(), Chunking(), protocol=protocol)
    for step in STEPS[:steps]:
        if step is None:
            pair.hello()
        else:
            assert pair.say(step).positive
    assert pair.raw(line).startswith("2")
    if line != "QUIT":
        assert (pair.server.transaction is None) is (steps < 2 or line == "RSET")


@pytest.mark.parametrize("command", [Help(), Expn("list")])
def test_a_server_that_has_them_not(command: Help | Expn) -> None:
    """The client may ask at any time, and the answer is for the caller (section 4.1.4)."""
    for pair in (Pair.offering(), Pair.offering().hello(), Pair.offering().hello(helo=True)):
        pair.client.send(command)
        pair.server.receive_data(pair.client.data_to_send())
        assert pair.server.next_event() != command
        pair.client.receive_data(pair.server.data_to_send())
        reply = pair.client.next_event()
        assert isinstance(reply, Reply)
        assert (reply.code, reply.command) == (502, command)


def test_before_ehlo_as_behind_it() -> None:
    """RFC 5321 section 4.1.4."""
    pair = Pair.offering(HelpExtension(), ExpnExtension())
    lines = ["HELP", "EXPN list", "VRFY bob", "NOOP", "RSET"]
    before = [pair.raw(line) for line in lines]
    assert [reply[:3] for reply in before] == ["214", "252", "252", "250", "250"]
    assert [str(event) for event in pair.events] == lines
    pair.hello()
    assert [pair.raw(line) for line in lines] == before
    # Not offered behind EHLO, not offered before it.
    assert [Pair.offering().raw(line)[:4] for line in lines[:2]] == ["502 ", "502 "]


def test_before_ehlo_inside_tls() -> None:
    pair = Pair.offering(StartTls(), HelpExtension()).hello()
    assert pair.raw("STARTTLS").startswith("220 ")
    pair.server.tls_established(TLSFacts("TLSv1.3"))
    assert pair.raw("HELP").startswith("214 ")
    assert pair.raw("STARTTLS").startswith("503 ")


class Local(Extension):
    """An extension that one server offers, before EHLO too."""

    __slots__ = ()
    keyword = "XLOCAL"
    plain = True

    def offer(self, session: Session) -> Local | None:
        here = (session.hostname, session.protocol) == ("mx.example", Protocol.LMTP)
        return self if here else None


def test_what_is_offered_before_ehlo_may_depend_on_the_server() -> None:
    assert Local in Server("mx.example", [Local()], protocol=Protocol.LMTP).offered
    assert Local not in Server("mx.example", [Local()]).offered
    assert Local not in Server("other.example", [Local()], protocol=Protocol.LMTP).offered
