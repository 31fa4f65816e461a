"""Deliveries to one server, over each adapter; `direct` delivers to mail exchangers.

A delivery is a generator of jobs.  So it is the same for all adapters, and several deliveries can
share a session.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import sync
from ..conversations import Delivery, Envelope
from ..conversations.client.base import ClientBase

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..adapters.async_client import AsyncClient
    from ..adapters.connecting import ConnectionSettings


class Content(NamedTuple):
    """The content of a message; the header may differ by server."""

    header: Callable[[ClientBase], Iterable[bytes]]
    body: Iterable[bytes]

    def made_for(self, client: ClientBase) -> Iterator[bytes]:
        """Return the content for the server of a client."""
        yield from self.header(client)
        yield from self.body


@dataclass(eq=False, slots=True)
class Job:
    """A message for one server.

    Attributes:
        found: what became of it, or the error.
    """

    settings: ConnectionSettings
    envelope: Envelope
    content: Content
    found: Delivery | Exception | None = field(default=None, init=False)

    def delivery(self) -> Delivery:
        """Return what became of the message, once the job is done.

        Raises:
            OSError, SMTPError, RemoteProtocolError: there is no session.
            LocalProtocolError: the message cannot be sent to this server.
        """
        if isinstance(self.found, Exception):
            raise self.found
        assert self.found is not None
        return self.found


Deliver = Callable[[Envelope, Content], Generator[Job, None, Delivery]]
"""Delivers a message; raises what `Job.delivery` does."""


# --- over each adapter ----------------------------------------------------------------------------


def do_jobs(jobs: Generator[Job, None, None], io: str = "sync") -> None:
    """Do jobs, each before the next is asked for; those with the same settings share a session."""
    with contextlib.closing(jobs):
        if io == "sync":
            _do_blocking(jobs)
        elif io == "asyncio":
            import asyncio

            from .. import asyncio as over_asyncio

            with _interrupted_at_once():
                asyncio.run(_do(jobs, over_asyncio.connect_with))
        else:
            import trio

            from .. import trio as over_trio

            try:
                trio.run(_do, jobs, over_trio.connect_with)
            except BaseException as error:
                # While trio connects, Ctrl-C arrives inside an exception group.
                if any(isinstance(each, KeyboardInterrupt) for each in _leaves(error)):
                    raise KeyboardInterrupt from None
                raise


def _do_blocking(jobs: Iterable[Job]) -> None:
    client, settings = None, None
    with contextlib.ExitStack() as session:
        for job in jobs:
            try:
                if client is None or not client.ready or settings != job.settings:
                    client, settings = None, job.settings
                    session.close()
                    client = session.enter_context(sync.connect_with(settings))
                job.found = client.send(job.envelope, job.content.made_for(client))
            except Exception as error:  # noqa: BLE001  # raised where the delivery is asked for
                job.found = error


async def _do(
    jobs: Iterable[Job],
    connect: Callable[[ConnectionSettings], Coroutine[Any, Any, AsyncClient]],
) -> None:
    client, settings = None, None
    async with contextlib.AsyncExitStack() as session:
        for job in jobs:
            try:
                if client is None or not client.ready or settings != job.settings:
                    client, settings = None, job.settings
                    await session.aclose()
                    client = await session.enter_async_context(await connect(settings))
                job.found = await client.send(job.envelope, job.content.made_for(client))
            except Exception as error:  # noqa: BLE001  # raised where the delivery is asked for
                job.found = error


@contextlib.contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end a block also while it reads a file.

    Since Python 3.11 asyncio replaces Python's own handler, and then Ctrl-C waits for its loop.
    """
    before = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if not here or before is not signal.default_int_handler:
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the exceptions in a group at any depth, or the exception itself."""
    inside: tuple[BaseException, ...] | None = getattr(error, "exceptions", None)
    if inside is None:
        yield error
        return
    for each in inside:
        yield from _leaves(each)


# --- where to -------------------------------------------------------------------------------------


def to_one(settings: ConnectionSettings) -> Deliver:
    """Return what delivers to one server."""

    def deliver(envelope: Envelope, content: Content) -> Generator[Job, None, Delivery]:
        job = Job(settings, envelope, content)
        yield job
        return job.delivery()

    return deliver
