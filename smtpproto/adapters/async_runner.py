"""Runs a conversation for the adapters that can await: the loop, and chunks for a handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from ..conversations import io_requests
from ..conversations.conversation_steps import Steps
from ..conversations.io_requests import Flow, Request
from ..conversations.server.incoming_content import ContentLost
from ..timeouts import LAST_CALL_TIMEOUT
from . import host
from .async_link import AsyncLink

__all__ = ["AsyncRunner"]

T = TypeVar("T")


class AsyncRunner:
    """Runs conversations; a subclass says how its adapter cancels.

    Attributes:
        interrupts: exceptions for the program, such as a cancellation.  The runner throws them into
            the conversation too, and raises them after it has ended.
    """

    interrupts: tuple[type[BaseException], ...]
    _steps: type[Steps[Any]] = Steps

    def _is_cancelled(self, raised: BaseException) -> bool:
        """Return whether this exception came because the task was cancelled."""
        raise NotImplementedError

    async def _finish(self, call: Awaitable[T], seconds: float) -> T:
        """Await a call of a cancelled conversation.

        Raises:
            TimeoutError: it took more than so many seconds.
        """
        raise NotImplementedError

    @staticmethod
    def _late(seconds: float) -> TimeoutError:
        """Return the error of `_finish`."""
        return TimeoutError(
            f"the session was cancelled, and the call took more than {seconds:g} seconds"
        )

    async def run(self, flow: Flow[T], link: AsyncLink | None = None) -> T:
        """Run a conversation to its end; the link may be None if it only calls functions.

        After a cancellation, each call that the conversation of a session still makes, such as the
        hook `closed`, has `LAST_CALL_TIMEOUT` seconds.

        Raises:
            Exception: any error that the conversation raises.
            BaseException: the state of the conversation is unknown: close the link.
        """
        steps, interrupt, cancelled = self._steps(flow), None, False
        try:
            for request in steps:
                try:
                    # The most frequent requests come first, for speed.
                    if type(request) is io_requests.Receive:
                        assert link is not None
                        steps.result = await link.receive(request, steps)
                        continue
                    if type(request) is io_requests.Send:
                        assert link is not None
                        sending = link.send(request)
                        steps.result = None if sending is None else await sending
                        continue
                    result = self._fulfil(request, link)
                    if hasattr(type(result), "__await__"):
                        if cancelled and type(request) is io_requests.Call:
                            seconds = LAST_CALL_TIMEOUT if link is not None else 0.0
                            result = self._finish(result, seconds)
                        result = await result
                    steps.result = result
                except BaseException as raised:  # noqa: BLE001  # the conversation handles it
                    steps.error = raised
                    interrupt = raised if isinstance(raised, self.interrupts) else interrupt
                    cancelled = cancelled or self._is_cancelled(raised)
        finally:
            if interrupt is not None:
                raise interrupt
        return steps.returned  # type: ignore[no-any-return]  # it is of this flow

    def _fulfil(self, request: Request, link: AsyncLink | None) -> Any:
        """Fulfil a request; return the result, or an awaitable of it."""
        if type(request) is io_requests.Call:
            return request.function(*request.arguments)
        if type(request) is io_requests.Report:
            return host.report(request.error)
        assert link is not None
        if type(request) is io_requests.HasUnread:
            return link.has_input()
        if type(request) is io_requests.CallWithContent:
            return _call(request, _Chunks(lambda: self.run(request.read(), link)), link)
        assert type(request) is io_requests.BeginTLS
        return link.start_tls(request)


async def _call(request: io_requests.CallWithContent, chunks: _Chunks, link: AsyncLink) -> Any:
    try:
        with chunks:
            return await request.function(*request.arguments, chunks)
    finally:
        if chunks.reading:
            # Two tasks cannot read from one link: the content would go to either.
            link.abort()


class _Chunks(AsyncIterator[bytes], AbstractContextManager["_Chunks"]):
    """The content for a handler.  After the handler has returned, its other tasks get an error.

    Only the end of the content ends the iteration normally.  A cancellation or an error raises,
    because the chunks before it are no complete message.

    Arguments:
        read: reads a chunk; None is the end.

    Attributes:
        reading: whether a task waits for a chunk.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes | None]]) -> None:
        self._read = read
        self.reading = self._over = self._interrupted = False

    async def __anext__(self) -> bytes:
        if self._over:
            raise ContentLost("the handler has returned, and its content is gone")
        if self._interrupted:
            raise ContentLost("reading the content was interrupted before")
        if self.reading:
            raise RuntimeError("another task waits for a chunk of this content: read it in one")
        self.reading = True
        try:
            chunk = await self._read()
        except BaseException:
            # Some octets may be lost: they were read, but are in no chunk.
            self._interrupted = True
            raise
        finally:
            self.reading = False
        if chunk is None:
            raise StopAsyncIteration
        return bytes(chunk)

    def __exit__(self, *_: object) -> None:
        self._over = True
