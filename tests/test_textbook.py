"""Sessions as textbooks and RFC 5321 appendix D tell them, in every segmentation, both roles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smtpproto import Client, Command, EndOfContent, Need, Reply, Server
from smtpproto.extensions import EightBitMime, ExpnExtension, Extension, HelpExtension, Size
from smtpproto.vocabulary.events import ServerEvent
from tests.engine_script import octets, submit, turns
from tests.wire.segments import cut, one_by_one

TEXTBOOK = """
    S: 220 smtp.example.com ESMTP
    C: EHLO relay.example.org
    S: 250-smtp.example.com Hello relay.example.org [192.0.2.201]
    S: 250-SIZE 14680064
    S: 250-8BITMIME
    S: 250 HELP
    C: MAIL FROM:<bob@example.org>
    S: 250 Ok
    C: RCPT TO:<alice@example.com>
    S: 250 Ok
    C: RCPT TO:<theboss@example.com>
    S: 250 Ok
    C: DATA
    S: 354 End data with <CR><LF>.<CR><LF>
    C: From: "Bob Example" <bob@example.org>
    C: To: Alice Example <alice@example.com>
    C: Cc: theboss@example.com
    C: Date: Sat, 3 May 2008 07:12:29 +0200
    C: Subject: a test
    C:
    C: Alice, this is a test.
    C: ...
    C: Yours,
    C: Bob
    C: .
    S: 250 Ok: queued as 12345
    C: QUIT
    S: 221 Bye
"""

# RFC 5321 appendix D.1
TYPICAL = """
    S: 220 foo.example at your service
    C: EHLO bar.example
    S: 250-foo.example, good morning bar.example
    S: 250-8BITMIME
    S: 250-SIZE
    S: 250 HELP
    C: MAIL FROM:<Smith@bar.example>
    S: 250 OK
    C: RCPT TO:<Jones@foo.example>
    S: 250 OK
    C: RCPT TO:<Green@foo.example>
    S: 550 nobody of that name
    C: RCPT TO:<Brown@foo.example>
    S: 250 OK
    C: DATA
    S: 354 Go on until the dot
    C: Subject: rakes
    C:
    C: ...and so on.
    C: .
    S: 250 OK
    C: QUIT
    S: 221 foo.example says good-bye
"""

# Appendix D.2
ABORTED = (
    TYPICAL.partition("    C: RCPT TO:<Brown")[0]
    + """
    C: RSET
    S: 250 OK
    C: QUIT
    S: 221 foo.example says good-bye
"""
)

# Appendix D.3, the second step, from the relay to the host of the recipient
RELAYED = """
    S: 220 xyz.example at your service
    C: EHLO foo.example
    S: 250 xyz.example
    C: MAIL FROM:<JQP@bar.example>
    S: 250 OK
    C: RCPT TO:<Jones@xyz.example>
    S: 250 OK
    C: DATA
    S: 354 Go on until the dot
    C: Received: from bar.example by foo.example; Sat, 3 May 2008
    C:     07:12:30 +0200
    C: Date: Sat, 3 May 2008 07:12:29 +0200
    C: From: <JQP@bar.example>
    C: Subject: apples
    C: To: Jones@xyz.example
    C:
    C: They are ripe.
    C:                         J.
    C: .
    S: 250 OK
    C: QUIT
    S: 221 foo.example says good-bye
"""

# Appendix D.4
VERIFYING = """
    S: 220 foo.example at your service
    C: EHLO bar.example
    S: 250-foo.example, good morning bar.example
    S: 250-8BITMIME
    S: 250-SIZE
    S: 250-EXPN
    S: 250 HELP
    C: VRFY Crispin
    S: 250 Carl Crispin <Admin.CC@foo.example>
    C: EXPN staff
    S: 250-Joan Miller <Miller@foo.example>
    S: 250 <Q-Brown@foo.example>
    C: MAIL FROM:<EAK@bar.example>
    S: 250 OK
    C: RCPT TO:<Admin.CC@foo.example>
    S: 250 OK
    C: DATA
    S: 354 Go on until the dot
    C: It is about rakes.
    C: .
    S: 250 OK
    C: QUIT
    S: 221 foo.example says good-bye
"""

OFFERS: dict[str, tuple[Extension, ...]] = {
    TEXTBOOK: (Size(14_680_064), EightBitMime(), HelpExtension()),
    TYPICAL: (EightBitMime(), Size(), HelpExtension()),
    ABORTED: (EightBitMime(), Size(), HelpExtension()),
    RELAYED: (),
    VERIFYING: (EightBitMime(), Size(), ExpnExtension(), HelpExtension()),
}
NAMES = ["textbook", "typical", "aborted", "relayed", "verifying"]
sessions = pytest.mark.parametrize("script", OFFERS, ids=NAMES)


def sides(script: str) -> tuple[bytes, bytes]:
    """All that the client says, and all that the server says."""
    said = {"C": b"", "S": b""}
    for side, lines in turns(script):
        said[side] += octets(lines)
    return said["C"], said["S"]


def answers(script: str, offers: int) -> Iterator[Reply]:
    """The replies of a session; the one to EHLO without what the server adds by itself."""
    for number, (_, lines) in enumerate(turn for turn in turns(script) if turn[0] == "S"):
        texts = [line[4:] for line in lines]
        yield Reply(int(lines[0][:3]), "", "\n".join(texts[:-offers] if number == 1 else texts))


class Replay:
    """A server whose application gives the replies of a session."""

    def __init__(self, script: str) -> None:
        extensions = OFFERS[script]
        self.server = Server("smtp.example.com", extensions)
        self.answers = answers(script, len(extensions) or -9)
        self.events: list[ServerEvent] = []
        self.said = b""

    def feed(self, octets: bytes) -> None:
        server = self.server
        if octets:
            server.receive_data(octets)
        while (event := server.next_event()) is not Need.DATA:
            if event is Need.REPLY:
                server.send(next(self.answers))
            else:
                assert not isinstance(event, Need)
                self.events.append(event)
        self.said += server.data_to_send()

    @property
    def seen(self) -> tuple[list[Command], bytes, int]:
        """The commands, the content, and how often it ended."""
        commands = [event for event in self.events if isinstance(event, Command)]
        content = b"".join([getattr(event, "octets", b"") for event in self.events])
        return commands, content, sum(isinstance(event, EndOfContent) for event in self.events)


def replay(script: str, pieces: list[bytes]) -> Replay:
    replayed = Replay(script)
    for piece in pieces:
        replayed.feed(piece)
    return replayed


# --- the server ---------------------------------------------------------------------------------


@sessions
def test_the_server_turn_by_turn(script: str) -> None:
    replayed = Replay(script)
    replayed.feed(b"")
    for side, lines in turns(script):
        if side == "C":
            replayed.feed(octets(lines))
        else:
            said, replayed.said = replayed.said, b""
            assert said == octets(lines)
    assert replayed.said == b""


@sessions
def test_the_server_in_every_segmentation(script: str) -> None:
    """In one write, split at every position, and octet by octet."""
    sent, said = sides(script)
    whole = replay(script, [sent])
    for pieces in [one_by_one(sent), *(cut(sent, [at]) for at in range(1, len(sent)))]:
        replayed = replay(script, pieces)
        assert replayed.said == whole.said == said, pieces
        assert replayed.seen == whole.seen, pieces


def test_what_the_server_received() -> None:
    commands, content, ends = replay(TEXTBOOK, [sides(TEXTBOOK)[0]]).seen
    assert [command.verb for command in commands] == [
        *("EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT")
    ]
    assert content.startswith(b'From: "Bob Example" <bob@example.org>\r\n')
    assert b"\r\n..\r\n" in content, "one of the three dots was transparency"
    assert content.endswith(b"Yours,\r\nBob\r\n")
    assert ends == 1


# --- the client ---------------------------------------------------------------------------------


class Submission:
    """A client that says the next part of its session whenever it has got all replies."""

    def __init__(self, script: str) -> None:
        self.client = Client()
        self.parts = [lines for side, lines in turns(script) if side == "C"]
        self.replies: list[Reply] = []
        self.said = b""
        self.waiting = 1

    def feed(self, octets: bytes) -> None:
        self.client.receive_data(octets)
        while isinstance(event := self.client.next_event(), Reply):
            self.replies.append(event)
            if self.parts:
                part = "\n".join(f"C: {line}" for line in self.parts.pop(0))
                submit(part, client=self.client, content=event.code == 354)
                self.said += self.parts_said(part)

    def parts_said(self, part: str) -> bytes:
        """`submit` has compared what left with this."""
        return b"".join(octets(lines) for _, lines in turns(part))


def submission(script: str, pieces: list[bytes]) -> Submission:
    submitted = Submission(script)
    for piece in pieces:
        submitted.feed(piece)
    return submitted


@sessions
def test_the_client_turn_by_turn(script: str) -> None:
    _, events = submit(script)
    replies = [event for event in events if isinstance(event, Reply)]
    assert [(reply.code, reply.lines) for reply in replies] == [
        (int(lines[0][:3]), tuple(line[4:] for line in lines))
        for side, lines in turns(script)
        if side == "S"
    ]


@sessions
def test_the_client_one_octet_at_a_time(script: str) -> None:
    sent, said = sides(script)
    submitted = submission(script, one_by_one(said))
    assert submitted.said == sent
    assert not submitted.parts


@sessions
def test_the_client_split_at_every_position(script: str) -> None:
    """Within each reply; a server says nothing before it was asked."""
    parts = [octets(lines) for side, lines in turns(script) if side == "S"]
    whole = submission(script, parts).replies
    for number, part in enumerate(parts):
        for at in range(1, len(part)):
            pieces = [*parts[:number], part[:at], part[at:], *parts[number + 1 :]]
            submitted = submission(script, pieces)
            assert submitted.replies == whole
            assert not submitted.parts
