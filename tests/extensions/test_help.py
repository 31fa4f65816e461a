"""HELP and EXPN (RFC 5321 sections 4.1.1.7 and 4.1.1.8)."""

from __future__ import annotations

import pytest

from smtpproto import Expn, Help, LocalProtocolError, Reply
from smtpproto.extensions import Expansion, HelpTexts
from tests.pair import Pair, mail


def test_help() -> None:
    pair = Pair(HelpTexts()).hello()
    assert HelpTexts in pair.client.offered
    assert pair.say(Help("MAIL"), answer=Reply(214, "", "MAIL FROM:<path>")).code == 214
    assert pair.events == [Help("MAIL")]


def test_expn() -> None:
    pair = Pair(Expansion()).hello()
    answer = Reply(250, "2.1.5", "<a@mx.example>\n<b@mx.example>")
    assert pair.say(Expn("list"), answer=answer).lines == ("<a@mx.example>", "<b@mx.example>")


def test_they_do_not_disturb_a_transaction() -> None:
    pair = Pair(HelpTexts(), Expansion()).hello()
    pair.say(mail())
    assert pair.say(Help()).code == 214
    assert pair.say(Expn("list")).code == 252
    assert pair.server.transaction is not None


@pytest.mark.parametrize("command", [Help(), Expn("list")])
def test_a_server_that_has_them_not(command: Help | Expn) -> None:
    pair = Pair().hello()
    with pytest.raises(LocalProtocolError, match=f"{command.verb} is not offered"):
        pair.client.send(command)
    assert pair.raw(str(command)).startswith("502 ")


@pytest.mark.parametrize("line, code", [("HELP", 214), ("EXPN list", 252)])
def test_they_are_older_than_ehlo(line: str, code: int) -> None:
    pair = Pair(HelpTexts(), Expansion()).hello(helo=True)
    assert pair.raw(line).startswith(f"{code} ")
