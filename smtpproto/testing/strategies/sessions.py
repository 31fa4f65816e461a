"""Strategies for whole sessions: all octets of a correct client, and their messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from ...conversations.envelope import Envelope
from ...conversations.transcript import printable
from ...extensions import Bdat, Body, Chunking, Extension
from ...extensions.eight_bit_mime import is_binary
from ...vocabulary.command_base import Command
from ...vocabulary.commands import Data, Ehlo, Hello, Helo, Lhlo, Mail, Quit, Rcpt, Rset
from ...vocabulary.paths import ReversePath
from ...vocabulary.session_facts import Protocol, Session
from ...wire import DotEncoder, LineEndings
from ..agreement import as_received
from .addresses import names
from .commands import Envelopes, noops, offers, questions
from .octets import contents, in_short
from .parameters import Parameters

__all__ = ["ClientSession", "Message", "sessions"]

_BINARY = contents(bare=True) | st.binary(max_size=60)


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a session delivers to a server that accepts everything.

    Arguments:
        envelope: the MAIL and RCPT commands.
        content: the content on the server: complete, and ended by CRLF after DATA.
    """

    envelope: Envelope
    content: bytes


@dataclass(frozen=True, slots=True, repr=False)
class ClientSession:
    """All that a client sends in one session.  `str` and hypothesis show it as C: lines.

    Arguments:
        octets: the octets it sends.
        messages: the messages it delivers, in order, if the server accepts everything.
        commands: the commands that are the server's events, without those of counted content
            (`Bdat`).
        lines: the octets in parts for people: each command line, and all octets of each content.
    """

    octets: bytes
    messages: tuple[Message, ...]
    commands: tuple[Command, ...]
    lines: tuple[bytes, ...] = field(compare=False)

    def __str__(self) -> str:
        return "\n".join(f"C: {_shown(line)}" for line in self.lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  its interface
        printer.text("".join(f"\n        {line}" for line in str(self).splitlines()) + "\n    ")

    def __repr__(self) -> str:
        count, size = len(self.messages), len(self.octets)
        return f"<{type(self).__name__}: {count} messages, {size} octets>"


def _shown(line: bytes) -> str:
    """Return a command as text, and content as Python writes octets."""
    command, crlf, rest = line.partition(b"\r\n")
    text = printable(command)
    if crlf and not rest and command[:1].isalpha() and text.encode() == command:
        return text
    return in_short(line)


class _Writer:
    """Writes a session down.

    Arguments:
        spell: writes a verb in another letter case (RFC 5321 section 2.4).
    """

    def __init__(self, spell: Callable[[str], str]) -> None:
        self._spell = spell
        self.lines: list[bytes] = []
        self.messages: list[Message] = []
        self.commands: list[Command] = []

    def command(self, command: Command) -> None:
        """Write a command."""
        line, verb = command.line(), self._spell(command.verb)
        self.lines.append((verb + line[len(verb) :]).encode() + b"\r\n")
        if not isinstance(command, Bdat):
            self.commands.append(command)

    def content(self, octets: bytes) -> None:
        """Write content as it is sent."""
        if octets:
            self.lines.append(octets)

    def session(self) -> ClientSession:
        """Return what was written."""
        return ClientSession(
            b"".join(self.lines), tuple(self.messages), tuple(self.commands), tuple(self.lines)
        )


def sessions(
    extensions: Iterable[Extension] | None = None,
    *,
    protocol: Protocol = Protocol.SMTP,
    most: int = 3,
    own: Parameters | None = None,
) -> st.SearchStrategy[ClientSession]:
    """Whole sessions of a correct client, pipelined, for a server that accepts everything.

    A session has EHLO or HELO, mail transactions with DATA or BDAT, some of them aborted, commands
    that change nothing, and often QUIT.  Split it (`segmented`) or damage it (`mutated`).  The
    simplest one is EHLO, MAIL, RCPT, DATA and one line.

    Arguments:
        extensions: those that the server offers; None: `offers()`.
        protocol: SMTP or LMTP.
        most: the most mail transactions, at least 1.
        own: strategies for parameters of extensions of your own, by their class.
    """
    offered = tuple(offers() if extensions is None else extensions)
    return _sessions(_Dialogue(offered, own), protocol, most)


class _Dialogue:
    """The strategies for the parts of a session, made once."""

    def __init__(self, offered: tuple[Extension, ...], own: Parameters | None) -> None:
        envelopes = Envelopes(offered, session=Session(), own=own)
        self.offered = offered
        self.chunking = any(isinstance(e, Chunking) for e in offered)
        self.mails, self.rcpts = envelopes.mails, envelopes.rcpts
        asked = questions(smtputf8=any(e.utf8 for e in offered))
        # Commands that change nothing.
        idle = st.one_of(
            noops(), st.just(Rset()), asked.filter(lambda question: question.verb == "VRFY")
        )
        self.idle: st.SearchStrategy[list[Command]] = st.lists(idle, max_size=2)

    def accepts(self, content: bytes) -> bool:
        """Whether no extension refuses content of this size."""
        return all(e.check_content(len(content), Session()) is None for e in self.offered)


_SPELLINGS = st.sampled_from([str.upper, str.upper, str.lower, str.title])
_ONE_IN_FOUR = st.sampled_from([False, False, False, True])


@st.composite
def _sessions(draw: st.DrawFn, dialogue: _Dialogue, protocol: Protocol, most: int) -> ClientSession:
    writer = _Writer(draw(_SPELLINGS))
    plain = draw(_ONE_IN_FOUR)
    hello: type[Hello] = Helo if plain else Ehlo
    if protocol is Protocol.LMTP:
        hello = Lhlo
    writer.command(hello(draw(names())))
    # One transaction is the least: hypothesis would shrink towards sessions without any.
    for _ in range(draw(st.integers(1, most))):
        for idle in draw(dialogue.idle):
            if not (plain and _is_extended(idle)):
                writer.command(idle)
        _transaction(draw, writer, dialogue, plain=plain)
    if draw(st.booleans()):
        writer.command(Quit())
    return writer.session()


def _transaction(draw: st.DrawFn, writer: _Writer, dialogue: _Dialogue, *, plain: bool) -> None:
    mail = draw(dialogue.mails)
    # A plain session takes as many choices: it would be the simplest one if it took fewer.
    if plain:
        path = mail.reverse_path
        mail = Mail(path if path.ascii else ReversePath(None))
    writer.command(mail)
    found = [draw(dialogue.rcpts(mail)) for _ in range(draw(st.integers(1, 3)))]
    if plain:
        found = [Rcpt(rcpt.forward_path) for rcpt in found]
    for rcpt in found:
        writer.command(rcpt)
    if draw(_ONE_IN_FOUR):
        writer.command(Rset())
        return
    chunks = dialogue.chunking and draw(st.booleans())
    if is_binary(mail) or (chunks and not plain):
        content = _chunks(draw, writer, mail)
    else:
        content = _dots(draw, writer, mail)
    assume(dialogue.accepts(content))
    writer.messages.append(Message(Envelope(mail, tuple(found)), content))


def _is_extended(command: Command) -> bool:
    """Whether a command needs a service extension."""
    return bool(getattr(command, "parameters", ())) or not command.line().isascii()


def _is_seven_bit(mail: Mail) -> bool:
    body = mail.get(Body)
    return body is None or body.kind == "7BIT"


def _dots(draw: st.DrawFn, writer: _Writer, mail: Mail) -> bytes:
    """Content after DATA."""
    writer.command(Data())
    content = draw(contents(seven_bit=_is_seven_bit(mail)))
    encoder = DotEncoder(LineEndings.REFUSE)
    writer.content(encoder.encode(content) + encoder.finish())
    return as_received(content)


def _chunks(draw: st.DrawFn, writer: _Writer, mail: Mail) -> bytes:
    """Content in chunks, the last one empty or not."""
    content = draw(_BINARY if is_binary(mail) else contents(seven_bit=_is_seven_bit(mail)))
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=3)))
    edges = [0, *cuts, len(content)]
    for start, end in pairwise(edges):
        writer.command(Bdat(end - start, end == len(content)))
        writer.content(content[start:end])
        if end == len(content):
            break
    return content
