"""Two conversations in memory: what one sends the other receives, and anything may go wrong.

A `Link` does what an adapter does, for both ends at once and without time: a `Receive` that finds
nothing lets the other end go on.  Every request is written down, and a fault can be put in the
place of any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from smtpproto import Client, NameKind, PeerName, Protocol, Rejected, Reply, Session, TLSFacts
from smtpproto.conversations import (
    ClientSettings,
    Delivery,
    Envelope,
    ServerSettings,
    SessionFactory,
    TLSMode,
)
from smtpproto.conversations import client as submit
from smtpproto.conversations.io_requests import (
    BeginTLS,
    Call,
    CallWithContent,
    Flow,
    HasUnread,
    Receive,
    Report,
    Request,
    Send,
)

CLIENT_FACTS = TLSFacts(
    "TLSv1.3", server_name="mx.example", peer_names=(PeerName(NameKind.DNS, "mx.example"),)
)
SERVER_FACTS = TLSFacts("TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", server_name="mx.example")
NAME = "client.example"
CONTENT = b"Subject: test\r\n\r\n.a line with a dot\r\n"


@dataclass
class End:
    """One end of a link.

    Attributes:
        requests: all that its conversation asked for.
        faults: what to throw in place of fulfilling a request, by its index in `requests`; octets:
            what comes before all of a `Send` is written.
        on_idle: what happens when both ends wait, in this order: what is to be thrown, or octets
            that arrive from somewhere; b"" for the end of them.
        reports: what `Report` told.
        error: what ended the conversation.
    """

    facts: TLSFacts
    inbox: bytearray = field(default_factory=bytearray)
    eof: bool = False
    flow: Flow[Any] | None = None
    requests: list[Request] = field(default_factory=list)
    faults: dict[int, BaseException | bytes] = field(default_factory=dict)
    on_idle: list[BaseException | bytes] = field(default_factory=list)
    reports: list[BaseException] = field(default_factory=list)
    waiting: Request | None = None
    result: Any = None
    error: BaseException | None = None
    done: bool = True
    depth: int = 0
    shaken: bool = False

    def sent(self) -> bytes:
        """All octets that it sent."""
        return b"".join(each.data for each in self.requests if isinstance(each, Send))


class Link:
    """A client and a server in memory.

    Arguments:
        server: the server's conversation; None: nobody answers.
        tls: the error of the handshake, on the client and on the server; None: it succeeds.
    """

    def __init__(
        self,
        server: Flow[None] | None = None,
        *,
        tls: tuple[OSError | None, OSError | None] = (None, None),
        client_facts: TLSFacts = CLIENT_FACTS,
        server_facts: TLSFacts = SERVER_FACTS,
    ) -> None:
        self.client = End(client_facts)
        self.server = End(server_facts)
        self._tls = tls
        if server is not None:
            self._begin(self.server, server)

    def run(self, flow: Flow[Any]) -> Any:
        """Run a conversation of the client to its end."""
        client = self.client
        self._begin(client, flow)
        while not client.done:
            self._turn(client)
        if client.error is not None:
            raise client.error
        return client.result

    def end(self, *, eof: bool = True) -> None:
        """The client goes away; the server's conversation runs to its end."""
        self.server.eof = self.server.eof or eof
        while not self.server.done:
            self._turn(self.server)

    def feed(self, data: bytes, *later: BaseException | bytes) -> bytes:
        """Octets for the server as they are, and what it answers.

        What is to happen `later` is what it gets while it waits within a call of the user's.
        """
        self.server.on_idle += later
        self.server.inbox += data
        before = len(self.client.inbox)
        while self._step(self.server):
            pass
        answer = bytes(self.client.inbox[before:])
        del self.client.inbox[before:]
        return answer

    def drop(self) -> None:
        """The link is lost: nothing arrives any more on either side."""
        for end in (self.client, self.server):
            end.inbox.clear()
            end.eof = True

    # --- taking turns -------------------------------------------------------------------------

    def _begin(self, end: End, flow: Flow[Any]) -> None:
        end.flow, end.done, end.error, end.waiting = flow, False, None, None
        self._resume(end, None, None)

    def _other(self, end: End) -> End:
        return self.server if end is self.client else self.client

    def _turn(self, end: End) -> None:
        """One step of an end, and whatever the other can do meanwhile."""
        went = self._step(end)
        while self._step(self._other(end)):
            went = True
        if went:
            return
        for stuck in (end, self._other(end)):
            if stuck.on_idle and not stuck.done:
                happens = stuck.on_idle.pop(0)
                if isinstance(happens, bytes):
                    stuck.inbox += happens
                    stuck.eof = not happens
                else:
                    self._resume(stuck, None, happens)
                return
        raise AssertionError(
            f"both ends wait: client {self.client.waiting}, server {self.server.waiting}"
        )

    def _step(self, end: End) -> bool:
        """Fulfil what an end waits for; whether that was possible."""
        request = end.waiting
        if end.done or request is None:
            return False
        fault = end.faults.pop(len(end.requests) - 1, None)
        if isinstance(fault, bytes):
            assert isinstance(request, Send)
            assert request.reads
            self._resume(end, fault, None)
            return True
        if fault is not None:
            if isinstance(fault, OSError) and not isinstance(fault, TimeoutError):
                self.drop()
            self._resume(end, None, fault)
            return True
        if isinstance(request, Receive) and not end.inbox and not end.eof:
            return False
        if isinstance(request, BeginTLS) and not self._may_shake_hands(end):
            return False
        try:
            result = self._fulfil(end, request)
        # Whatever it is, an adapter throws it into the conversation.
        except BaseException as error:  # noqa: BLE001
            self._resume(end, None, error)
        else:
            self._resume(end, result, None)
        return True

    def _may_shake_hands(self, end: End) -> bool:
        other = self._other(end)
        return end.eof or other.done or other.shaken or isinstance(other.waiting, BeginTLS)

    def _fulfil(self, end: End, request: Request) -> Any:
        match request:
            case Send(data=data):
                if end.eof and self._other(end).done:
                    raise BrokenPipeError("nobody is there")
                self._other(end).inbox += data
            case Receive(most=most):
                data = bytes(end.inbox[:most])
                del end.inbox[:most]
                return data
            case HasUnread():
                return bool(end.inbox)
            case BeginTLS():
                return self._shake_hands(end)
            case Call(function=function, arguments=arguments):
                return done(function(*arguments))
            case CallWithContent(function=function, arguments=arguments, read=read):
                return function(*arguments, self._chunks(end, read))
            case Report(error=error):
                end.reports.append(error)
        return None

    def _shake_hands(self, end: End) -> TLSFacts:
        other = self._other(end)
        if not other.shaken and not other.done:
            assert not end.inbox + other.inbox, "plain text before the handshake"
        end.shaken = not other.shaken
        other.shaken = False
        error = self._tls[0 if end is self.client else 1]
        if error is not None:
            other.eof = True
            raise error
        if other.done:
            raise ConnectionResetError("nobody is there")
        return end.facts

    def _chunks(self, end: End, read: Callable[[], Flow[bytes | None]]) -> Iterator[bytes]:
        while (chunk := self._nested(end, read())) is not None:
            yield chunk

    def _nested(self, end: End, flow: Flow[Any]) -> Any:
        """Run a conversation within a call of the user's."""
        outer, waiting = end.flow, end.waiting
        end.flow, end.depth = flow, end.depth + 1
        self._resume(end, None, None)
        while not end.done:
            self._turn(end)
        result, error = end.result, end.error
        end.flow, end.depth = outer, end.depth - 1
        end.waiting, end.done, end.error = waiting, False, None
        if error is not None:
            raise error
        return result

    def _resume(self, end: End, result: Any, error: BaseException | None) -> None:
        assert end.flow is not None
        try:
            request = end.flow.send(result) if error is None else end.flow.throw(error)
        except StopIteration as stop:
            end.result, end.done, end.waiting = stop.value, True, None
        except BaseException as raised:  # noqa: BLE001  also what interrupts an adapter
            end.error, end.done, end.waiting = raised, True, None
        else:
            end.waiting = request
            end.requests.append(request)
            return
        if end is self.server and not end.depth:
            self.client.eof = True
            if isinstance(end.error, Exception):
                # A server's conversation raises nothing, whatever happens.
                raise end.error


def done(result: Any) -> Any:
    """What a call gave, or what it gives once it is awaited, if that takes no time."""
    if not hasattr(type(result), "__await__"):
        return result
    try:
        next(result.__await__())
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


def script(text: str) -> Flow[None]:
    """An end that says and expects what is written, and closes.

    Lines begin with ">>> " for what it says ("|" is a CRLF within it) and "<<< " for the line it
    expects (which may end with "..."), or are "TLS" for the handshake, "EOF" for waiting until the
    other end has closed.
    """
    buffer = bytearray()
    for line in filter(None, (line.strip() for line in text.splitlines())):
        kind, _, rest = line.partition(" ")
        if kind == ">>>":
            yield Send(rest.replace("|", "\r\n").encode() + b"\r\n", 1)
        elif kind == "TLS":
            assert not buffer
            try:
                yield BeginTLS(1)
            except OSError:
                return
        elif kind == "EOF":
            assert not buffer
            assert (yield Receive(1, True)) == b""
        else:
            assert kind == "<<<", line
            while b"\r\n" not in buffer:
                data = yield Receive(1, True)
                assert data, f"expected {rest!r}, found the end"
                buffer += data
            found, _, buffer = buffer.partition(b"\r\n")
            if rest.endswith("..."):
                assert found.decode().startswith(rest[:-3]), (found, rest)
            else:
                assert found.decode() == rest, (found, rest)


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


def serve(
    handler: object | None = None, *, peer: str = "192.0.2.1", link: Any = None, **settings: Any
) -> Link:
    """A link to a server."""
    factory = SessionFactory(
        handler or Inbox(), ServerSettings(**{"hostname": "mx.example", **settings})
    )
    flow = factory.open(Session(peer=peer))
    assert flow is not None
    return Link(flow, **(link or {}))


def opening(**settings: Any) -> ClientSettings:
    """How to begin; without TLS if nothing else is said."""
    return ClientSettings(**{"name": NAME, "tls": TLSMode.NONE, "host": "mx.example", **settings})


def begin(link: Link, client: Client | None = None, **settings: Any) -> Client:
    """A client that has begun its session over a link."""
    client = client or Client()
    link.run(submit.begin(client, opening(**settings)))
    return client


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
