"""Checks of a server, given as a handler or as a host and a port on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..extensions import Chunking
from ..extensions.known import standard
from ..sync import serve
from ..vocabulary.replies import Reply
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
    """Check that a server replies the same, however the octets are cut into segments.

    It compares codes and enhanced status codes; texts may have the time in them.  A server at a
    port has to offer PIPELINING if there is more than one command in the octets, and they end with
    QUIT, or the check waits until nothing has come for a while.

    Arguments:
        server: a handler, of which each run gets a new one in memory, or a host and a port.
        octets: what the client sends.
        segments: cuts them, such as `strategies.Cuts`; one octet at a time if it is left out.
        options: the fields of `smtpproto.conversations.ServerSettings`, for a handler; or
            `patience` and `pause` of `SocketClient`.

    Raises:
        AssertionError: the replies differ.
    """
    pieces = list(segments(octets))
    whole, split = (
        _replies(server, sent, options) for sent in ([octets] if octets else [], pieces)
    )
    assert whole == split, (
        f"sent at once, the octets are answered by {', '.join(whole)}\n"
        f"in the segments {pieces}\nby {', '.join(split)}"
    )


def _replies(server: Target, pieces: list[bytes], options: dict[str, Any]) -> list[str]:
    if isinstance(server, tuple):
        with SocketClient(*server, **options) as client:
            return [_codes(client.greeting), *map(_codes, client.send(*pieces))]
    fake = FakeClient(server(), **options)
    found = [reply for piece in pieces for reply in fake.send(piece)]
    return [_codes(reply) for reply in (fake.greeting, *found, *fake.close())]


def _codes(reply: Reply) -> str:
    return f"{reply.code} {reply.enhanced}".rstrip()


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
