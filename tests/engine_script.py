"""Scripts for one engine: the lines of the other side come from a script, as an RFC shows them.

No conversation and no second engine runs here, so a test says what an engine does with lines that
no `Link` and no `Pair` would carry.  `C:` stands before the client's lines, `S:` before the
server's.  Lines of one side that follow each other are one group.  What the engine under test says
must be as the script has it; a line that ends with `...` says only how it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from smtpproto import (
    Client,
    Command,
    ConnectionClosed,
    ContentChunk,
    EndOfContent,
    Need,
    Rejected,
    Reply,
    Server,
)
from smtpproto.engine.compiled_extensions import catalogue
from smtpproto.extensions import Extension
from smtpproto.extensions.known import KNOWN
from smtpproto.limits import Limits
from smtpproto.vocabulary.command_parser import parse
from smtpproto.vocabulary.events import AuthResponse, ClientEvent, ServerEvent

Answers = Mapping[str, Reply | None]


def turns(script: str) -> list[tuple[str, list[str]]]:
    """The groups of a conversation: whose it is, and its lines."""
    lines = [line.lstrip() for line in script.splitlines() if line.strip()]
    for line in lines:
        assert line[:2] in ("C:", "S:"), line
    groups = groupby(lines, key=lambda line: line[0])
    return [(side, [line[3:] for line in group]) for side, group in groups]


def octets(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def compare(found: bytes, expected: list[str]) -> None:
    """Whether octets are these lines."""
    assert found.endswith(b"\r\n") or not found
    lines = found.decode().split("\r\n")[:-1]
    shown = [
        e if e.endswith("...") and f.startswith(e.removesuffix("...")) else f
        for f, e in zip(lines, expected, strict=False)
    ]
    assert shown + lines[len(expected) :] == expected


def answer(server: Server, answers: Answers, event: ServerEvent | None) -> None:
    """Answer what waits for a reply, usually positively.

    Arguments:
        answers: replies by `greeting`, `content`, the command line or the verb.
        event: the event that waits for it; None: the greeting.
    """
    reply = None
    if event is None:
        reply = answers.get("greeting")
    elif isinstance(event, EndOfContent):
        reply = answers.get("content")
    elif isinstance(event, AuthResponse):
        reply = answers.get("response")
    elif isinstance(event, Command):
        reply = answers.get(str(event), answers.get(event.verb))
    if reply is None:
        server.accept()
    else:
        server.send(reply)


def drive(server: Server, answers: Answers | None = None) -> list[ServerEvent]:
    """All the events there are, each answered; the content in one piece."""
    events: list[ServerEvent] = []
    last: ServerEvent | None = None
    while True:
        event = server.next_event()
        if event is Need.REPLY:
            answer(server, answers or {}, last)
        elif isinstance(event, Need):
            return events
        elif isinstance(event, ContentChunk) and isinstance(last, ContentChunk):
            events[-1] = last = ContentChunk(last.octets + event.octets)
        else:
            events.append(event)
            last = event
            if isinstance(event, ConnectionClosed):
                assert server.next_event() is Need.DATA
                return events


def serve(
    script: str, *extensions: Extension, answers: Answers | None = None, **options: Any
) -> tuple[Server, list[ServerEvent]]:
    """Play the client of a conversation; what the server says has to be what stands there."""
    server = Server("mx.example", extensions, **options)
    events: list[ServerEvent] = drive(server, answers)
    for side, lines in turns(script):
        if side == "C":
            assert not server.data_to_send(), "the server was to say nothing yet"
            server.receive_data(octets(lines))
            events += drive(server, answers)
        else:
            compare(server.data_to_send(), lines)
    assert not server.data_to_send()
    return server, events


def submit(
    script: str, *, client: Client | None = None, content: bool = False, **options: Any
) -> tuple[Client, list[ClientEvent]]:
    """Play the server of a conversation; the client sends the commands that stand there.

    What stands between the reply 354 and a dot is content.

    Arguments:
        script: the conversation.
        client: one that has said something before.
        content: whether its content comes now.
        options: for a new client.
    """
    client = client or Client(**options)
    grammar = catalogue(KNOWN, client.session.protocol, Limits()).utf8_grammar
    events: list[ClientEvent] = []
    for side, lines in turns(script):
        if side == "C":
            replies = [event for event in events if isinstance(event, Reply)]
            in_content = content or (bool(replies) and replies[-1].code == 354)
            for line in lines:
                if in_content and line == ".":
                    in_content = False
                    client.send(EndOfContent())
                elif in_content:
                    client.send(ContentChunk(line.removeprefix(".").encode() + b"\r\n"))
                else:
                    client.send(parse(line.encode(), grammar))
            compare(client.data_to_send(), lines)
        else:
            client.receive_data(octets(lines))
            while not isinstance(event := client.next_event(), Need):
                events.append(event)
    assert not client.data_to_send()
    return client, events


def rejected(events: list[ServerEvent]) -> list[int]:
    """The codes of what the core refused."""
    return [event.reply.code for event in events if isinstance(event, Rejected)]
