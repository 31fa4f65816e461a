"""`send` over trio; imported only if asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from ..trio import connect_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ..conversations import Delivery
    from .sending import Connect

__all__ = ["send_over_trio"]


def send_over_trio(send: Callable[[Connect], Awaitable[Delivery]]) -> Delivery:
    """Run what sends one message; raises the errors of the blocking client."""
    try:
        return trio.run(send, connect_with)
    except BaseException as error:
        if any(isinstance(each, KeyboardInterrupt) for each in _leaves(error)):
            # While trio connects, Ctrl-C arrives inside an exception group.
            raise KeyboardInterrupt from None
        raise


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the exceptions in a group at any depth, or the exception itself."""
    inside: tuple[BaseException, ...] | None = getattr(error, "exceptions", None)
    if inside is None:
        yield error
        return
    for each in inside:
        yield from _leaves(each)
