"""What a lenient server reads, what it says about it, and what it refuses all the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto import (
    AddressLiteral,
    Client,
    Command,
    Data,
    Domain,
    Ehlo,
    ForwardPath,
    Helo,
    LocalProtocolError,
    Mail,
    Need,
    Quit,
    Rcpt,
    Rejected,
    ReversePath,
    Server,
)
from smtpproto.engine.compiled_extensions import Catalogue
from smtpproto.extensions import (
    Body,
    Chunking,
    EightBitMime,
    Extension,
    Size,
    SizeParameter,
    SmtpUtf8,
)
from smtpproto.limits import Limits
from smtpproto.vocabulary.command_base import Syntax
from smtpproto.vocabulary.commands import Hello, Lhlo
from smtpproto.vocabulary.events import Deviation, ServerEvent
from smtpproto.vocabulary.lenient_commands import NoDomain, read
from smtpproto.vocabulary.session_facts import Protocol

KINDS: tuple[type[Extension], ...] = (Size, EightBitMime, SmtpUtf8)
STRICT = Catalogue(KINDS, Protocol.SMTP, Limits()).grammar
CATALOGUE = Catalogue(KINDS, Protocol.SMTP, Limits(), Syntax.LENIENT)
LENIENT = CATALOGUE.grammar
A = ReversePath.of("a@b.example")
SIZE = SizeParameter(5)

MENDED: list[tuple[str, Command, str]] = [
    ("MAIL FROM: <a@b.example>", Mail(A), "spaces around ':'"),
    ("MAIL FROM:  <a@b.example>", Mail(A), "spaces around ':'"),
    ("MAIL FROM :<a@b.example>", Mail(A), "spaces around ':'"),
    ("MAIL  FROM:<a@b.example>", Mail(A), "spaces around ':'"),
    ("mail from:\t<a@b.example>", Mail(A), "spaces around ':'"),
    ("MAIL FROM: <>", Mail(ReversePath(None)), "spaces around ':'"),
    ("RCPT TO: <a@b.example>", Rcpt(ForwardPath.of("a@b.example")), "spaces around ':'"),
    ("RCPT TO: <postmaster>", Rcpt(ForwardPath(None)), "spaces around ':'"),
    ("MAIL FROM:a@b.example", Mail(A), "no angle brackets"),
    ("MAIL FROM:a@b.example SIZE=5", Mail(A, (SIZE,)), "no angle brackets"),
    ('MAIL FROM:"a b"@c', Mail(ReversePath.of('"a b"@c')), "no angle brackets"),
    ('MAIL FROM:"a\\" <b"@c', Mail(ReversePath.of('"a\\" <b"@c')), "no angle brackets"),
    ("RCPT TO:postmaster", Rcpt(ForwardPath(None)), "no angle brackets"),
    ("RCPT TO:a@[192.0.2.1]", Rcpt(ForwardPath.of("a@[192.0.2.1]")), "no angle brackets"),
    ("MAIL FROM:<a@b.example.>", Mail(A), "a dot behind the domain"),
    ("MAIL FROM:<a@b.example.> SIZE=5", Mail(A, (SIZE,)), "a dot behind the domain"),
    ("MAIL FROM:<a@b.example>  SIZE=5", Mail(A, (SIZE,)), "several spaces, or tabs"),
    ("MAIL FROM:<a@b.example>\tSIZE=5", Mail(A, (SIZE,)), "several spaces, or tabs"),
    (
        "MAIL FROM:<a@b.example> SIZE=5   BODY=7BIT",
        Mail(A, (SIZE, Body("7BIT"))),
        "several spaces, or tabs",
    ),
    ('MAIL FROM: <"a  >"@c>', Mail(ReversePath.of('"a  >"@c')), "spaces around ':'"),
    (
        "MAIL  FROM : a@b.example.   SIZE=5  ",
        Mail(A, (SIZE,)),
        "spaces around ':', no angle brackets, a dot behind the domain, several spaces, or tabs",
    ),
]


@pytest.mark.parametrize("line, command, fault", MENDED)
def test_mended(line: str, command: Command, fault: str) -> None:
    assert read(line.encode(), LENIENT) == (command, f"{command.verb}: {fault}")
    with pytest.raises(LocalProtocolError):
        read(line.encode(), STRICT)


@pytest.mark.parametrize("grammar", [STRICT, LENIENT])
@pytest.mark.parametrize(
    "line, command",
    [
        ("MAIL FROM:<a@b.example>", Mail(A)),
        ("mail from:<a@b.example> size=5", Mail(A, (SIZE,))),
        # RFC 5321 section 4.1.1 asks every server for this.
        ("MAIL FROM:<a@b.example>  ", Mail(A)),
        ("QUIT \t", Quit()),
        ("HELO my-host", Helo(Domain("my-host"))),
    ],
)
def test_what_is_right_needs_no_mending(line: str, command: Command, grammar: object) -> None:
    assert read(line.encode(), STRICT if grammar is STRICT else LENIENT) == (command, "")


@pytest.mark.parametrize(
    "line, code, complaint",
    [
        ("MAIL FROM:", 501, "reverse-path"),
        ("MAIL FROM: ", 501, "reverse-path"),
        ("MAIL a@b.example", 501, "FROM:"),
        ("MAIL TO: <a@b.example>", 501, "FROM:"),
        ("MAIL", 501, "FROM:"),
        ("MAIL FROM:<a@b.example", 501, "reverse-path"),
        ("MAIL FROM:a@b.example>", 501, "reverse-path"),
        ("MAIL FROM:a@b.example> x<y>", 501, "reverse-path"),
        ("MAIL FROM:<a@b..>", 501, "reverse-path"),
        ("MAIL FROM:<a.>", 501, "reverse-path"),
        ("MAIL FROM:<a@b.example>SIZE=5", 501, "a space or the end"),
        ('MAIL FROM:"a@b.example', 501, "reverse-path"),
        # What is said is about what is left.
        ("MAIL FROM: <a@b.example> SIZE=x", 501, "SIZE"),
        ("RCPT TO: <a@b@c>", 501, "forward-path"),
        ("DATA now", 501, "no argument"),
        ("NOOP \x07", 501, "printable"),
        ("XYZZY", 500, "not a command"),
        ("\u0131", 500, "expected ASCII"),
        ("MAIL FROM: <\u00e9@b.example>", 550, "expected ASCII"),
    ],
)
def test_beyond_repair(line: str, code: int, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint) as caught:
        read(line.encode(), LENIENT)
    assert caught.value.code == code


def test_utf_8() -> None:
    grammar = CATALOGUE.utf8_grammar
    command, fault = read("MAIL FROM:josé@b.example SMTPUTF8".encode(), grammar)
    assert isinstance(command, Mail)
    assert command.reverse_path == ReversePath.of("josé@b.example")
    assert fault == "MAIL: no angle brackets"
    for line in (b"MAIL FROM: <\xff@b>", "\u0131".encode()):
        with pytest.raises(LocalProtocolError):
            read(line, grammar)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, name, fault",
    [
        ("HELO my_host", NoDomain("my_host"), "'my_host' is no domain"),
        ("HELO", NoDomain(""), "'' is no domain"),
        ("HELO  ", NoDomain(""), "'' is no domain"),
        ("HELO [::1]", NoDomain("[::1]"), "'[::1]' is no domain"),
        ("HELO -", NoDomain("-"), "'-' is no domain"),
        ("HELO .", NoDomain("."), "'.' is no domain"),
        ("HELO host.example.", Domain("host.example"), "a dot behind the name"),
        ("HELO host.example and more", Domain("host.example"), "more than a name"),
        ("HELO  host.example", Domain("host.example"), "more than a name"),
        ("HELO [192.0.2.1] x", AddressLiteral("192.0.2.1"), "more than a name"),
    ],
)
@pytest.mark.parametrize("kind", [Helo, Ehlo, Lhlo])
def test_names(line: str, name: Domain | AddressLiteral, fault: str, kind: type[Hello]) -> None:
    protocol = Protocol.LMTP if kind is Lhlo else Protocol.SMTP
    grammar = Catalogue((), protocol, Limits(), Syntax.LENIENT).grammar
    line = line.replace("HELO", kind.verb)
    command, said = read(line.encode(), grammar)
    assert type(command) is kind
    assert isinstance(command, Hello)
    assert type(command.name) is type(name)
    assert str(command.name) == str(name)
    assert said == f"{kind.verb}: {fault}"


@pytest.mark.parametrize("name", ["é.example", "a\x7fb", "a" * 64 + "." + "b" * 191, "\x1b[2J"])
def test_names_that_are_no_text(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        read(f"HELO {name}_".encode(), LENIENT)
    with pytest.raises(LocalProtocolError):
        read(f"HELO {name}_".encode(), CATALOGUE.utf8_grammar)


def test_no_domain_is_printable() -> None:
    with pytest.raises(LocalProtocolError, match="expected printable ASCII"):
        NoDomain("a b")


def test_no_client_says_so() -> None:
    client = Client()
    client.receive_data(b"220 mx.example\r\n")
    client.next_event()
    for kind in (Ehlo, Helo):
        with pytest.raises(LocalProtocolError, match="expected a domain, found 'my_host'"):
            client.send(kind(NoDomain("my_host")))
    assert client.data_to_send() == b""


# --- the server -------------------------------------------------------------------------------


def server(*extensions: Extension, syntax: Syntax = Syntax.LENIENT) -> Server:
    server = Server("mx.example", extensions, syntax=syntax)
    server.accept()
    server.data_to_send()
    return server


def events(server: Server, *lines: str) -> list[ServerEvent]:
    server.receive_data("".join([f"{line}\r\n" for line in lines]).encode())
    found = []
    while (event := server.next_event()) is not Need.DATA:
        if event is Need.REPLY:
            server.accept()
        elif not isinstance(event, Need):
            found.append(event)
    return found


def test_the_deviation_comes_before_the_command() -> None:
    helo, mail, rcpt = Helo(NoDomain("my_host")), Mail(A), Rcpt(ForwardPath.of("b@mx.example"))
    found = events(
        server(), "HELO my_host", "MAIL FROM: <a@b.example>", "RCPT TO:b@mx.example", "DATA"
    )
    assert found == [
        Deviation("HELO: 'my_host' is no domain", helo),
        helo,
        Deviation("MAIL: spaces around ':'", mail),
        mail,
        Deviation("RCPT: no angle brackets", rcpt),
        rcpt,
        Data(),
    ]


def test_it_needs_no_answer() -> None:
    one = server()
    one.receive_data(b"HELO my_host\r\n")
    assert isinstance(one.next_event(), Deviation)
    with pytest.raises(LocalProtocolError, match="nothing waits for a reply"):
        one.accept()
    assert one.next_event() == Helo(NoDomain("my_host"))
    one.accept()
    assert one.session.name == NoDomain("my_host")
    assert one.data_to_send() == b"250 mx.example\r\n"


def test_what_is_understood_may_be_refused() -> None:
    found = events(server(Size(4)), "EHLO c.example", "RCPT TO: <b@mx.example>")
    assert [type(event) for event in found] == [Ehlo, Deviation, Rejected]
    found = events(server(Size(4)), "EHLO c.example", "MAIL FROM: <a@b.example> SIZE=5")
    assert isinstance(found[-1], Rejected)
    assert found[-1].reply.code == 552


def test_a_session_that_ends_in_between() -> None:
    one = server()
    one.receive_data(b"HELO my_host\r\n")
    assert isinstance(one.next_event(), Deviation)
    one.reject(421, "4.3.2", "going down")
    assert one.next_event() is not Need.REPLY
    assert one.next_event() is Need.DATA


def test_a_server_is_strict_unless_it_is_told() -> None:
    strict = Server("mx.example")
    strict.accept()
    found = events(strict, "HELO my_host", "HELO c.example", "MAIL FROM: <a@b.example>")
    assert [type(event) for event in found] == [Rejected, Helo, Rejected]
    assert events(server(syntax=Syntax.STRICT), "HELO") != []


def test_a_bare_line_feed_is_never_mended() -> None:
    found = events(server(), "HELO a\nMAIL FROM: <a@b.example>")
    assert [type(event) for event in found] == [Rejected]


def test_the_size_of_a_chunk_is_never_mended() -> None:
    found = events(server(Chunking()), "EHLO c.example", "BDAT  5 LAST", "NOOP")
    assert isinstance(found[1], Rejected)
    assert len(found) == 3


# --- properties -------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "MAIL",
        "RCPT",
        "HELO",
        "EHLO",
        " ",
        "\t",
        "FROM",
        "TO",
        ":",
        "<",
        ">",
        "a",
        "@",
        ".",
        '"',
        "_",
        "=5",
    ]
)
LINES = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30)


@given(LINES, st.booleans())
@example("MAIL FROM:<a@b.>  ", False)
def test_what_is_understood_is_right_once_it_is_written(line: str, utf8: bool) -> None:
    grammar = CATALOGUE.utf8_grammar if utf8 else LENIENT
    try:
        command, fault = read(line.encode("utf-8", "replace"), grammar)
    except LocalProtocolError:
        return
    if isinstance(command, Hello) and isinstance(command.name, NoDomain):
        assert fault
        return
    assert read(command.line().encode(), grammar) == (command, "")


@given(LINES)
def test_a_line_that_is_right_means_the_same_to_both(line: str) -> None:
    """Leniency gives a meaning to lines that had none, and changes no meaning."""
    try:
        strict = read(line.encode("utf-8", "replace"), STRICT)
    except LocalProtocolError:
        return
    assert read(line.encode("utf-8", "replace"), LENIENT) == strict


@pytest.mark.parametrize(
    "line",
    [
        "MAIL FROM:" + '"' * 2000,
        "MAIL FROM:" + "a" * 2000 + "<",
        "MAIL FROM:<" + '"\\"' * 700,
        "MAIL FROM:" + '"a"' * 700 + ">",
        "MAIL" + " " * 2000 + "x",
        "MAIL FROM:<a@b>" + " \t" * 1000 + "=",
        "HELO " + "." * 2000,
    ],
)
def test_hostile_lines_take_no_time(line: str) -> None:
    with pytest.raises(LocalProtocolError):
        read(line.encode(), LENIENT)
