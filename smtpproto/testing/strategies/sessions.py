"""Strategies for whole sessions: all octets of a correct client, and their messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import assume
from hypothesis import strategies as st

from ...conversations.envelope import Envelope
from ...extensions import Bdat, Body, Chunking, Extension
from ...extensions.eight_bit_mime import is_binary
from ...vocabulary.command_base import Command
from ...vocabulary.commands import Data, Ehlo, Hello, Helo, Lhlo, Mail, Quit, Rset
from ...vocabulary.session_facts import Protocol, Session
from ...wire import DotEncoder, LineEndings
from .addresses import names
from .commands import Parameters, mails, noops, offers, questions, rcpts
from .octets import contents

__all__ = ["ClientSession", "Message", "sessions"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a session delivers to a server that accepts everything.

    Arguments:
        envelope: the MAIL and RCPT commands.
        content: the content on the server: complete, and ended by CRLF after DATA.
    """

    envelope: Envelope
    content: bytes


@dataclass(frozen=True, slots=True)
class ClientSession:
    """All that a client sends in one session.

    Arguments:
        octets: the octets it sends.
        messages: the messages it delivers, in order, if the server accepts everything.
        commands: the commands that are the server's events, without those of counted content
            (`Bdat`).
    """

    octets: bytes
    messages: tuple[Message, ...]
    commands: tuple[Command, ...]


class _Writer:
    """Writes a session down."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.messages: list[Message] = []
        self.commands: list[Command] = []

    def command(self, command: Command, verb: str = "") -> None:
        """Write a command, with its verb spelled like this."""
        line = command.line()
        self.octets += (verb + line[len(verb) :]).encode() + b"\r\n"
        if not isinstance(command, Bdat):
            self.commands.append(command)


def sessions(
    extensions: Iterable[Extension] | None = None,
    *,
    protocol: Protocol = Protocol.SMTP,
    most: int = 3,
    own: Parameters | None = None,
) -> st.SearchStrategy[ClientSession]:
    """Whole sessions of a correct client, pipelined, for a server that accepts everything.

    A session has EHLO or HELO, mail transactions with DATA or BDAT, some of them aborted, commands
    that change nothing, and often QUIT.  Split it (`segmented`) or damage it (`mutated`).

    Arguments:
        extensions: those that the server offers; None: `offers()`.
        protocol: SMTP or LMTP.
        most: the most mail transactions.
        own: strategies for parameters of extensions of your own, by their class.
    """
    return _sessions(tuple(offers() if extensions is None else extensions), protocol, most, own)


@st.composite
def _sessions(
    draw: st.DrawFn,
    offered: tuple[Extension, ...],
    protocol: Protocol,
    most: int,
    own: Parameters | None,
) -> ClientSession:
    writer = _Writer()
    if protocol is Protocol.LMTP:
        hello: type[Hello] = Lhlo
    else:
        hello = draw(st.sampled_from([Ehlo, Ehlo, Ehlo, Helo]))
    if hello is Helo:
        offered = ()
    writer.command(hello(draw(names())), draw(_spellings(hello.verb)))
    for _ in range(draw(st.integers(0, most))):
        for idle in draw(st.lists(_idle(offered), max_size=2)):
            writer.command(idle)
        _transaction(draw, writer, offered, own)
    if draw(st.booleans()):
        writer.command(Quit(), draw(_spellings("QUIT")))
    return ClientSession(bytes(writer.octets), tuple(writer.messages), tuple(writer.commands))


def _spellings(verb: str) -> st.SearchStrategy[str]:
    """A verb in several letter cases (RFC 5321 section 2.4)."""
    return st.sampled_from([verb, verb, verb.lower(), verb.title()])


def _idle(offered: tuple[Extension, ...]) -> st.SearchStrategy[Command]:
    """Commands that change nothing."""
    asked = questions(smtputf8=any(e.utf8 for e in offered))
    return noops() | asked.filter(lambda question: question.verb == "VRFY") | st.just(Rset())


def _transaction(
    draw: st.DrawFn,
    writer: _Writer,
    offered: tuple[Extension, ...],
    own: Parameters | None,
) -> None:
    mail = draw(mails(offered, session=Session(), own=own))
    writer.command(mail, draw(_spellings("MAIL")))
    found = draw(st.lists(rcpts(mail, offered, own=own), min_size=1, max_size=3))
    for rcpt in found:
        writer.command(rcpt, draw(_spellings("RCPT")))
    if draw(st.integers(0, 4)) == 4:
        writer.command(Rset())
        return
    chunking = any(isinstance(e, Chunking) for e in offered)
    if is_binary(mail) or (chunking and draw(st.booleans())):
        content = _chunks(draw, writer, mail)
    else:
        content = _dots(draw, writer, mail)
    for extension in offered:
        assume(extension.check_content(len(content), Session()) is None)
    writer.messages.append(Message(Envelope(mail, tuple(found)), content))


def _is_seven_bit(mail: Mail) -> bool:
    body = mail.get(Body)
    return body is None or body.kind == "7BIT"


def _dots(draw: st.DrawFn, writer: _Writer, mail: Mail) -> bytes:
    """Content after DATA."""
    writer.command(Data(), draw(_spellings("DATA")))
    content = draw(contents(seven_bit=_is_seven_bit(mail)))
    encoder = DotEncoder(LineEndings.REFUSE)
    writer.octets += encoder.encode(content) + encoder.finish()
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def _chunks(draw: st.DrawFn, writer: _Writer, mail: Mail) -> bytes:
    """Content in chunks, the last one empty or not."""
    binary = is_binary(mail)
    content = draw(
        st.binary(max_size=60) | contents(bare=True)
        if binary
        else contents(seven_bit=_is_seven_bit(mail))
    )
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=3)))
    edges = [0, *cuts, len(content)]
    for start, end in pairwise(edges):
        writer.command(Bdat(end - start, end == len(content)), draw(_spellings("BDAT")))
        writer.octets += content[start:end]
        if end == len(content):
            break
    return content
