"""Invariant 2: what is written is read again, for every command, reply, path and parameter."""

from __future__ import annotations

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from smtpproto import Command, Expn, ForwardPath, Mail, Parameter, Protocol, ReversePath, Vrfy
from smtpproto.engine.compiled_extensions import catalogue
from smtpproto.extensions import Auth, Burl, Extension, StartTls, XClient, XForward
from smtpproto.extensions.known import KNOWN
from smtpproto.limits import Limits
from smtpproto.testing import strategies as smtp
from smtpproto.vocabulary.command_parser import parse
from smtpproto.vocabulary.commands import BASE_COMMANDS, Help, Lhlo
from smtpproto.vocabulary.parameters import format_parameters, parse_parameters
from smtpproto.vocabulary.replies import Reply, ReplyReader, format_reply
from smtpproto.vocabulary.session_facts import Session
from tests.effort import effort

ALL: tuple[Extension, ...] = (
    *smtp.offers(),
    StartTls(),
    Auth(("PLAIN",)),
    Burl(),
    XClient(),
    XForward(),
)
GRAMMAR = catalogue(KNOWN, Protocol.SMTP, Limits()).utf8_grammar
LMTP = catalogue(KNOWN, Protocol.LMTP, Limits()).utf8_grammar


def is_ambiguous(command: Command) -> bool:
    """A string whose last word is the parameter of another form of the command.

    RFC 6531 section 3.7.4.2 put a keyword where any string could stand before; that of the string
    alone and that of the two parts are one line.
    """
    if not isinstance(command, (Vrfy, Expn)) or command.parameters:
        return False
    return command.string.rpartition(" ")[2].upper() == "SMTPUTF8" != command.string.upper()


@given(smtp.commands(ALL).filter(lambda command: not is_ambiguous(command)))
@settings(max_examples=effort(100, 500))
def test_commands(command: Command) -> None:
    assert parse(command.line().encode(), GRAMMAR) == command


@given(smtp.commands(smtp.offers(), protocol=Protocol.LMTP).filter(lambda c: not is_ambiguous(c)))
def test_commands_of_lmtp(command: Command) -> None:
    assert parse(command.line().encode(), LMTP) == command


KINDS: set[type[Command]] = {*BASE_COMMANDS, Help, Expn, Lhlo}
KINDS.update(command for kind in KNOWN for command in kind.commands)


@pytest.mark.parametrize("kind", sorted(KINDS, key=str))
def test_every_command_was_among_them(kind: type[Command]) -> None:
    protocol = Protocol.LMTP if kind is Lhlo else Protocol.SMTP
    find(
        smtp.commands(ALL, protocol=protocol),
        lambda command: type(command) is kind,
        settings=settings(phases=[Phase.generate], max_examples=2_000),
    )


PARAMETERS = sorted(
    {
        parameter
        for kind in KNOWN
        for parameters in kind.parameters.values()
        for parameter in parameters
    },
    key=lambda parameter: parameter.keyword,
)


@pytest.mark.parametrize("kind", PARAMETERS)
@given(data=st.data())
def test_every_parameter(data: st.DataObject, kind: type[Parameter]) -> None:
    parameter = data.draw(smtp.parameters(kind, smtputf8=True))
    text = format_parameters((parameter,)).removeprefix(" ")
    assert parse_parameters(text, {kind.keyword: kind}, utf8=True) == (parameter,)


@given(smtp.mails(smtp.offers(), session=Session()))
def test_all_parameters_together(mail: Mail) -> None:
    read = parse(str(mail).encode(), GRAMMAR)
    assert isinstance(read, Mail)
    assert read.parameters == mail.parameters


@given(smtp.reverse_paths(smtputf8=True), smtp.forward_paths(smtputf8=True))
def test_paths(reverse_path: ReversePath, forward_path: ForwardPath) -> None:
    assert ReversePath.parse(str(reverse_path), utf8=True) == reverse_path
    assert ReversePath.of(reverse_path.address) == reverse_path
    assert ForwardPath.parse(str(forward_path), utf8=True) == forward_path
    assert ForwardPath.of(forward_path.address) == forward_path


@given(smtp.replies(smtputf8=True))
def test_replies(reply: Reply) -> None:
    """With an enhanced status code as soon as one may stand there (RFC 2034 section 4)."""
    command = Mail(ReversePath(None))
    reader = ReplyReader(Limits())
    *others, last = format_reply(reply, "MAIL", enhanced=True, utf8=True)
    assert [reader.feed(line, command) for line in others] == [None] * len(others)
    read = reader.feed(last, command)
    assert read is not None
    assert (read.code, read.text) == (reply.code, reply.text)
    assert read.enhanced == reply.enhanced or not reply.enhanced
