"""Calls the observer of a server's session, so that no other session waits for it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..conversation_steps import Steps
from ..io_requests import Call, CallWithContent, Flow, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...engine.connection import Observer

__all__ = ["Notes"]

T = TypeVar("T")


class Notes:
    """Collects lines and chunks of content, and passes them to an observer.

    The connection adds them here.  Before each request of the conversation, a `Call` passes them to
    the observer in order, as for handlers.  So only its own session waits for an observer.  If the
    observer raises an exception, this reports it and the session continues.

    Arguments:
        observer: the observer to call.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._kept: list[tuple[str, bytes, bool]] = []

    def __call__(self, sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        """Add one line, or a chunk of content."""
        self._kept.append((sender, octets, content))

    def run(self, flow: Flow[T]) -> Flow[T]:
        """Run a conversation, and tell the observer what both sides send."""
        steps = Steps(flow)
        for request in steps:
            yield from self._tell()
            if isinstance(request, CallWithContent):
                request = replace(request, read=partial(self._read, request.read))  # noqa: PLW2901
            try:
                steps.result = yield request
            except BaseException as error:  # noqa: BLE001  # the conversation handles it
                steps.error = error
        yield from self._tell()
        return steps.returned

    def _read(self, read: Callable[[], Flow[bytes | None]]) -> Flow[bytes | None]:
        return self.run(read())

    def _tell(self) -> Flow[None]:
        kept, self._kept = self._kept, []
        if not kept:
            return
        try:
            yield Call(self._tell_all, (kept,))
        except Exception as error:  # noqa: BLE001  # an error of the observer
            yield Report(error)

    def _tell_all(self, kept: list[tuple[str, bytes, bool]]) -> None:
        for each in kept:
            self._observer(*each)
