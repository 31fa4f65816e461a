"""Handlers that fit, and handlers that do not: mypy says so, and so does `serve` at the start.

`make types` checks this file with `mypy --strict`, which fails on a comment `type: ignore` without
an error in its line.  So each of them is a test that there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
import trio

import smtpproto.asyncio
import smtpproto.trio
from smtpproto import Mail, Rcpt, Reply, Session, sync
from smtpproto.conversations import Answer, AsyncHandler, ContentAnswer, Envelope, Handler

# --- what fits ----------------------------------------------------------------------------------


class Whole:
    def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        return None


class Loose:
    """What it does not look at may be anything, and the names of arguments are its own."""

    def message(self, one: object, two: object, three: object) -> None:
        pass


class Chunks:
    def content(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> None:
        pass


class OneByOne:
    def message(
        self, session: Session, envelope: Envelope, content: bytes
    ) -> Iterator[Reply | None]:
        yield None


class Listed:
    def message(self, session: Session, envelope: Envelope, content: bytes) -> list[Reply | None]:
        return [None]


class Inherits(Handler):
    def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        return None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> ContentAnswer:
        return None


class AsyncWhole:
    async def message(self, session: Session, envelope: Envelope, content: bytes) -> Reply | None:
        return None


class AsyncChunks:
    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> None:
        pass


class AsyncOneByOne:
    async def message(
        self, session: Session, envelope: Envelope, content: bytes
    ) -> AsyncIterator[Reply | None]:
        yield None


class AsyncInherits(AsyncHandler):
    """Some of its methods may be plain."""

    def mail(self, session: Session, mail: Mail) -> Reply | None:
        return None

    async def rcpt(self, session: Session, rcpt: Rcpt) -> Reply | None:
        return None

    async def content(
        self, session: Session, envelope: Envelope, chunks: AsyncIterator[bytes]
    ) -> ContentAnswer:
        return None


def test_what_fits_the_blocking_server() -> None:
    sync.serve(Whole()).stop()
    sync.serve(Loose()).stop()
    sync.serve(Chunks()).stop()
    sync.serve(OneByOne()).stop()
    sync.serve(Listed()).stop()
    sync.serve(Inherits()).stop()


Status = trio.TaskStatus[smtpproto.trio.Server]


def served(serve: Callable[[Status], Awaitable[None]]) -> None:
    """Start a server over trio, and cancel it once it listens."""

    async def run(task_status: Status) -> None:
        await serve(task_status)

    async def main() -> None:
        errors = []
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(run)
            except TypeError as error:
                errors.append(error)
            nursery.cancel_scope.cancel()
        for each in errors:
            raise each

    trio.run(main)


def test_what_fits_over_trio() -> None:
    served(lambda status: smtpproto.trio.serve(Whole(), task_status=status))
    served(lambda status: smtpproto.trio.serve(OneByOne(), task_status=status))
    served(lambda status: smtpproto.trio.serve(AsyncWhole(), task_status=status))
    served(lambda status: smtpproto.trio.serve(AsyncChunks(), task_status=status))
    served(lambda status: smtpproto.trio.serve(AsyncOneByOne(), task_status=status))
    served(lambda status: smtpproto.trio.serve(AsyncInherits(), task_status=status))


def served_over_asyncio(serve: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    """Start a server over asyncio, and stop it once it listens."""

    async def main() -> None:
        async with serve():
            pass

    asyncio.run(main())


def test_what_fits_over_asyncio() -> None:
    served_over_asyncio(lambda: smtpproto.asyncio.serve(Whole()))
    served_over_asyncio(lambda: smtpproto.asyncio.serve(OneByOne()))
    served_over_asyncio(lambda: smtpproto.asyncio.serve(AsyncWhole()))
    served_over_asyncio(lambda: smtpproto.asyncio.serve(AsyncChunks()))
    served_over_asyncio(lambda: smtpproto.asyncio.serve(AsyncOneByOne()))
    served_over_asyncio(lambda: smtpproto.asyncio.serve(AsyncInherits()))


# --- what does not ------------------------------------------------------------------------------


class Nothing:
    pass


class TooFew:
    def message(self, session: Session, envelope: Envelope) -> None:
        pass


class Misspelt:
    def mesage(self, session: Session, envelope: Envelope, content: bytes) -> None:
        pass


def test_what_does_not_fit_the_blocking_server() -> None:
    with pytest.raises(TypeError, match="Nothing does not take mail"):
        sync.serve(Nothing())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"TooFew\.message takes"):
        sync.serve(TooFew())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Misspelt\.mesage is no hook"):
        sync.serve(Misspelt())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="found the class Whole"):
        sync.serve(Whole)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"AsyncWhole\.message is async"):
        sync.serve(AsyncWhole())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"AsyncChunks\.content is async"):
        sync.serve(AsyncChunks())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"AsyncOneByOne\.message is async"):
        sync.serve(AsyncOneByOne())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"AsyncInherits.(content|rcpt) is async"):
        sync.serve(AsyncInherits())  # type: ignore[arg-type]


def test_what_does_not_fit_over_trio() -> None:
    with pytest.raises(TypeError, match="Nothing does not take mail"):
        served(lambda status: smtpproto.trio.serve(Nothing(), task_status=status))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Chunks\.content is not async"):
        served(lambda status: smtpproto.trio.serve(Chunks(), task_status=status))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="found the class AsyncWhole"):
        served(lambda status: smtpproto.trio.serve(AsyncWhole, task_status=status))  # type: ignore[arg-type]


def test_what_does_not_fit_over_asyncio() -> None:
    with pytest.raises(TypeError, match="Nothing does not take mail"):
        served_over_asyncio(lambda: smtpproto.asyncio.serve(Nothing()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Chunks\.content is not async"):
        served_over_asyncio(lambda: smtpproto.asyncio.serve(Chunks()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="found the class AsyncWhole"):
        served_over_asyncio(lambda: smtpproto.asyncio.serve(AsyncWhole))  # type: ignore[arg-type]


class WrongOverride(Handler):
    def rcpt(self, session: Session) -> Reply | None:  # type: ignore[override]
        return None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        pass


class WrongAnswer(Handler):
    def rcpt(self, session: Session, rcpt: Rcpt) -> str:  # type: ignore[override]
        return "250 yes"

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        pass


class AsyncInBlocking(Handler):
    async def rcpt(self, session: Session, rcpt: Rcpt) -> Answer:  # type: ignore[override]
        return None

    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        pass


class PlainBody(AsyncHandler):
    def content(  # type: ignore[override]
        self, session: Session, envelope: Envelope, chunks: Iterator[bytes]
    ) -> None:
        pass


def test_what_inherits_is_held_to_each_hook() -> None:
    with pytest.raises(TypeError, match=r"WrongOverride\.rcpt takes"):
        sync.serve(WrongOverride())
    with pytest.raises(TypeError, match=r"AsyncInBlocking\.rcpt is async"):
        sync.serve(AsyncInBlocking())
    with pytest.raises(TypeError, match=r"PlainBody\.content is not async"):
        served(lambda status: smtpproto.trio.serve(PlainBody(), task_status=status))
    # That it gives text is found out once it is called, and answered with 451.
    sync.serve(WrongAnswer()).stop()
