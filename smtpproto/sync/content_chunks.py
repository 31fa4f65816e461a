"""Message content for a handler that takes it in chunks while it arrives."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..conversations.requests import Call
from ..conversations.server.incoming_content import ContentLost

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Chunks"]


class Chunks(Iterator[bytes], AbstractContextManager["Chunks"]):
    """An iterator for the handler's thread; the server's selector reads the content.

    A chunk is read when the handler asks for it, so a handler that is slow holds its client up.
    Hooks that are due between two chunks are called in the handler's thread, which waits anyway.

    Arguments:
        ask: tells the selector that a chunk is wanted.
        perform: calls a hook and tells the selector what came of it.

    Raises:
        ContentLost: the content does not become complete, or the handler has returned.
    """

    def __init__(self, ask: Callable[[], None], perform: Callable[[Call], None]) -> None:
        self._ask = ask
        self._perform = perform
        self._answers: queue.SimpleQueue[bytes | BaseException | Call | None] = queue.SimpleQueue()
        # A handler may have threads of its own.
        self._lock = threading.Lock()
        self._over = False

    def give(self, answer: bytes | BaseException | Call | None) -> None:
        """Answer the handler: with a chunk, None at the end, an error, or a hook to call before."""
        self._answers.put(answer)

    def __next__(self) -> bytes:
        with self._lock:
            if self._over:
                raise ContentLost("the handler has returned, and its content is gone")
            self._ask()
            while isinstance(answer := self._answers.get(), Call):
                self._perform(answer)
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            raise StopIteration
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The handler has returned: nothing is read for it any more."""
        with self._lock:
            self._over = True
