"""Talk to a server: each input line is a command, each refusal is explained."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import sync
from ..conversations import SMTPError, Transcript
from ..conversations.client.command_and_reply import ask, next_reply
from ..conversations.io_requests import BeginTLS
from ..engine.compiled_extensions import catalogue
from ..errors import LocalProtocolError, RemoteProtocolError
from ..extensions.known import KNOWN
from ..extensions.starttls import StartTlsCommand
from ..grammar.encodings import decode_base64
from ..limits import Limits
from ..timeouts import HANDSHAKE_TIMEOUT
from ..vocabulary.command_base import CountedCommand
from ..vocabulary.command_parser import parse
from ..vocabulary.commands import Data, Quit
from ..vocabulary.events import AuthResponse, ContentChunk, EndOfContent
from ..vocabulary.session_facts import Protocol
from ..vocabulary.states import State
from .common import reason, server_address
from .session_options import add_session, connection_settings, place
from .terminal import complain, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..conversations.io_requests import Flow
    from ..engine.client import Client
    from ..vocabulary.command_base import Command
    from ..vocabulary.replies import Reply

__all__ = ["STATUS", "add_arguments", "run"]

STATUS = "0 after QUIT or the end of input, 2 if the session ended otherwise or did not begin"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "server", type=server_address, metavar="HOST[:PORT]", help="port: as for send"
    )
    add_session(parser)


def run(options: argparse.Namespace) -> int:
    """Talk until QUIT or the end of standard input; see `STATUS`."""
    try:
        settings = replace(connection_settings(options), observer=Transcript(say))
        with sync.connect_with(settings) as client:
            return _talk(client, Protocol.LMTP if options.lmtp else Protocol.SMTP)
    except (OSError, SMTPError, RemoteProtocolError, LocalProtocolError) as error:
        complain(f"the session is over: {reason(error, place(options))}")
        return 2


def _talk(client: sync.Client, protocol: Protocol) -> int:
    grammar = catalogue(KNOWN, protocol, Limits()).utf8_grammar
    lines = _lines()
    for line in lines:
        if not line.strip():
            continue
        try:
            command = parse(line.encode("utf-8", "surrogateescape"), grammar)
            # The client has no method for this conversation.
            client._run(_say(client._engine, command, lines))  # noqa: SLF001
        except LocalProtocolError as error:
            complain(f"not sent: {reason(error)}")
        else:
            if client.closed:
                return 0 if isinstance(command, Quit) else 2
    return 0


def _say(engine: Client, command: Command, lines: Iterator[str]) -> Flow[None]:
    """Send one command, and its content or responses."""
    if isinstance(command, CountedCommand):
        raise LocalProtocolError(f"{command.verb} is followed by octets, which no line can tell")
    reply = yield from ask(engine, command)
    if isinstance(command, StartTlsCommand) and reply.positive:
        engine.tls_established((yield BeginTLS(HANDSHAKE_TIMEOUT)))
        say("# TLS has begun: say EHLO again")
        return
    while reply.intermediate:
        if isinstance(command, Data):
            _content(engine, lines)
        else:
            _response(engine, lines)
        reply = yield from next_reply(engine)
    _explain(reply)
    # After the content LMTP has a reply for each recipient.
    while engine.pending:
        _explain((yield from next_reply(engine)))


def _content(engine: Client, lines: Iterator[str]) -> None:
    """The lines of a message, up to a lone dot."""
    for line in lines:
        if line == ".":
            break
        engine.send(ContentChunk(line.encode("utf-8", "surrogateescape") + b"\r\n"))
    engine.send(EndOfContent())


def _response(engine: Client, lines: Iterator[str]) -> None:
    """One line of an authentication exchange in base64; a lone asterisk gives up."""
    line = next(lines, "*").strip()
    assert engine.state is State.EXCHANGE
    try:
        engine.send(AuthResponse(None if line == "*" else decode_base64(line)))
    except LocalProtocolError as error:
        complain(f"{error}; the exchange is given up")
        engine.send(AuthResponse(None))


def _explain(reply: Reply) -> None:
    if reply.negative:
        say("\n".join(f"   {line}" for line in str(reply.explain()).splitlines()))


def _lines() -> Iterator[str]:
    """What the user types, or pipes in."""
    while True:
        if sys.stdin.isatty():
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\r\n")
