"""Peers for tests: a server that follows a script, a client that can send anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..conversations.io_requests import BeginTLS, Flow, Receive, Send
from ..vocabulary.replies import Reply
from .reply_stream import ReplyStream
from .servers import serve
from .socket_double import SocketDouble

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FakeClient", "FakeServer"]

_TLS, _EOF = "TLS", "EOF"


class FakeServer(SocketDouble):
    r"""A server that follows a script and checks what the client sends.

    A script is a conversation as in an RFC.  After `C:` is a line that the client must send
    exactly, with CRLF.  If it ends with `...`, the client's line only has to begin with it; a
    single `...` stands for any lines up to the next one in the script.  The server sends the lines
    after `S:`.  A line with only `TLS` is the TLS handshake; `EOF` waits until the client has
    closed.  At the end of the script the server closes.

    It is a server for `connect`, and its `conversation` for a `Link`.  It can also replace a
    connected socket in code with its own I/O: it has `sendall`, `recv`, `makefile` and `close`, so
    it works with `smtplib` too.

        >>> server = FakeServer('''
        ...     S: 220 mx.example
        ...     C: QUIT
        ...     S: 221 bye
        ... ''')
        >>> server.recv(100)
        b'220 mx.example\r\n'
        >>> server.sendall(b"QUIT\r\n")
        >>> server.recv(100), server.recv(100)
        (b'221 bye\r\n', b'')

    Arguments:
        script: the conversation; its indentation does not matter.

    Raises:
        ValueError: a line of the script is none of these.
    """

    def __init__(self, script: str) -> None:
        super().__init__()
        self._turns: deque[tuple[str, str]] = deque()
        for line in map(str.lstrip, script.splitlines()):
            if line:
                side, text = line[:2], line[2:].removeprefix(" ")
                if line in (_TLS, _EOF):
                    side, text = line, ""
                elif side not in ("C:", "S:"):
                    raise ValueError(
                        f"expected TLS, EOF or a line that begins with C: or S:, found {line!r}"
                    )
                self._turns.append((side, text))
        self._heard = bytearray()
        self._any = False
        self._go_on()

    @property
    def closed(self) -> bool:
        """Whether the script is over."""
        return not self._turns

    def exchange(self, octets: bytes) -> bytes:
        """Take octets of the client; return the server's next octets.

        Raises:
            AssertionError: the script expects something else.
        """
        self._heard += octets
        self._go_on()
        said = bytes(self._said)
        self._said.clear()
        return said

    def check(self) -> None:
        """Check that the whole script was played.

        Raises:
            AssertionError: a part of it is left.
        """
        if self._turns:
            raise AssertionError(f"the conversation ended before {self._next()}")

    def conversation(self) -> Flow[None]:
        """Play the script as a conversation, for a `Link`.

        Raises:
            AssertionError: the client does not follow the script.
        """
        octets = b""
        try:
            while True:
                said = self.exchange(octets)
                if said:
                    yield Send(said, 0)
                if self.closed:
                    return
                if self._turns[0][0] == _TLS:
                    yield BeginTLS(0)
                    self._turns.popleft()
                    octets = b""
                    continue
                octets = yield Receive(0, fresh=True)
                if not octets:
                    break
        except OSError:
            return
        if self._turns[0][0] == _EOF:
            self._turns.popleft()

    def _next(self) -> str:
        """Return what the script expects now."""
        return " ".join(self._turns[0]).rstrip()

    def _go_on(self) -> None:
        while self._turns:
            side, text = self._turns[0]
            if side in (_TLS, _EOF):
                if self._heard and not self._any:
                    raise AssertionError(f"expected {side}\n   found C: {_shown(self._heard)}")
                self._heard.clear()
                return
            if side == "S:":
                self._said += text.encode() + b"\r\n"
            elif text == "...":
                self._any = True
            else:
                line, crlf, rest = bytes(self._heard).partition(b"\r\n")
                if not crlf:
                    return
                self._heard[:] = rest
                if not _fits(line, text):
                    if self._any:
                        continue
                    raise AssertionError(f"expected C: {text}\n   found C: {_shown(line)}")
                self._any = False
            self._turns.popleft()
        if self._heard and not self._any:
            raise AssertionError(f"the script is over, the client says {_shown(self._heard)}")

    # --- as a socket ----------------------------------------------------------------------------

    def sendall(self, data: bytes) -> None:
        """Take octets.

        Raises:
            AssertionError: the script expects something else.
        """
        self._heard += data
        self._go_on()

    def _awaited(self) -> str:
        return f"the server waits for {self._next()}" if self._turns else ""

    def close(self) -> None:
        """Do nothing: `check` says whether the script was played."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.check()


def _fits(line: bytes, text: str) -> bool:
    if text.endswith("..."):
        return line.startswith(text.removesuffix("...").encode())
    return line == text.encode()


def _shown(line: bytes | bytearray) -> str:
    return bytes(line).decode("utf-8", "backslashreplace")


class FakeClient:
    """A client that can send anything to a handler, step by step, also invalid lines.

    Arguments:
        handler, options: as for `smtpproto.testing.serve`.  It calls a `content` hook when the
            content is complete or lost.
        report: called with each exception of the handler; None: it is raised.

    Attributes:
        greeting: the first reply.
        octets: all octets that the server has sent.
        link: the way to the server.
    """

    def __init__(
        self,
        handler: object,
        *,
        report: Callable[[BaseException], object] | None = None,
        **options: Any,
    ) -> None:
        self.octets = b""
        self.link = serve(handler, stream=False, **options)
        self.link.server.report = report
        self._replies = ReplyStream()
        (self.greeting,) = self.send(b"")

    @property
    def closed(self) -> bool:
        """Whether the server has closed."""
        return self.link.server.done

    def say(self, *lines: str | bytes) -> Reply:
        """Send lines, each with CRLF, in one segment; return the last reply.

        Raises:
            AssertionError: there is no reply.
            Exception: any error of the handler.
        """
        octets = [line.encode() if isinstance(line, str) else line for line in lines]
        replies = self.send(b"".join(line + b"\r\n" for line in octets))
        assert replies, f"no reply to {lines[-1]!r}"
        return replies[-1]

    def send(self, octets: bytes) -> list[Reply]:
        """Send octets unchanged; return the replies.

        Raises:
            Exception: any error of the handler.
        """
        return self._heard(self.link.feed(octets))

    def close(self) -> list[Reply]:
        """Close, in any state; return the server's last replies."""
        return self._heard(self.link.end())

    def _heard(self, octets: bytes) -> list[Reply]:
        self.link.check()
        self.octets += octets
        return list(self._replies.feed(octets))
