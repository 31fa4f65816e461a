"""Fuzz target: whatever a server sends, a client gives replies or raises `RemoteProtocolError`.

Each input is fed whole, octet by octet and in pieces; replies, octets sent and state must be the
same.  The first octets of an input choose the client and what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from tests.fuzz.campaign import instrumented, lines, main

with instrumented():
    from smtpproto import (
        AddressLiteral,
        AuthResponse,
        Client,
        ConnectionClosed,
        ContentChunk,
        Data,
        Domain,
        Ehlo,
        EndOfContent,
        ForwardPath,
        Help,
        Lhlo,
        Limits,
        LineEndings,
        LocalProtocolError,
        Mail,
        Need,
        Noop,
        Protocol,
        Quit,
        Rcpt,
        RemoteProtocolError,
        Reply,
        ReversePath,
        Rset,
        Session,
        State,
        TLSFacts,
        Vrfy,
    )
    from smtpproto.extensions import (
        AuthCommand,
        Bdat,
        Body,
        BurlCommand,
        ConnegParameter,
        SizeParameter,
        SmtpUtf8Parameter,
        StartTlsCommand,
        XClientCommand,
    )
    from smtpproto.extensions.conneg import capabilities

# `next_event` may raise the first, `send` the second; nothing else may raise anything.
BROKEN = RemoteProtocolError
# Some lines that others of their reply follow, and what may be the last one.
TURN = re.compile(rb"(?:[0-9]{3}-[^\n]*\n)*[^\n]*\n?")
IMPOSSIBLE = LocalProtocolError

HEAD = 3
SAYINGS = (
    (Ehlo(Domain("client.example")),),
    (Ehlo(Domain("client.example")),),
    (Lhlo(AddressLiteral("IPv6:::1")),),
    (
        Mail(ReversePath.of("a@b.example"), (SizeParameter(5), Body("8BITMIME"))),
        Rcpt(ForwardPath.of("c@d")),
        Rcpt(ForwardPath.of("postmaster"), (ConnegParameter(),)),
        Data(),
    ),
    (Mail(ReversePath.of("")), Rcpt(ForwardPath.of("c@d")), Rcpt(ForwardPath.of("e@f")), Data()),
    (Mail(ReversePath.of("jürgen@b"), (SmtpUtf8Parameter(),)), Rcpt(ForwardPath.of("c@d"))),
    (Mail(ReversePath.of("a@b")), Rset(), Mail(ReversePath.of("a@c"))),
    (ContentChunk(b".text\r\n"), ContentChunk(b"more"), EndOfContent()),
    (EndOfContent(),),
    (Bdat(6), ContentChunk(b"a\r\n.\r\n"), Bdat(2, last=True), ContentChunk(b"\r\n")),
    (Bdat(0, last=True),),
    (BurlCommand("imap://host/x", last=True),),
    (AuthCommand("PLAIN", b"\0a\0b"),),
    (AuthCommand("LOGIN"),),
    (AuthResponse(b"secret"),),
    (AuthResponse(None),),
    (StartTlsCommand(),),
    (XClientCommand((("NAME", "x"),)),),
    (Noop(), Vrfy("a"), Help(), Rset()),
    (Quit(),),
)


@dataclass
class Seen:
    """What became of an input."""

    events: list[object]
    sent: bytes
    state: State


class Player:
    """An application that says something whenever it got a reply."""

    def __init__(self, head: bytes) -> None:
        first = head[0]
        self.client = Client(
            protocol=Protocol.LMTP if first & 1 else Protocol.SMTP,
            line_endings=LineEndings.NORMALIZE if first & 2 else LineEndings.REFUSE,
            limits=Limits(reply_line=600, reply_lines=20, unanswered=1 + first % 7),
            session=Session(secure=bool(first & 4)),
            observer=self.observe,
        )
        self.random = Random(head)
        self.events: list[object] = []
        self.sent = b""
        self.over = False

    def observe(self, sender: str, octets: bytes, content: bool) -> None:
        # Base64 of what is secret here.
        assert content or (b"c2VjcmV0" not in octets and b"AGEAYg==" not in octets) or sender == "S"

    def say(self) -> None:
        for _ in range(self.random.randint(0, 3)):
            for message in self.random.choice(SAYINGS):
                try:
                    self.client.send(message)
                except IMPOSSIBLE:
                    break
                except BROKEN as error:
                    self.events.append(str(error))
                    self.over = True
                    self.again(error)
                    return

    def feed(self, data: bytes) -> None:
        if self.over:
            return
        self.client.receive_data(data)
        while not self.over:
            in_tls = self.client.state is State.TLS
            # What is queued is thrown away when the session ends.
            self.sent += self.client.data_to_send()
            try:
                event = self.client.next_event()
            except BROKEN as error:
                # Who notices octets behind the reply to STARTTLS depends on their arrival.
                self.events.append(Need.TLS if in_tls else str(error))
                self.over = True
                self.again(error)
                break
            if event is Need.DATA:
                break
            if isinstance(event, Need):
                self.events.append(event)
                self.over = True
                if event is Need.TLS:
                    self.sent += self.client.data_to_send()
                    self.client.tls_established(TLSFacts("TLSv1.3"))
                    assert not self.client.offered
                break
            self.note(event)
        self.sent += self.client.data_to_send()

    def again(self, error: RemoteProtocolError) -> None:
        """A broken connection stays broken."""
        assert self.client.state is State.ERROR
        second: RemoteProtocolError | None = None
        try:
            self.client.next_event()
        except BROKEN as raised:
            second = raised
        assert second is error

    def note(self, event: Reply | ConnectionClosed) -> None:
        if isinstance(event, ConnectionClosed):
            self.events.append(event)
            self.over = True
            return
        # Everything that is made of a reply.
        str(event.explain())
        capabilities(event)
        assert (
            event.text.replace("\n", "").replace("\t", "").isprintable() or not event.text.isascii()
        )
        self.events.append((event, str(event.command), str(event.recipient)))

    def seen(self) -> Seen:
        state = State.TLS if self.events[-1:] == [Need.TLS] else self.client.state
        return Seen(self.events, self.sent, state)


def play(data: bytes, sizes: Random | int) -> Seen:
    """Feed an input in pieces of one size, or of random ones."""
    head, rest = data[:HEAD].ljust(HEAD, b"\0"), data[HEAD:]
    player = Player(head)
    # What a server says to what it heard comes behind that, so the application speaks between.
    for turn in TURN.findall(rest):
        at, before = 0, len(player.events)
        while at < len(turn):
            size = sizes if isinstance(sizes, int) else sizes.randint(1, 40)
            player.feed(turn[at : at + size])
            at += size
        if len(player.events) > before and not player.over:
            player.say()
    player.feed(b"")
    return player.seen()


def target(data: bytes) -> None:
    """One input, in three segmentations."""
    whole = play(data, max(1, len(data)))
    assert b"\n" not in whole.sent.replace(b"\r\n", b"")
    for sizes in (1, Random(len(data))):
        other = play(data, sizes)
        assert other == whole, f"{other}\n{whole}"


OFFERS = lines(
    *("250-mx.example at your service", "250-PIPELINING", "250-SIZE 1000", "250-8BITMIME"),
    *("250-CHUNKING", "250-SMTPUTF8", "250-DSN", "250-STARTTLS", "250-AUTH PLAIN LOGIN"),
    *("250-AUTH=PLAIN", "250-BURL imap", "250-XCLIENT NAME ADDR"),
    *("250-LIMITS MAILMAX=5 RCPTMAX=100 RCPTDOMAINMAX=3", "250-DELIVERBY 60"),
    *("250-FUTURERELEASE 60 2030-01-01T00:00:00Z", "250-MT-PRIORITY STANAG4406"),
    *("250-NO-SOLICITING a.b:C", "250-CONNEG", "250 ENHANCEDSTATUSCODES"),
)


def seeds() -> list[bytes]:
    """What servers say, in front of different clients."""
    codes = (250, 250, 354, 250, 235, 250, 550, 250, 334, 250, 450, 220, 250)
    many = lines(*(f"{code} {'2.0.0 fine' if code < 300 else 'text'}" for code in codes))
    begun = lines("220 mx.example ESMTP") + OFFERS
    texts = [
        begun + many * 3,
        lines("220-mx.example", "220 ready")
        + OFFERS
        + lines("250 2.1.0 ok") * 20
        + lines("421 4.3.2 bye"),
        begun + lines("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 c2VjcmV0") + many,
        begun + lines("220 2.0.0 go ahead", "250 injected") * 2,
        begun + lines("250 1", "250 2", "354 go", "550-5.7.1 no", "550 5.7.1 never") * 3,
        begun + lines("250-2.1.5 to", "250-2.1.5 CONNEG (color=grey)", "250 2.1.5 CONNEG b") * 5,
        lines("554 5.3.2 no service", "221 bye"),
        lines("220 x", "500 what", "250 hello") + lines("250 ok") * 10,
    ]
    return [
        bytes([kind, 31 * kind % 256, 17 * kind % 256]) + text
        for text in texts
        for kind in range(24)
    ]


if __name__ == "__main__":
    main(target, seeds())
