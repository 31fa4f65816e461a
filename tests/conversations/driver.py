"""Words for conversations in memory, over `smtpproto.testing.Link`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smtpproto import (
    Client,
    NameKind,
    PeerName,
    Protocol,
    Rejected,
    Reply,
    Session,
    TLSFacts,
    testing,
)
from smtpproto.conversations import ClientSettings, Delivery, Envelope, TLSMode
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import Flow
from smtpproto.testing import FakeServer, Link

CLIENT_FACTS = TLSFacts(
    "TLSv1.3", server_name="mx.example", peer_names=(PeerName(NameKind.DNS, "mx.example"),)
)
SERVER_FACTS = TLSFacts("TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", server_name="mx.example")
NAME = "client.example"
CONTENT = b"Subject: test\r\n\r\n.a line with a dot\r\n"


def follow(script: str) -> Link:
    """A link to a `FakeServer` with a certificate, whose script is played to its end."""

    def play() -> Flow[None]:
        server = FakeServer(script)
        yield from server.conversation()
        server.check()

    link = Link(play())
    link.client.tls = CLIENT_FACTS
    return link


@dataclass
class Inbox:
    """A handler that keeps what it gets; `answers` are what its methods say or raise, by name."""

    answers: dict[str, Any] = field(default_factory=dict)
    messages: list[tuple[Session, Envelope, bytes]] = field(default_factory=list)
    refusals: list[Rejected] = field(default_factory=list)
    ended: list[Session] = field(default_factory=list)

    def _answer(self, name: str) -> Any:
        answer = self.answers.get(name)
        if isinstance(answer, BaseException):
            raise answer
        return answer(self) if callable(answer) else answer

    def connect(self, session: Session) -> Any:
        return self._answer("connect")

    def ehlo(self, session: Session, hello: object) -> Any:
        return self._answer("ehlo")

    def mail(self, session: Session, mail: object) -> Any:
        return self._answer("mail")

    def rcpt(self, session: Session, rcpt: Any) -> Any:
        answer = self._answer("rcpt")
        return answer.get(str(rcpt.forward_path)) if isinstance(answer, dict) else answer

    def message(self, session: Session, envelope: Envelope, content: bytes) -> Any:
        self.messages.append((session, envelope, content))
        return self._answer("message")

    def rejected(self, session: Session, rejected: Rejected) -> Any:
        self.refusals.append(rejected)
        return self._answer("rejected")

    def closed(self, session: Session) -> Any:
        self.ended.append(session)
        return self._answer("closed")


def serve(handler: object | None = None, *, peer: str = "192.0.2.1", **settings: Any) -> Link:
    """A link to a server that has a certificate."""
    link = testing.serve(
        handler or Inbox(), session=Session(peer=peer), **{"hostname": "mx.example", **settings}
    )
    link.client.tls, link.server.tls = CLIENT_FACTS, SERVER_FACTS
    return link


def opening(**settings: Any) -> ClientSettings:
    """How to begin; without TLS if nothing else is said."""
    return ClientSettings(**{"name": NAME, "tls": TLSMode.NONE, "host": "mx.example", **settings})


def begin(link: Link, client: Client | None = None, **settings: Any) -> Client:
    """A client that has begun its session over a link."""
    client = client or Client()
    link.run(submit.begin(client, opening(**settings)))
    return client


def scripted(text: str, *offers: str) -> tuple[Link, Client]:
    """A client of a server that offers this, and then follows a script."""
    hello = "\n".join(f"S: 250-{line}" for line in ("mx.example", *offers))
    link = follow(f"S: 220 mx.example\nC: EHLO {NAME}\n{hello}\nS: 250 HELP\n{text}")
    return link, begin(link)


def lmtp_client() -> Client:
    """A client that speaks LMTP."""
    return Client(protocol=Protocol.LMTP)


def deliver(
    link: Link,
    client: Client,
    content: Any = CONTENT,
    to: tuple[str, ...] = ("bob@mx.example",),
    **settings: Any,
) -> Delivery:
    """Deliver something."""
    envelope = settings.pop("envelope", None) or Envelope.of("alice@client.example", to)
    delivery = link.run(submit.deliver(client, envelope, content, **settings))
    assert isinstance(delivery, Delivery)
    return delivery


def statuses(delivery: Delivery) -> list[str]:
    """The outcomes, in short."""
    return [outcome.status.name for outcome in delivery.outcomes]


NO = Reply(550, "5.1.1", "no such mailbox")
