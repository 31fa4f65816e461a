"""Runs a conversation for the adapters that can await: the loop, and chunks for a handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from ..conversations.conversation_steps import Steps
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
from ..conversations.server.incoming_content import ContentLost
from ..timeouts import LAST_CALL_TIMEOUT
from . import host
from .link_base import LinkBase, Waited

__all__ = ["AsyncLink", "AsyncRunner", "Following"]

T = TypeVar("T")


Following = Callable[[], Request]
"""Returns the next request, or raises what the conversation raised; `StopIteration` at its end."""


class AsyncLink(LinkBase):
    """A link that waits with the adapter's library.

    It uses the socket directly.  A stream of that library would take more memory for each idle
    session, and one turn of the scheduler for each write.
    """

    __slots__ = ()

    def fulfil(self, request: Waited, steps: Steps[Any]) -> Awaitable[Following | None] | None:
        """Fulfil a request of a conversation, and perhaps those that follow.

        Returns:
            None if the request is fulfilled, otherwise what to await before the next step.  If the
            link takes further steps meanwhile, that returns the outcome of the last one.

        Raises:
            OSError: the link broke, or the time is over.
            Draining: see `LinkBase.attempt`.
        """
        raise NotImplementedError


class AsyncRunner:
    """Runs conversations; a subclass says how its adapter cancels.

    Attributes:
        interrupts: exceptions for the program, such as a cancellation.  The runner throws them into
            the conversation too, and raises them after it has ended.
    """

    interrupts: tuple[type[BaseException], ...]

    def _is_cancelled(self, raised: BaseException) -> bool:
        """Return whether this exception came because the task was cancelled."""
        return isinstance(raised, self.interrupts)

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
        steps, interrupt, cancelled = Steps(flow), None, False
        following: Following = steps.__next__
        waiting: Awaitable[Following | None] | None = None
        try:
            while True:
                request = following()
                following = steps.__next__
                try:
                    # The most frequent requests come first, for speed.
                    if (
                        type(request) is Receive
                        or type(request) is Send
                        or type(request) is BeginTLS
                    ):
                        assert link is not None
                        waiting = link.fulfil(request, steps)
                        if waiting is not None:
                            following = await waiting or following
                        continue
                    result = self._fulfil(request, link)
                    if hasattr(type(result), "__await__"):
                        if cancelled and type(request) is Call:
                            seconds = LAST_CALL_TIMEOUT if link is not None else 0.0
                            result = self._finish(result, seconds)
                        result = await result
                    steps.result = result
                except BaseException as raised:  # noqa: BLE001  # the conversation handles it
                    steps.error = raised
                    interrupt = raised if isinstance(raised, self.interrupts) else interrupt
                    cancelled = cancelled or self._is_cancelled(raised)
        except StopIteration:
            pass
        finally:
            # They may hold an error, which refers to this frame: a reference back would keep the
            # link in memory until the garbage collector runs.
            del following, waiting
            if interrupt is not None:
                raise interrupt
        return steps.returned

    def _fulfil(self, request: Request, link: AsyncLink | None) -> Any:
        """Fulfil a request; return the result, or an awaitable of it."""
        if type(request) is Call:
            return request.function(*request.arguments)
        if type(request) is Report:
            return host.report(request.error)
        assert link is not None
        if type(request) is HasUnread:
            return link.has_input()
        assert type(request) is CallWithContent
        return _call(request, _Chunks(lambda: self.run(request.read(), link)), link)

    async def serve(self, flow: Flow[None], link: AsyncLink) -> None:
        """Run the conversation of a session; log an error of ours, so that the server goes on."""
        try:
            await self.run(flow, link)
            link.close()
        except self.interrupts:
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and self._is_cancelled(error):
                raise
            host.log().exception("a session failed")


async def _call(request: CallWithContent, chunks: _Chunks, link: AsyncLink) -> Any:
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
