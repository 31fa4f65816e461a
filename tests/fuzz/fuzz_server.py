"""Fuzz target: whatever a client sends, a server gives events, and raises nothing at all.

Each input is fed whole, octet by octet and in pieces; the events, the octets sent and the state
must be the same.  The first octets of an input choose the server and how its application answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from random import Random

from tests.fuzz.campaign import instrumented, lines, main

with instrumented():
    from smtpproto import (
        Command,
        ConnectionClosed,
        ContentChunk,
        EndOfContent,
        Limits,
        LineEndings,
        LocalProtocolError,
        Need,
        Protocol,
        Rejected,
        Reply,
        Server,
        Session,
        State,
        Syntax,
        TLSFacts,
    )
    from smtpproto.extensions import (
        Auth,
        Burl,
        DeliverBy,
        Extension,
        FutureRelease,
        NoSoliciting,
        ServerLimits,
        Size,
        StartTlsCommand,
        XClient,
        XForward,
    )
    from smtpproto.extensions.known import KNOWN
    from smtpproto.vocabulary.events import AuthResponse, Event
    from smtpproto.vocabulary.replies import ReplyReader

# What `Server.send` may raise: the application answered in a way that is not possible.  Nothing
# else may raise anything.
DOCUMENTED = LocalProtocolError

PEER = "127.0.0.1"
SPECIAL: dict[type[Extension], Extension] = {
    Size: Size(3000),
    Auth: Auth(("PLAIN", "LOGIN"), ("PLAIN", "LOGIN")),
    DeliverBy: DeliverBy(60),
    FutureRelease: FutureRelease(86_400, datetime(2030, 1, 31, tzinfo=timezone.utc)),
    NoSoliciting: NoSoliciting(("net.example:ADV",)),
    ServerLimits: ServerLimits(4, 3, 2),
    Burl: Burl(("imap",), early=True),
    XClient: XClient((PEER,)),
    XForward: XForward((PEER,)),
}
EVERYTHING = tuple(SPECIAL.get(kind) or kind() for kind in KNOWN)
FEW = tuple(each for each in EVERYTHING if isinstance(each, (Size, Auth)))
HEAD = 3
# Where octets follow STARTTLS in plain text it depends on their arrival who notices.
INJECTED = re.compile(rb"(?:220|421)[^\r\n]*\r\n\Z")
ANSWERS = (
    Reply(250, "2.1.0", "fine"),
    Reply(354, "", "go on"),
    Reply(334, "", "VXNlcm5hbWU6"),
    Reply(235, "2.7.0", "yes"),
    Reply(450, "4.2.1", "later\nor never"),
    Reply(550, "5.7.1", "no"),
    Reply(551, "5.1.6", "try jürgen@example.org"),
    Reply(421, "4.3.2", "going away"),
)


@dataclass
class Seen:
    """What became of an input."""

    events: list[object]
    sent: bytes
    state: State


def connection(head: bytes) -> Server:
    """A server as the first octets of an input want it."""
    first, second = head[0], head[1]
    extensions = (EVERYTHING, FEW, ())[first % 3]
    return Server(
        "mx.example",
        extensions,
        limits=Limits(errors=5, overlong=3000, recipients=100),
        protocol=Protocol.LMTP if first & 4 and extensions is not EVERYTHING else Protocol.SMTP,
        line_endings=list(LineEndings)[second % 3],
        syntax=Syntax.LENIENT if first & 8 else Syntax.STRICT,
        session=Session(
            peer=PEER, secure=bool(first & 16), identity="harry" if first & 32 else None
        ),
        observer=lambda sender, octets, content: None,
    )


class Player:
    """An application whose decisions depend on the input alone, not on its segmentation."""

    def __init__(self, head: bytes) -> None:
        self.server = connection(head)
        self.random = Random(head)
        # How seldom it refuses.
        self.yes = head[2]
        self.events: list[object] = []
        self.sent = b""
        self.over = False
        self.deaf = False
        self.content_begun = False

    def feed(self, data: bytes) -> None:
        """Let some octets arrive, and do all that is to be done then."""
        if self.over:
            return
        self.server.receive_data(data)
        while not self.over:
            event = self.server.next_event()
            if event is Need.REPLY:
                self.answer()
            elif event is Need.DATA:
                break
            elif isinstance(event, Need):
                self.turn_point(event)
            else:
                self.note(event)
        self.sent += self.server.data_to_send()

    def answer(self) -> None:
        server, random = self.server, self.random
        assert server.owed > 0
        # Of STARTTLS too: an application that refuses it cannot know what has arrived behind it.
        begins_tls = self.events[-1:] == [StartTlsCommand()]
        while server.owed:
            if begins_tls or random.randrange(256) <= self.yes:
                server.accept()
                continue
            try:
                server.send(random.choice(ANSWERS))
            except DOCUMENTED:
                server.reject(random.choice((450, 554)))

    def turn_point(self, need: Need) -> None:
        self.sent += self.server.data_to_send()
        self.events.append(need)
        self.over = True
        if need is Need.TLS:
            self.server.tls_established(TLSFacts("TLSv1.3"))
            assert all(isinstance(each, Extension) and each.plain for each in self.server.offered)
            assert self.server.session.identity is None

    def note(self, event: Event) -> None:
        """Write an event down; borders between chunks mean nothing."""
        if isinstance(event, ContentChunk):
            assert event.octets
            if not self.content_begun:
                self.content_begun = True
                if self.random.randrange(256) > self.yes:
                    self.server.reject(452)
                    self.deaf = True
            if self.deaf:
                return
            if self.last_is_content():
                self.events[-1] += event.octets  # type: ignore[operator]
            else:
                self.events.append(bytearray(event.octets))
            return
        if isinstance(event, (Command, EndOfContent)) or (
            isinstance(event, Rejected) and event.content
        ):
            self.content_begun = self.deaf = False
        lost = isinstance(event, ConnectionClosed) or (
            isinstance(event, Rejected) and event.content
        )
        if lost and self.last_is_content():
            # How much was handed out of content that is too large depends on its pieces.
            self.events.pop()
        if isinstance(event, Rejected) and "STARTTLS" in event.reason and event.reply.code == 421:
            self.events += [StartTlsCommand(), Need.TLS]
            self.over = True
            return
        if isinstance(event, ConnectionClosed):
            self.over = True
        self.events.append(event if not isinstance(event, AuthResponse) else event.octets)

    def last_is_content(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], bytearray)

    def seen(self) -> Seen:
        if self.events[-1:] == [Need.TLS]:
            return Seen(self.events, INJECTED.sub(b"", self.sent), State.TLS)
        return Seen(self.events, self.sent, self.server.state)


def play(data: bytes, sizes: Random | int) -> Seen:
    """Feed an input in pieces of one size, or of random ones."""
    head, rest = data[:HEAD].ljust(HEAD, b"\xff"), data[HEAD:]
    player = Player(head)
    at = 0
    while at < len(rest):
        size = sizes if isinstance(sizes, int) else sizes.randint(1, 40)
        player.feed(rest[at : at + size])
        at += size
    player.feed(b"")
    player.sent += player.server.data_to_send()
    return player.seen()


def check_replies(sent: bytes) -> None:
    """What a server says are whole replies."""
    assert not sent or sent.endswith(b"\r\n")
    reader = ReplyReader(Limits())
    for line in sent.split(b"\r\n")[:-1]:
        assert b"\r" not in line
        assert b"\n" not in line
        reader.feed(line)
    assert reader.code == 0


def target(data: bytes) -> None:
    """One input, in three segmentations."""
    whole = play(data, max(1, len(data)))
    check_replies(whole.sent)
    for sizes in (1, Random(len(data))):
        other = play(data, sizes)
        assert other == whole, f"{other}\n{whole}"


def seeds() -> list[bytes]:
    """Conversations, each in front of several kinds of server."""
    envelope = ("EHLO a.b", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>")
    texts = [
        lines(
            *("EHLO client.example", "MAIL FROM:<a@b.example> SIZE=12 BODY=8BITMIME"),
            *("RCPT TO:<c@d.example>", "DATA", "..dot", "text", ".", "RSET", "QUIT"),
        ),
        lines(*envelope, "RCPT TO:<e@d> NOTIFY=NEVER", "BDAT 6", b"ab\r\n.\rBDAT 3 LAST", b"\nx")
        + lines("NOOP", "BDAT 2 LAST", "", "RSET"),
        lines("EHLO a.b", "AUTH LOGIN", "YQ==", "Yg==", "AUTH PLAIN AGEAYg==", "*")
        + lines("MAIL FROM:<a@b> AUTH=<> BY=120;R", "RCPT TO:<d@e> ORCPT=rfc822;d+40e", "DATA")
        + lines(b"\n.\n", ".", "NOOP"),
        lines("EHLO a.b", "XCLIENT NAME=x LOGIN=y ADDR=192.0.2.1", "EHLO c.d", "XFORWARD HELO=z")
        + lines("ETRN @a.b", "STARTTLS", "EHLO injected"),
        lines("EHLO a.b", "MAIL FROM:<jürgen@exämple> SMTPUTF8 BODY=BINARYMIME")
        + lines("RCPT TO:<ä@[IPv6:::1]>", "VRFY ü SMTPUTF8")
        + lines("BURL imap://h/;urlauth=anonymous:x LAST", "BDAT 2 LAST", "öETRN a.b"),
        lines("LHLO a.b", "MAIL FROM:<@x,@y:a@b>", "RCPT TO:<c@d>", 'RCPT TO:<"e f"@d>', "DATA")
        + lines("", ".", "MAIL FROM:<q@[1.2.3.4]> HOLDFOR=5 MT-PRIORITY=3")
        + lines("DATA", "x", "."),
        lines("HELO  a.b", "MAIL FROM: a@b  SIZE=1", "RCPT TO : <c@d.>", "DATA", b"x\n.", "y", ".")
        + lines("EXPN l", "HELP DATA", "BDAT x", "MAIL FROM:<b@c>"),
    ]
    heads = [
        bytes([kind, endings, yes])
        for kind in range(64)
        for endings in range(3)
        for yes in (255, 200)
    ]
    return [
        heads[(7 * at + 13 * other) % len(heads)] + text
        for at, text in enumerate(texts)
        for other in range(24)
    ]


if __name__ == "__main__":
    main(target, seeds())
