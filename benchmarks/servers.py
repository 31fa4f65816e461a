"""The Python servers, each run as `python servers.py NAME PORT`; they throw messages away."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

HOST = "127.0.0.1"
NAME = "mx.example"
# 2,000 idle sessions and 200 busy ones must find room.
SESSIONS = 5000


class Discard:
    """A handler that takes whole messages."""

    def message(self, session: object, envelope: object, content: bytes) -> None:
        """Take a message."""


class Stream:
    """A handler that takes the content as it comes."""

    def content(self, session: object, envelope: object, chunks: object) -> None:
        for _ in chunks:  # type: ignore[attr-defined]
            pass


class AsyncStream:
    """The same for trio and asyncio."""

    async def content(self, session: object, envelope: object, chunks: object) -> None:
        async for _ in chunks:  # type: ignore[attr-defined]
            pass


def blocking(port: int, handler: Any) -> None:
    from smtpproto.conversations import Admission
    from smtpproto.sync import serve

    admission = Admission(SESSIONS, SESSIONS)
    with serve(handler, port=port, hostname=NAME, admission=admission, received=False) as server:
        server.wait()


def trio(port: int, handler: Any) -> None:
    import trio

    from smtpproto.conversations import Admission
    from smtpproto.trio import serve

    admission = Admission(SESSIONS, SESSIONS)
    trio.run(partial(serve, handler, port=port, hostname=NAME, admission=admission, received=False))


def over_asyncio(port: int, handler: Any) -> None:
    from smtpproto.asyncio import Admission, serve

    async def main() -> None:
        options: Any = {"hostname": NAME, "admission": Admission(SESSIONS, SESSIONS)}
        async with serve(handler, port=port, received=False, **options) as server:
            await server.wait()

    asyncio.run(main())


def aiosmtpd(port: int) -> None:
    from aiosmtpd.smtp import SMTP

    class Handler:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802  its name
            return "250 OK"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Handler(), hostname=NAME, data_size_limit=None, loop=loop), HOST, port
        )
        await server.serve_forever()

    asyncio.run(main())


SERVERS: dict[str, Callable[[int], None]] = {
    "blocking": partial(blocking, handler=Discard()),
    "blocking-stream": partial(blocking, handler=Stream()),
    "trio": partial(trio, handler=Discard()),
    "trio-stream": partial(trio, handler=AsyncStream()),
    "asyncio": partial(over_asyncio, handler=Discard()),
    "asyncio-stream": partial(over_asyncio, handler=AsyncStream()),
    "aiosmtpd": aiosmtpd,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
