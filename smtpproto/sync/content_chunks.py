"""The iterator of message content for a handler that takes it in chunks as it arrives."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..conversations.io_requests import Call
from ..conversations.server.incoming_content import ContentLost

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Chunks"]


class Chunks(Iterator[bytes], AbstractContextManager["Chunks"]):
    """An iterator for the handler's thread; the server's selector loop reads the content.

    The loop reads a chunk when the handler asks for it, so a slow handler slows its client down.
    Between two chunks the handler's thread also calls hooks, because it waits anyway.

    Arguments:
        ask: tells the loop that the handler wants a chunk.
        perform: calls a hook and tells the loop its result.

    Raises:
        ContentLost: the content stays incomplete, or the handler has returned.
    """

    def __init__(self, ask: Callable[[], None], perform: Callable[[Call], None]) -> None:
        self._ask = ask
        self._perform = perform
        self._answers: queue.SimpleQueue[bytes | BaseException | Call | None] = queue.SimpleQueue()
        # Several threads of the handler may ask for chunks.
        self._lock = threading.Lock()
        self._over = False

    def give(self, answer: bytes | BaseException | Call | None) -> None:
        """Give the handler a chunk, None at the end, an error, or a hook to call first."""
        self._answers.put(answer)

    def __next__(self) -> bytes:
        with self._lock:
            if self._over:
                raise ContentLost("the handler has returned, and its content is gone")
            self._ask()
            while isinstance(answer := self._answers.get(), Call):
                self._perform(answer)
        if isinstance(answer, BaseException):
            try:
                raise answer
            finally:
                # The error refers to this frame, see `run` of `link`.
                del answer
        if answer is None:
            raise StopIteration
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the iteration, because the handler has returned."""
        with self._lock:
            self._over = True
