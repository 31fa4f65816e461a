"""What an observer is told of a server's session, where that can hold no other session up."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..requests import Call, CallWithContent, Flow, Report
from ..steps import Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...engine.connection import Observer

__all__ = ["Notes"]

T = TypeVar("T")


class Notes:
    """Lines and chunks of content that an observer is to be told of.

    The connection notes them here.  Before each request of the conversation the observer is called
    for them, in order, by a `Call` such as handlers get; so a session waits for its own observer
    alone.  An exception of the observer is reported, and the session goes on.

    Arguments:
        observer: what is told.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._kept: list[tuple[str, bytes, bool]] = []

    def __call__(self, sender: str, octets: bytes, content: bool) -> None:  # noqa: FBT001  an Observer
        """Note one line, or a chunk of content."""
        self._kept.append((sender, octets, content))

    def run(self, flow: Flow[T]) -> Flow[T]:
        """Run a conversation, and tell the observer what it says and hears."""
        steps = Steps(flow)
        for request in steps:
            yield from self._tell()
            if isinstance(request, CallWithContent):
                request = replace(request, read=partial(self._read, request.read))  # noqa: PLW2901
            try:
                steps.result = yield request
            except BaseException as error:  # noqa: BLE001  # it knows what was under way, not this
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
        except Exception as error:  # noqa: BLE001  the observer's
            yield Report(error)

    def _tell_all(self, kept: list[tuple[str, bytes, bool]]) -> None:
        for each in kept:
            self._observer(*each)
