"""`Steps`: a conversation as an iterator of requests, for the loops of the adapters."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from .io_requests import Flow, Request

__all__ = ["Steps"]

T = TypeVar("T")


class Steps(Generic[T]):
    """An iterator over the requests of a conversation.

    Attributes:
        result: the result of the last request; None again for each new one.
        error: the error to throw into the conversation instead; None again for each new one.
        returned: the conversation's return value.
    """

    __slots__ = ("_flow", "error", "result", "returned")

    returned: T

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.result: Any = None
        self.error: BaseException | None = None

    def __iter__(self) -> Steps[T]:
        return self

    def __next__(self) -> Request:
        result, error = self.result, self.error
        self.result = self.error = None
        try:
            return self._flow.send(result) if error is None else self._flow.throw(error)
        except StopIteration as stop:
            self.returned = stop.value
            raise
