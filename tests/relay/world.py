"""A relay with a name server before it and a mail server behind it, all on loopback."""

from __future__ import annotations

import contextlib
import dataclasses
import email
import email.policy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from examples.dane_and_mta_sts import Ways
from examples.dane_and_mta_sts import fetch as default_fetch
from examples.names import Records, name_server
from examples.relay.attempt import Routes
from examples.relay.delivery import Deliverer, Schedule
from examples.relay.reception import EXTENSIONS, Reception
from examples.relay.store import Store
from smtpproto import ForwardPath, Rcpt, Reply, Session, sync
from smtpproto.sync import Envelope, TrustedNetworks
from tests.programs import HOST, until

LETTER = b"From: eve@here.example\r\nSubject: hello\r\n\r\nHello.\r\n"
NO_USER = Reply(550, "5.1.1", "no such user")
QUICK = Schedule(first=0.05, longest=0.2)
Zone = dict[tuple[str, str], Records]


def zone(*domains: str) -> Zone:
    """Domains whose mail the server behind the relay takes."""
    records: Zone = {("mx.example", "A"): HOST}
    return {**records, **{(domain, "MX"): "10 mx.example." for domain in domains}}


@dataclass
class NextHop:
    """What the relay delivers to.

    Attributes:
        arrived: what was accepted.
        answers: what to reply to recipients, each time; None accepts.
        sessions: how many there were.
    """

    arrived: list[tuple[Envelope, bytes]] = field(default_factory=list)
    answers: dict[str, list[Reply | None]] = field(default_factory=dict)
    sessions: int = 0

    def connect(self, session: Session) -> None:
        self.sessions += 1

    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        answers = self.answers.get(str(rcpt.forward_path.mailbox))
        return answers.pop(0) if answers else None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.arrived.append((envelope, content))

    def of(self, sender: str) -> list[tuple[Envelope, bytes]]:
        """What came from a sender; empty for notifications."""
        return [each for each in self.arrived if str(each[0].reverse_path) == f"<{sender}>"]

    def wait_for(
        self, count: int, sender: str = "eve@here.example"
    ) -> list[tuple[Envelope, bytes]]:
        until(lambda: len(self.of(sender)) >= count, 20, f"{count} messages")
        assert len(self.of(sender)) == count
        return self.of(sender)


@dataclass
class Relay:
    """A running relay."""

    port: int
    store: Store
    routes: Routes
    behind: NextHop

    def send(self, *recipients: str, content: bytes = LETTER) -> sync.Delivery:
        return self.submit(Envelope.of("eve@here.example", recipients), content)

    def submit(self, envelope: Envelope, content: bytes = LETTER, **options: Any) -> sync.Delivery:
        with sync.connect(HOST, self.port, name="client.example", **options) as client:
            return client.send(envelope, content)

    def wait_until_empty(self) -> None:
        until(lambda: not self.store.listing(), 20, "an empty queue")

    def attempted(self) -> None:
        """Wait until the first message was tried, and stays in the queue."""
        until(lambda: self.store.listing()[0]["tries"], 20, "an attempt")

    def forget_routes(self) -> None:
        """DNS is asked anew, and connections are made anew."""
        self.routes.close()
        self.routes.known.clear()

    def notification(self) -> tuple[Envelope, bytes]:
        """The only one."""
        ((envelope, content),) = self.behind.wait_for(1, "")
        return envelope, content


@contextlib.contextmanager
def relay(
    folder: Path,
    records: Zone,
    *,
    schedule: Schedule = QUICK,
    behind: Sequence[sync.ListeningSettings] = (sync.ListeningSettings(extensions=EXTENSIONS),),
    handler: object | None = None,
    fetch: Callable[[str], str] | None = None,
    trust: Any = None,
    tls: Any = None,
    port: int = 0,
) -> Iterator[Relay]:
    """A relay for clients on loopback.

    Arguments:
        folder: for its queue.
        records: what DNS says.
        schedule: when it delivers.
        behind: the settings of the servers behind it, which have one port.
        handler: theirs; one that keeps everything, if there is none.
        fetch: gets MTA-STS policies.
        trust: whose certificates it believes.
        tls: its own context.
        port: that of the servers behind it.
    """
    hop = NextHop()
    with contextlib.ExitStack() as stack:
        resolver = stack.enter_context(name_server(records))
        resolver.lifetime = 10
        for settings in behind:
            there = dataclasses.replace(settings, port=port, hostname="mx.example")
            server = sync.serve_with(handler or hop, there)  # type: ignore[arg-type]  # any handler
            port = stack.enter_context(server).port
        store = Store(folder / "queue.db")
        stack.callback(store.close)
        ways = Ways(resolver, port, trust, fetch or default_fetch, "relay.example")
        routes = Routes(ways)
        stack.callback(routes.close)
        deliverer = Deliverer(store, routes, "relay.example", schedule)
        stack.callback(deliverer.stop)
        reception = Reception(
            store,
            resolver,
            TrustedNetworks([HOST]),
            ["open.example"],
            ForwardPath.of("root@there.example"),
            deliverer.wake,
        )
        front = stack.enter_context(
            sync.serve(reception, hostname="relay.example", extensions=EXTENSIONS, tls_context=tls)
        )
        yield Relay(front.port, store, routes, hop)


def read(notification: bytes) -> tuple[EmailMessage, str, list[EmailMessage], EmailMessage]:
    """A notification: all of it, its text, its groups of fields, and what it returns."""
    message = email.message_from_bytes(notification, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.get_content_type() == "multipart/report"
    assert message["content-type"].params["report-type"] == "delivery-status"
    text, status, returned = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(returned, EmailMessage)
    groups = [group for group in status.iter_parts() if isinstance(group, EmailMessage)]
    return message, text.get_content(), groups, returned
