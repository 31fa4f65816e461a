"""`send` over trio; imported only if asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .. import trio as adapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..adapters.connecting import ConnectionSettings
    from ..conversations import Delivery, Envelope
    from ..conversations.client.base import ClientBase

__all__ = ["send_over_trio"]


def send_over_trio(
    settings: ConnectionSettings,
    envelope: Envelope,
    content: Callable[[ClientBase], Iterator[bytes]],
) -> Delivery:
    """Send one message; raises the errors of the blocking client."""

    async def main() -> Delivery:
        async with await adapter.connect_with(settings) as client:
            return await client.send(envelope, content(client))

    try:
        return trio.run(main)
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
