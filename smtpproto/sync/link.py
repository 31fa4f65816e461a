"""A blocking link, and the loop that runs a conversation over it."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..adapters import host
from ..adapters.link_base import READ, WRITE, LinkBase, Waited
from ..conversations import io_requests
from ..conversations.io_requests import Flow, Request

__all__ = ["Link", "at_once", "run"]

T = TypeVar("T")


class Link(LinkBase):
    """A link that waits in `fulfil`."""

    __slots__ = ()

    _now = staticmethod(time.monotonic)

    def fulfil(self, request: Waited) -> Any:
        """Fulfil a request; return its result.

        Raises:
            OSError: the link broke, or the time is over (`TimeoutError`).
        """
        if self.expect(request):
            return None
        result = None if self.events else self.attempt()
        while self.events:
            poll = select.poll()
            reads = select.POLLIN if self.events & READ else 0
            poll.register(self.sock, reads | (select.POLLOUT if self.events & WRITE else 0))
            if not poll.poll(max(0.0, self.deadline - self._now()) * 1000):
                raise self.late()
            result = self.attempt()
        return result


def run(flow: Flow[T], link: Link | None = None) -> T:
    """Run a conversation to its end; the link may be None if it only calls functions.

    Raises:
        Exception: any error that the conversation raises.
    """
    resume: Callable[[Any], Request] = flow.send
    result: Any = None
    while True:
        try:
            request = resume(result)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            # It may be an error, which refers to this frame: a reference back would keep the link
            # in memory until the garbage collector runs.
            result = None
        try:
            resume, result = flow.send, _fulfil(request, link)
        except BaseException as raised:  # noqa: BLE001  # the conversation handles it
            resume, result = flow.throw, raised


def _fulfil(request: Request, link: Link | None) -> Any:
    """Fulfil a request of a conversation; return the result."""
    if isinstance(request, io_requests.Call):
        return at_once(request.function(*request.arguments))
    if isinstance(request, io_requests.Report):
        return host.report(request.error)
    assert link is not None
    if isinstance(request, io_requests.HasUnread):
        return link.has_input()
    assert not isinstance(request, io_requests.CallWithContent)
    return link.fulfil(request)


def at_once(result: Any) -> Any:
    """Return the result of a user's function.

    Raises:
        TypeError: the result must be awaited.
    """
    if hasattr(type(result), "__await__"):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError(
            f"the blocking adapter cannot await, found {result!r:.80}: write a plain function, or "
            "use smtpproto.asyncio or smtpproto.trio"
        )
    return result
