"""Commands as values: what is written, what is read, and what is refused with which code."""

from __future__ import annotations

import pytest

from smtpproto.errors import LocalProtocolError
from smtpproto.extensions import Body, SizeParameter, SmtpUtf8Parameter
from smtpproto.limits import Limits
from smtpproto.vocabulary.addresses import AddressLiteral, Domain, Mailbox
from smtpproto.vocabulary.command_base import (
    Command,
    CountedCommand,
    DialogueCommand,
    Framing,
    Grammar,
)
from smtpproto.vocabulary.command_parser import parse
from smtpproto.vocabulary.commands import (
    BASE_COMMANDS,
    Data,
    Ehlo,
    Expn,
    Helo,
    Help,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Vrfy,
)
from smtpproto.vocabulary.parameters import Parameter, UnknownParameter
from smtpproto.vocabulary.paths import ForwardPath, ReversePath

COMMANDS: tuple[type[Command], ...] = (*BASE_COMMANDS, Help, Expn, Lhlo)
VERBS = {command.verb: command for command in COMMANDS}
PARAMETERS: dict[type[Command], dict[str, type[Parameter]]] = {
    Mail: {"SIZE": SizeParameter, "BODY": Body},
    Vrfy: {"SMTPUTF8": SmtpUtf8Parameter},
}
GRAMMAR = Grammar(VERBS, frozenset({"ETRN"}), PARAMETERS)
UTF8 = Grammar(VERBS, frozenset({"ETRN"}), PARAMETERS, utf8=True)
CLIENT = Domain("client.example")
EVE = ReversePath.of("eve@client.example")
BOB = ForwardPath.of("bob@mx.example")


@pytest.mark.parametrize(
    "line, command",
    [
        ("EHLO client.example", Ehlo(CLIENT)),
        ("EHLO [192.0.2.1]", Ehlo(AddressLiteral("192.0.2.1"))),
        ("EHLO [IPv6:2001:db8::1]", Ehlo(AddressLiteral("IPv6:2001:db8::1"))),
        ("HELO client.example", Helo(CLIENT)),
        ("LHLO client.example", Lhlo(CLIENT)),
        ("MAIL FROM:<>", Mail(ReversePath(None))),
        ("MAIL FROM:<eve@client.example>", Mail(EVE)),
        ("MAIL FROM:<eve@client.example> SIZE=5", Mail(EVE, (SizeParameter(5),))),
        (
            "MAIL FROM:<eve@client.example> BODY=8BITMIME X-A=1 X-B",
            Mail(EVE, (Body("8BITMIME"), UnknownParameter("X-A", "1"), UnknownParameter("X-B"))),
        ),
        ("RCPT TO:<bob@mx.example>", Rcpt(BOB)),
        ("RCPT TO:<postmaster>", Rcpt(ForwardPath(None))),
        ("RCPT TO:<bob@mx.example> SIZE=5", Rcpt(BOB, (UnknownParameter("SIZE", "5"),))),
        ('RCPT TO:<"b > b"@mx.example>', Rcpt(ForwardPath.of('"b > b"@mx.example'))),
        ("DATA", Data()),
        ("RSET", Rset()),
        ("QUIT", Quit()),
        ("NOOP", Noop()),
        ("NOOP what ever", Noop("what ever")),
        ("HELP", Help()),
        ("HELP MAIL", Help("MAIL")),
        ("VRFY bob", Vrfy("bob")),
        ("VRFY Bob <bob@mx.example>", Vrfy("Bob <bob@mx.example>")),
        ("VRFY bob SMTPUTF8", Vrfy("bob", (SmtpUtf8Parameter(),))),
        ("EXPN staff", Expn("staff")),
        ("EXPN staff SMTPUTF8", Expn("staff SMTPUTF8")),
    ],
)
def test_both_ways(line: str, command: Command) -> None:
    assert command.line() == line
    assert parse(line.encode(), GRAMMAR) == command
    assert str(command) == line
    assert command.row == command.verb
    assert not hasattr(command, "__dict__")


@pytest.mark.parametrize(
    "line, command",
    [
        # RFC 5321 sections 2.4 and 4.1.1: letter case, white space before the CRLF
        ("ehlo client.example", Ehlo(CLIENT)),
        ("DaTa", Data()),
        ("mail from:<eve@client.example> size=5", Mail(EVE, (SizeParameter(5),))),
        ("rcpt To:<bob@mx.example>", Rcpt(BOB)),
        ("RCPT TO:<POSTMASTER>", Rcpt(ForwardPath(None))),
        ("NOOP  \t ", Noop()),
        ("vrfy bob smtputf8", Vrfy("bob", (SmtpUtf8Parameter(),))),
        # appendix C: source routes are read and dropped
        ("RCPT TO:<@a.example,@b.example:bob@mx.example>", Rcpt(BOB)),
    ],
)
def test_read_only(line: str, command: Command) -> None:
    assert parse(line.encode(), GRAMMAR) == command


@pytest.mark.parametrize(
    "line, code, reason",
    [
        # RFC 5321 section 4.2.4
        ("", 500, "the line is not a command"),
        (" ", 500, "the line is not a command"),
        (" NOOP", 500, "the line is not a command"),
        ("\tNOOP", 500, "the line is not a command"),
        ("NOOP\tx", 500, "the line is not a command"),
        ("FOO", 500, "'FOO' is not a command"),
        ("foo bar", 500, "'foo' is not a command"),
        ("ETRN x", 502, "ETRN is not implemented here"),
        ("etrn x", 502, "ETRN is not implemented here"),
        ("c2VjcmV0", 500, "the line is not a command"),
        ("SECRETSECRET", 500, "the line is not a command"),
        ("DATA x", 501, "DATA takes no argument, found 'x'"),
        ("EHLO", 501, "EHLO: expected a domain or an address literal"),
        ("EHLO a b", 501, "domain: expected"),
        ("EHLO [300.1.1.1]", 501, "address literal: expected"),
        ("MAIL", 501, "MAIL: expected 'FROM:<', found ''"),
        ("MAIL TO:<a@b.example>", 501, "MAIL: expected 'FROM:<'"),
        ("MAIL FROM:a@b.example", 501, "reverse-path: expected '<'"),
        ("MAIL FROM:<a@b.example", 501, "reverse-path: expected '>'"),
        ("MAIL FROM:<a@b.example>x", 501, "expected a space or the end of the line"),
        ("MAIL FROM:<a@b.example>  SIZE=1", 501, "expected the keyword of a parameter, found ''"),
        ("MAIL FROM:<a@b.example> SIZE=x", 501, "SIZE: expected 1 to 20 digits"),
        ("MAIL FROM:<a@b.example> SIZE=1 SIZE=1", 501, "SIZE stands there twice"),
        ("MAIL FROM:<a@b.example> A==", 501, "without '='"),
        ("RCPT TO:<>", 501, "forward-path: expected a local-part"),
        ("VRFY", 501, "VRFY: expected a string"),
        ("VRFY  bob", 501, "VRFY: expected printable text without spaces around it"),
        ("NOOP \x7f", 501, "NOOP: expected printable text"),
        ("NOOP a\nb", 501, "NOOP: expected printable text"),
    ],
)
def test_refused(line: str, code: int, reason: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse(line.encode(), GRAMMAR)
    assert reason in str(caught.value)
    assert caught.value.code == code
    assert str(caught.value).isprintable()
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "line, grammar, code, enhanced",
    [
        (b"NOOP \xc3\xa9", GRAMMAR, 500, "5.5.2"),
        # RFC 6531 section 3.5: not the command is wrong, but the address
        (b"MAIL FROM:<\xc3\xa9@c.example>", GRAMMAR, 550, "5.6.7"),
        (b"mail FROM:<\xc3\xa9@c.example>", GRAMMAR, 550, "5.6.7"),
        (b"RCPT TO:<\xff@c.example>", GRAMMAR, 553, "5.6.7"),
        (b"rcpt TO:<\xff@c.example>", GRAMMAR, 553, "5.6.7"),
        (b"MAIL FROM:<\xff@c.example>", UTF8, 500, "5.5.2"),
        (b"NOOP \xc3\xa9", UTF8, 501, "5.5.4"),
        (b"EHLO \xc3\xa9.example", UTF8, 501, "5.5.4"),
        # What becomes a verb only in upper case is none.
        ("ma\N{LATIN SMALL LETTER DOTLESS I}l FROM:<>".encode(), UTF8, 500, "5.5.2"),
    ],
)
def test_what_is_not_ascii(line: bytes, grammar: Grammar, code: int, enhanced: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        parse(line, grammar)
    assert (caught.value.code, caught.value.enhanced) == (code, enhanced)


def test_utf8_where_it_is_in_use() -> None:
    mailbox = Mailbox("d\xf6rte", Domain("s\xf6rensen.example"))
    line = f"MAIL FROM:<{mailbox}>".encode()
    assert parse(line, UTF8) == Mail(ReversePath(mailbox))
    assert parse("VRFY d\xf6rte".encode(), UTF8) == Vrfy("d\xf6rte")
    not_a_keyword = "VRFY bob \N{LATIN SMALL LETTER LONG S}mtputf8"
    assert parse(not_a_keyword.encode(), UTF8) == Vrfy(not_a_keyword.removeprefix("VRFY "))


@pytest.mark.parametrize("kind", [Ehlo, Helo, Lhlo])
def test_names_are_ascii(kind: type[Ehlo]) -> None:
    """RFC 6531 section 3.7.1."""
    with pytest.raises(LocalProtocolError, match="expected a domain in ASCII"):
        kind(Domain("s\xf6rensen.example"))


@pytest.mark.parametrize("string", ["", " a", "a ", "a\r\nQUIT", "\0", "\n"])
@pytest.mark.parametrize("kind", [Vrfy, Expn])
def test_a_string_that_cannot_be_written(kind: type[Vrfy], string: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected"):
        kind(string)


def test_a_string_of_noop_is_ascii() -> None:
    with pytest.raises(LocalProtocolError, match="NOOP: expected ASCII"):
        Noop("\xe9")


def test_limits_are_those_of_the_grammar() -> None:
    narrow = Grammar(VERBS)
    wide = Grammar(VERBS, limits=Limits(local_part=100))
    line = f"RCPT TO:<{'x' * 80}@mx.example>".encode()
    with pytest.raises(LocalProtocolError, match="local-part"):
        parse(line, narrow)
    assert isinstance(parse(line, wide), Rcpt)


def test_parameters_by_class() -> None:
    mail = Mail(EVE, (SizeParameter(5), Body("7BIT")))
    assert mail.get(Body) == Body("7BIT")
    assert mail.get(SmtpUtf8Parameter) is None
    assert Vrfy("bob", (SmtpUtf8Parameter(),)).get(SmtpUtf8Parameter) is not None
    assert Vrfy("bob").get(SmtpUtf8Parameter) is None


@pytest.mark.parametrize(
    "command, ends_group",
    # RFC 2920 section 3.1
    [(Mail, False), (Rcpt, False), (Rset, False)]
    + [(kind, True) for kind in (Ehlo, Helo, Data, Vrfy, Expn, Noop, Quit, Help)],
)
def test_what_ends_a_pipelined_group(command: type[Command], *, ends_group: bool) -> None:
    assert command.ends_group is ends_group


def test_content_belongs_to_data() -> None:
    assert Data.framing is Framing.DOTS
    assert CountedCommand.framing is Framing.COUNTED
    assert Noop.framing is None
    assert Data.timeout == 120


def test_a_dialogue_has_to_be_spelled_out() -> None:
    class Ask(DialogueCommand):
        verb = "XASK"

    with pytest.raises(NotImplementedError):
        Ask().parse_response(b"")
    with pytest.raises(NotImplementedError):
        Ask().format_response(b"")
    assert str(Ask()) == "XASK"


@pytest.mark.parametrize(
    "command, arguments, complaint",
    [
        (Mail, ("a@b.example",), "MAIL: expected a ReversePath, found 'a@b.example'; `Reverse"),
        (Mail, ("<a@b> SIZE=3",), "MAIL: expected a ReversePath"),
        (Mail, (BOB,), "MAIL: expected a ReversePath"),
        (Rcpt, (ReversePath.of(""),), "RCPT: expected a ForwardPath"),
        (Rcpt, ("bob@example.com",), "`ForwardPath.of` takes text"),
        (Mail, (EVE, [SizeParameter(5)]), "MAIL: expected a tuple of Parameters, found \\["),
        (Mail, (EVE, ("SIZE=3",)), "MAIL: expected a tuple of Parameters"),
        (Rcpt, (BOB, SizeParameter(5)), "RCPT: expected a tuple of Parameters"),
    ],
)
def test_what_is_no_path_cannot_be_written(
    command: type[Command], arguments: tuple[object, ...], complaint: str
) -> None:
    """Text in its place could smuggle a command."""
    with pytest.raises(TypeError, match=complaint):
        command(*arguments)
