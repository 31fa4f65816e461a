"""Checks of a server, given as a handler or as a host and a port on loopback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..conversations.transcript import Transcript
from ..extensions import Chunking
from ..extensions.known import standard
from ..sync import serve
from .certificates import certificates
from .fakes import FakeClient
from .pair import one_by_one
from .socket_client import SocketClient

__all__ = ["Target", "check_segmentation_invariance", "listening"]

Target = Callable[[], object] | tuple[str, int]
"""What makes a new handler, such as its class; or the host and the port of a server."""


def check_segmentation_invariance(
    server: Target,
    octets: bytes,
    segments: Callable[[bytes], Iterable[bytes]] = one_by_one,
    **options: Any,
) -> None:
    """Check that a server does the same, however the octets are cut into segments.

    With a handler it compares all that both sides say: commands, whole replies and content.  With a
    server at a port it compares codes and enhanced status codes, because texts may have the time or
    a queue id in them.  Such a server has to offer PIPELINING if there is more than one command in
    the octets, and they end with QUIT, or the check waits until nothing has come for a while.

    Arguments:
        server: a handler, of which each run gets a new one in memory, or a host and a port.
        octets: what the client sends.
        segments: cuts them, such as `strategies.Cuts`; one octet at a time if it is left out.
        options: the fields of `smtpproto.conversations.ServerSettings` without `observer`, for a
            handler; or `patience` and `pause` of `SocketClient`.

    Raises:
        AssertionError: the server does not do the same; the text has both conversations.
    """
    pieces = list(segments(octets))
    whole, split = (
        "\n".join(_said(server, sent, options)) for sent in ([octets] if octets else [], pieces)
    )
    assert whole == split, f"sent at once:\n{whole}\nin the segments {pieces}:\n{split}"


def _said(server: Target, pieces: list[bytes], options: dict[str, Any]) -> list[str]:
    if isinstance(server, tuple):
        with SocketClient(*server, **options) as client:
            replies = [client.greeting, *client.send(*pieces)]
        return [f"S: {reply.code} {reply.enhanced}".rstrip() for reply in replies]
    lines: list[str] = []
    transcript = Transcript(lines.append, content=sys.maxsize)
    fake = FakeClient(server(), observer=lambda _: transcript, **options)
    for piece in pieces:
        fake.send(piece)
    fake.close()
    return lines


def listening(server: Target) -> AbstractContextManager[tuple[str, int]]:
    """Return the host and the port of a server; one for a handler runs until the block ends.

    Raises:
        ModuleNotFoundError: a handler needs a certificate from trustme, which is not installed.
    """
    return nullcontext(server) if isinstance(server, tuple) else _Listening(server())


class _Listening(AbstractContextManager[tuple[str, int]]):
    def __init__(self, handler: Any) -> None:
        self._server = serve(
            handler,
            host="127.0.0.1",
            port=0,
            hostname="mx.example",
            # With CHUNKING there is more to attack.
            extensions=(*standard(), Chunking()),
            tls_context=certificates().server_context(),
        )

    def __enter__(self) -> tuple[str, int]:
        return "127.0.0.1", self._server.port

    def __exit__(self, *error: object) -> None:
        self._server.stop(0)
