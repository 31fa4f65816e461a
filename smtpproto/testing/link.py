"""Two conversations in memory: what one sends, the other receives; a test can add any fault.

A `Link` fulfils the requests of both conversations, as the adapters do over sockets.  The two take
turns: no thread runs and no time passes, so a test always gives the same result.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..conversations.io_requests import (
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
from ..vocabulary.session_facts import TLSFacts

__all__ = ["Chunks", "End", "Link"]

T = TypeVar("T")
_FACTS = TLSFacts("TLSv1.3", "in memory")


@dataclass
class End:
    """One end of a `Link`, and its conversation.

    Attributes:
        tls: the result of its TLS handshake, or the error that ends it.
        inbox: octets that arrived and are unread.
        eof: whether the other end has closed, after what arrived.
        requests: all requests of its conversation so far.
        faults: what to do in place of a request, by its index in `requests`.  An error is thrown
            into the conversation; an `OSError`, except a time limit, also cuts the link.  Octets
            arrive before a `Send` that `reads` is written.
        on_idle: what happens next when both ends wait for each other, in order: an error is thrown
            into the conversation, octets arrive, `b""` is the end of input.  If nothing is left,
            the time limit is over.
        reports: exceptions of the handler.
        report: called with each exception of the handler instead.
        flow: its conversation.
        waiting: the last request, if it is not fulfilled.
        done: whether the conversation is over, or none began.
        result: the return value of the conversation.
        error: the error that ended it.
    """

    tls: TLSFacts | BaseException = _FACTS
    inbox: bytearray = field(default_factory=bytearray)
    eof: bool = False
    requests: list[Request] = field(default_factory=list)
    faults: dict[int, BaseException | bytes] = field(default_factory=dict)
    on_idle: list[BaseException | bytes] = field(default_factory=list)
    reports: list[BaseException] = field(default_factory=list)
    report: Callable[[BaseException], object] | None = None
    flow: Flow[Any] | None = None
    waiting: Request | None = None
    done: bool = True
    result: Any = None
    error: BaseException | None = None

    def begin(self, flow: Flow[Any]) -> None:
        """Begin a conversation; `Link` carries it on."""
        self.flow, self.waiting, self.done, self.error = flow, None, False, None

    def throw(self, error: BaseException) -> None:
        """Put an error in the place of the request for which the conversation waits."""
        self.faults[len(self.requests) - 1] = error

    def sent(self) -> bytes:
        """Return all octets that it sent."""
        return b"".join(each.data for each in self.requests if isinstance(each, Send))

    def resume(self, result: Any = None, error: BaseException | None = None) -> None:
        """Carry the conversation on to its next request."""
        assert self.flow is not None
        self.waiting = None
        try:
            request = self.flow.send(result) if error is None else self.flow.throw(error)
        except StopIteration as stop:
            self.result, self.done = stop.value, True
        except BaseException as raised:  # noqa: BLE001  # also what interrupts an adapter
            self.error, self.done = raised, True
        else:
            self.waiting = request
            self.requests.append(request)


class Link:
    """A client and a server in memory.

    Arguments:
        server: the server's conversation, such as that of a `FakeServer`; None: no server
            answers.  `serve` makes the link of a handler.

    Attributes:
        client: the client's end.
        server: the server's end.
    """

    def __init__(self, server: Flow[None] | None = None) -> None:
        self.client = End()
        self.server = End()
        # Running calls of the handler, and the end that waits for the other's handshake.
        self._depth = 0
        self._shaken: End | None = None
        if server is not None:
            self.server.begin(server)

    def run(self, flow: Flow[T]) -> T:
        """Run a conversation of the client to its end; return its result.

        Raises:
            BaseException: any error that it raises.
        """
        client = self.client
        client.begin(flow)
        while not client.done:
            self._turn(client)
        if client.error is not None:
            raise client.error
        return client.result  # type: ignore[no-any-return]  # a Flow[T] returns a T

    def feed(self, octets: bytes, *later: BaseException | bytes) -> bytes:
        """Send octets to the server; return what it sends until it waits.

        Arguments:
            octets: any octets; may be empty.
            later: what happens while it waits within a call of the handler, as in `End.on_idle`.
        """
        self.server.on_idle += later
        self.server.inbox += octets
        while self._step(self.server):
            pass
        return self._taken()

    def end(self, *, eof: bool = True) -> bytes:
        """Run the server's conversation to its end; return what it sends.

        Arguments:
            eof: whether the client closes; False: it stays silent.
        """
        self.server.eof = self.server.eof or eof
        while not self.server.done:
            self._turn(self.server)
        return self._taken()

    def check(self) -> None:
        """Raise the first exception of the handler in `reports`, if there is one."""
        if self.server.reports:
            raise self.server.reports.pop(0)

    def drop(self) -> None:
        """Cut the link: octets on their way are lost on both sides."""
        for end in (self.client, self.server):
            end.inbox.clear()
            end.eof = True

    def _taken(self) -> bytes:
        octets = bytes(self.client.inbox)
        self.client.inbox.clear()
        return octets

    # --- taking turns -------------------------------------------------------------------------

    def _other(self, end: End) -> End:
        return self.server if end is self.client else self.client

    def _turn(self, end: End) -> None:
        """Do one step of an end, and all that the other can do meanwhile."""
        went = self._step(end)
        while self._step(self._other(end)):
            went = True
        if not went:
            self._idle(end)

    def _idle(self, end: End) -> None:
        """Both ends wait for each other."""
        for each in (end, self._other(end)):
            if each.on_idle and not each.done:
                happens = each.on_idle.pop(0)
                if isinstance(happens, bytes):
                    each.inbox += happens
                    each.eof = not happens
                else:
                    self._resume(each, error=happens)
                return
        self._resume(end, error=TimeoutError())

    def _step(self, end: End) -> bool:
        """Fulfil the request of an end; return whether that was possible."""
        if end.done:
            return False
        request = end.waiting
        if request is None:
            self._resume(end)
            return True
        fault = end.faults.pop(len(end.requests) - 1, None)
        if isinstance(fault, bytes):
            assert isinstance(request, Send), request
            assert request.reads, request
            self._resume(end, fault)
            return True
        if fault is not None:
            if isinstance(fault, OSError) and not isinstance(fault, TimeoutError):
                self.drop()
            self._resume(end, error=fault)
            return True
        if isinstance(request, Receive) and not end.inbox and not end.eof:
            return False
        if isinstance(request, BeginTLS) and not self._may_shake_hands(end):
            return False
        try:
            result = self._fulfil(end, request)
        except BaseException as error:  # noqa: BLE001  # only the conversation knows its state
            self._resume(end, error=error)
        else:
            self._resume(end, result)
        return True

    def _resume(self, end: End, result: Any = None, error: BaseException | None = None) -> None:
        end.resume(result, error)
        if end is self.server and end.done and not self._depth:
            self.client.eof = True
            if isinstance(end.error, Exception):
                # The conversations of this package raise none on the server's side.
                raise end.error

    def _fulfil(self, end: End, request: Request) -> Any:
        other = self._other(end)
        match request:
            case Send():
                if end.eof and other.done:
                    raise BrokenPipeError("in memory: the peer has closed")
                other.inbox += request.data
            case Receive():
                data = bytes(end.inbox[: request.most])
                del end.inbox[: request.most]
                return data
            case HasUnread():
                return bool(end.inbox)
            case BeginTLS():
                return self._shake_hands(end)
            case Call():
                return _finished(request.function(*request.arguments))
            case CallWithContent():
                chunks = Chunks(lambda: self._nested(end, request.read()))
                return _finished(request.function(*request.arguments, chunks))
            case Report():
                (end.report or end.reports.append)(request.error)
        return None

    # --- TLS ----------------------------------------------------------------------------------

    def _may_shake_hands(self, end: End) -> bool:
        other = self._other(end)
        return end.eof or other.done or self._shaken is other or isinstance(other.waiting, BeginTLS)

    def _shake_hands(self, end: End) -> TLSFacts:
        other = self._other(end)
        second = self._shaken is other
        if not second and not other.done:
            assert not end.inbox + other.inbox, "plain text before the handshake"
        self._shaken = None if second else end
        if isinstance(end.tls, BaseException):
            other.eof = True
            raise end.tls
        if other.done and not second:
            raise ConnectionResetError("in memory: the peer has closed")
        return end.tls

    # --- content ------------------------------------------------------------------------------

    def _nested(self, end: End, flow: Flow[T]) -> T:
        """Run a conversation within a call of the handler's."""
        outer, waiting = end.flow, end.waiting
        self._depth += 1
        end.begin(flow)
        try:
            while not end.done:
                self._turn(end)
        finally:
            self._depth -= 1
            result, error = end.result, end.error
            end.flow, end.waiting, end.done, end.error = outer, waiting, False, None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # a Flow[T] returns a T


class Chunks(Iterator[bytes], AsyncIterator[bytes]):
    """Content for a `content` hook, plain or async; once lost it stays lost, as over sockets.

    Arguments:
        read: returns the next chunk, None at the end.
    """

    def __init__(self, read: Callable[[], bytes | None]) -> None:
        self._chunks = iter(read, None)

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        assert chunk is not None
        return chunk

    async def __anext__(self) -> bytes:
        for chunk in self:
            return chunk
        raise StopAsyncIteration


def _finished(result: Any) -> Any:
    """Return the result of a hook; an async one may await nothing but content."""
    if not hasattr(type(result), "__await__"):
        return result
    try:
        next(result.__await__())
    except StopIteration as stop:
        return stop.value
    raise TypeError("the handler awaits something else than its content: use a server over sockets")
