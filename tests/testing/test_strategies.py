"""The strategies: what is called valid is taken, reaches what it should, and damage is damage."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from smtpproto import (
    AddressLiteral,
    Command,
    ConnectionClosed,
    ContentChunk,
    Domain,
    EndOfContent,
    ForwardPath,
    Limits,
    Mail,
    Mailbox,
    Need,
    Parameter,
    Protocol,
    Rcpt,
    Reply,
    ReversePath,
    Server,
    Vrfy,
)
from smtpproto.engine.compiled_extensions import catalogue
from smtpproto.extensions import Auth, BinaryMime, Chunking, EightBitMime, Extension, SmtpUtf8
from smtpproto.extensions.known import KNOWN, standard
from smtpproto.limits import MINIMUMS
from smtpproto.testing import strategies as smtp
from smtpproto.testing.strategies import ClientSession
from smtpproto.vocabulary.command_parser import parse
from smtpproto.vocabulary.parameters import parse_parameters
from smtpproto.vocabulary.replies import ReplyReader, format_reply

OFFERS = smtp.offers()
# One that is found is enough: to look for the simplest takes most of the time.  The search ends
# there, so many examples cost nothing, and a rare kind is not missed now and then.
ANY = settings(phases=[Phase.generate], max_examples=20_000)

# --- Addresses ----------------------------------------------------------------------------------


@given(smtp.domains() | smtp.domains(smtputf8=True))
def test_domains_are_read_again(domain: Domain) -> None:
    assert Domain.parse(str(domain), utf8=True) == domain
    assert len(str(domain).encode()) <= MINIMUMS["domain"]


@given(smtp.domains())
def test_domains_are_ascii_unless_asked_for_more(domain: Domain) -> None:
    assert domain.ascii


@given(smtp.address_literals())
def test_address_literals_are_read_again(literal: AddressLiteral) -> None:
    assert AddressLiteral.parse(str(literal)) == literal


@given(smtp.mailboxes(smtputf8=True))
def test_mailboxes_fit_every_bound(mailbox: Mailbox) -> None:
    assert Mailbox.parse(str(mailbox), utf8=True, limits=Limits()) == mailbox
    assert ForwardPath.of(str(mailbox)) == ForwardPath(mailbox)


@pytest.mark.parametrize(
    "wanted",
    [
        lambda path: path.mailbox is None,
        lambda path: path.mailbox and str(path.mailbox).startswith('"'),
        lambda path: path.mailbox and path.mailbox.local_part == "",
        lambda path: path.mailbox and isinstance(path.mailbox.domain, AddressLiteral),
        lambda path: not path.ascii,
        lambda path: len(str(path)) == MINIMUMS["path"],
    ],
    ids=["none", "quoted", "empty local-part", "literal", "utf8", "longest"],
)
@pytest.mark.parametrize("strategy", [smtp.reverse_paths, smtp.forward_paths])
def test_paths_of_every_kind_are_found(
    strategy: Callable[..., st.SearchStrategy[Any]], wanted: Callable[[Any], object]
) -> None:
    found = find(strategy(smtputf8=True), lambda path: bool(wanted(path)), settings=ANY)
    assert type(found) in (ReversePath, ForwardPath)


# --- Parameters and commands --------------------------------------------------------------------

PARAMETERS = sorted(
    {
        (command, parameter)
        for kind in KNOWN
        for command, parameters in kind.parameters.items()
        for parameter in parameters
    },
    key=repr,
)


@pytest.mark.parametrize("kind", sorted({kind for _, kind in PARAMETERS}, key=repr))
@given(data=st.data())
@settings(max_examples=20)
def test_parameters_are_read_again(data: st.DataObject, kind: type[Parameter]) -> None:
    parameter = data.draw(smtp.parameters(kind, smtputf8=True))
    (found,) = parse_parameters(str(parameter), {kind.keyword: kind}, utf8=True)
    assert found == parameter


def test_a_parameter_of_ones_own_needs_a_strategy_of_ones_own() -> None:
    class Colour(Parameter):
        keyword = "X-COLOUR"

    with pytest.raises(LookupError, match=r"no strategy for .*Colour: give one of your own"):
        smtp.parameters(Colour)


def test_parameters_of_ones_own_are_used() -> None:
    class Colour(Parameter):
        keyword = "X-COLOUR"

        def value(self) -> str:
            return "red"

    class Colours(Extension):
        keyword = "X-COLOURS"
        parameters = {Mail: (Colour,)}

    own = {Colour: st.just(Colour())}
    mails = smtp.mails([Colours()], own=own)
    mail = find(mails, lambda mail: mail.get(Colour) is not None, settings=ANY)
    assert str(mail).endswith("> X-COLOUR=red")


@pytest.mark.parametrize("protocol", Protocol)
@given(data=st.data())
def test_commands_are_read_again(data: st.DataObject, protocol: Protocol) -> None:
    command = data.draw(smtp.commands((*OFFERS, Auth(("PLAIN",))), protocol=protocol))
    compiled = catalogue(map(type, (*OFFERS, Auth())), protocol, Limits())
    assert parse(command.line().encode(), compiled.utf8_grammar) == command


@given(smtp.commands())
def test_without_extensions_there_are_the_commands_of_rfc_5321(command: Command) -> None:
    assert command.line().isascii()
    assert not getattr(command, "parameters", ())
    assert parse(command.line().encode(), catalogue((), Protocol.SMTP, Limits()).grammar) == command


ALL_COMMANDS = {command for kind in KNOWN for command in kind.commands}


@pytest.mark.parametrize("kind", sorted(ALL_COMMANDS, key=repr))
def test_every_command_of_an_extension_is_found(kind: type[Command]) -> None:
    extension = next(e for e in KNOWN if kind in e.commands)
    required = [e() for e in KNOWN if e.keyword in extension.requires]
    offered = [*required, extension()]
    found = find(smtp.commands(offered), lambda command: type(command) is kind, settings=ANY)
    grammar = catalogue([*map(type, required), extension], Protocol.SMTP, Limits()).grammar
    assert parse(found.line().encode(), grammar) == found


@pytest.mark.parametrize("command, kind", PARAMETERS)
def test_every_parameter_is_found_on_its_command(
    command: type[Command], kind: type[Parameter]
) -> None:
    secure = [e for e in KNOWN if kind in e.parameters.get(command, ())][-1]
    offered = [*OFFERS, secure()] if secure not in map(type, OFFERS) else OFFERS
    if command in (Mail, Rcpt):
        strategy = smtp.parameters_of(command, offered, smtputf8=True)
        assert find(strategy, lambda found: kind in map(type, found), settings=ANY)
    else:
        asked = smtp.questions(smtputf8=True).filter(lambda q: type(q) is command)
        find(asked, lambda q: q.get(kind) is not None, settings=ANY)


@given(st.data())
def test_mail_and_rcpt_are_accepted_together(data: st.DataObject) -> None:
    mail = data.draw(smtp.mails(OFFERS))
    rcpt = data.draw(smtp.rcpts(mail, OFFERS))
    server = Server("mx.example", OFFERS)
    server.accept()
    server.receive_data(f"EHLO x\r\n{mail}\r\n{rcpt}\r\n".encode())
    seen = []
    while (event := server.next_event()) is not Need.DATA:
        if isinstance(event, Need):
            server.accept()
        else:
            seen.append(event)
    assert seen[1:] == [mail, rcpt]


def test_offers_are_what_can_be_offered_in_plain_text() -> None:
    compiled = catalogue(map(type, OFFERS), Protocol.SMTP, Limits())
    assert list(compiled.kinds.values()) == [kind for kind in KNOWN if kind in map(type, OFFERS)]
    left_out = {kind.keyword for kind in KNOWN} - set(compiled.kinds)
    assert left_out == {
        "STARTTLS",
        "AUTH",
        "REQUIRETLS",
        "BURL",
        "XCLIENT",
        "XFORWARD",
        "LIMITS",
    }


# --- Replies ------------------------------------------------------------------------------------


@given(smtp.replies())
def test_replies_are_read_again(reply: Reply) -> None:
    # What looks like an enhanced status code in the text is one for the reader.
    assume(not re.match(r"[245]\.\d", reply.text))
    reader, found = ReplyReader(Limits()), None
    for line in format_reply(reply, "NOOP", enhanced=bool(reply.enhanced)):
        assert found is None
        found = reader.feed(line, Vrfy("x"))
    assert found == reply


@given(smtp.replies(classes=[4, 5], smtputf8=True))
def test_replies_of_some_classes(reply: Reply) -> None:
    assert reply.negative


@pytest.mark.parametrize(
    "wanted",
    [
        lambda octets: re.match(rb"[06-9]\d\d ", octets),
        lambda octets: max(map(len, octets.split(b"\n"))) > 2048,
        lambda octets: octets.count(b"250-") > 512,
        lambda octets: b"\n" in octets.replace(b"\r\n", b""),
        lambda octets: b"\r" in octets.replace(b"\r\n", b""),
        lambda octets: b"\0" in octets and not octets.isascii(),
        lambda octets: octets.startswith(b"HTTP/"),
        lambda octets: octets and not octets.endswith(b"\n"),
    ],
)
def test_hostile_replies_of_every_kind_are_found(wanted: Callable[[Any], object]) -> None:
    assert find(smtp.hostile_replies(), lambda octets: bool(wanted(octets)), settings=ANY)


# --- Octets -------------------------------------------------------------------------------------


@given(smtp.contents())
def test_content_has_no_bare_cr_and_lf(content: bytes) -> None:
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")


@pytest.mark.parametrize("octet", [0, 10, 13, 46, 127, 128, 255])
def test_content_has_every_octet(octet: int) -> None:
    assert find(smtp.contents(bare=True), lambda content: octet in content, settings=ANY)


@given(smtp.contents(bare=True, seven_bit=True))
def test_content_of_seven_bits(content: bytes) -> None:
    assert content.isascii()


@pytest.mark.parametrize(
    "wanted",
    [
        lambda content: content.startswith(b"."),
        lambda content: b"\r\n.\r\n" in content,
        lambda content: content.endswith(b"\r\n"),
        lambda content: content and not content.endswith(b"\r\n"),
        lambda content: len(content) > 998,
    ],
)
def test_content_that_matters_is_found(wanted: Callable[[Any], object]) -> None:
    assert find(smtp.contents(), lambda content: bool(wanted(content)), settings=ANY)


@given(st.data(), st.binary(max_size=30))
def test_segments_join_to_the_whole(data: st.DataObject, octets: bytes) -> None:
    segments = data.draw(smtp.segmentations(octets))
    assert b"".join(segments) == octets
    assert b"" not in segments


def test_all_at_once_and_one_by_one_are_among_the_segmentations() -> None:
    assert find(smtp.segmentations(b"abcdef" * 3), lambda found: len(found) == 1)
    assert find(smtp.segmentations(b"abcdef" * 3), lambda found: len(found) == 18)


@pytest.mark.parametrize(
    "wanted",
    [
        b"MAIL FROM:<a@b>\n",
        b"MAIL FROM:<a@b>",
        b"MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n",
        b"AIL FROM:<a@b>\r\n",
    ],
)
def test_damage(wanted: bytes) -> None:
    whole = st.just(b"MAIL FROM:<a@b>\r\n")
    size = settings(max_examples=20_000, phases=[Phase.generate])
    if wanted.count(b"MAIL") == 2:
        whole = st.just(b"MAIL\r\n")
        wanted = b"MAIL\r\nMAIL\r\n"
    assert find(smtp.mutated(whole), lambda found: found == wanted, settings=size) == wanted


# --- Sessions -----------------------------------------------------------------------------------


def serve(server: Server, segments: list[bytes]) -> tuple[list[Command], list[tuple[str, bytes]]]:
    """What a server that accepts everything sees: commands, and messages by their envelope."""
    commands, messages, content = [], [], b""
    server.accept()
    for segment in [*segments, b""]:
        server.receive_data(segment)
        while (event := server.next_event()) is not Need.DATA:
            if event is Need.REPLY:
                server.accept()
            elif isinstance(event, Command):
                commands.append(event)
            elif isinstance(event, ContentChunk):
                content += event.octets
            elif isinstance(event, EndOfContent):
                transaction = server.transaction
                assert transaction is not None
                envelope = f"{transaction.mail} {' '.join(map(str, transaction.recipients))}"
                messages.append((envelope, content))
                content = b""
            elif isinstance(event, ConnectionClosed):
                break
            else:
                raise AssertionError(event)
    return commands, messages


@pytest.mark.parametrize("protocol", Protocol)
@given(data=st.data())
def test_a_session_delivers_what_it_says(data: st.DataObject, protocol: Protocol) -> None:
    extensions = data.draw(st.sampled_from([OFFERS, standard(), ()]))
    session: ClientSession = data.draw(smtp.sessions(extensions, protocol=protocol))
    segments = data.draw(smtp.segmentations(session.octets))
    server = Server("mx.example", extensions, protocol=protocol)
    commands, messages = serve(server, segments)
    assert commands == list(session.commands)
    assert messages == [
        (f"{m.envelope.mail} {' '.join(map(str, m.envelope.recipients))}", m.content)
        for m in session.messages
    ]


KINDS: dict[str, Callable[[ClientSession], object]] = {
    "two messages": lambda session: len(session.messages) == 2,
    "the last chunk": lambda session: re.search(rb"(?im)^BDAT \d+ LAST\r$", session.octets),
    "BINARYMIME": lambda session: b"BODY=BINARYMIME" in session.octets,
    "SMTPUTF8": lambda session: b"SMTPUTF8" in session.octets,
    "HELO": lambda session: session.octets.upper().startswith(b"HELO"),
    "QUIT": lambda session: session.octets.upper().endswith(b"QUIT\r\n"),
    "RSET": lambda session: b"RSET" in session.octets,
}


def test_content_that_is_no_text_is_shown_as_octets() -> None:
    lines = ("NOOP é\r\n".encode(), b"l\xb7\xf7\x03\r\n")
    shown = str(ClientSession(b"".join(lines), (), (), lines))
    assert shown.splitlines() == ["C: NOOP é", r"C: b'l\xb7\xf7\x03\r\n'"]


def test_sessions_of_every_kind_are_found() -> None:
    missed = set(KINDS)

    def all_seen(session: ClientSession) -> bool:
        missed.difference_update([kind for kind in missed if KINDS[kind](session)])
        return not missed

    with contextlib.suppress(NoSuchExample):
        # The more there is to offer, the rarer each parameter.
        offered = [EightBitMime(), Chunking(), BinaryMime(), SmtpUtf8()]
        find(smtp.sessions(offered), all_seen, settings=ANY)
    assert missed == set()


@given(smtp.segmented(smtp.mutated(smtp.sessions().map(lambda session: session.octets))))
def test_a_damaged_session_never_makes_a_server_raise(segments: list[bytes]) -> None:
    server = Server("mx.example", OFFERS)
    server.accept()
    for segment in segments:
        server.receive_data(segment)
        while (event := server.next_event()) is not Need.DATA:
            if event is Need.REPLY:
                server.accept()
            elif isinstance(event, ConnectionClosed):
                return
