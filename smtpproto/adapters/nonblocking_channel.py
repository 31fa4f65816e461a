"""The connected socket of all adapters, with or without TLS; no method waits.

TLS works between two buffers in memory, not around the socket.  So the socket stays the same for
the whole session: adapters wait for it, shut it down and close it in one way, and the octets that
the peer has accepted are counted in one way.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from ..vocabulary.session_facts import TLSFacts

if TYPE_CHECKING:
    import ssl

    from .tls_contexts import Context

__all__ = ["NO_HANDSHAKE", "READS", "RECORDS", "SLICE", "Channel", "HandshakeSettings", "prepare"]

READS = 65536
"""The most octets that a reader takes at once where the conversation names no number."""

RECORDS = 32768
"""Octets of TLS records to read from the socket at once: more than one record of maximum size."""

SLICE = 2048
"""Octets that a server writes for a session before other sessions have their turn."""


class HandshakeSettings(NamedTuple):
    """How a connection does its TLS handshake.

    Arguments:
        context: see `tls_contexts.Context`; with None a handshake fails.
        server_name: on a client, the name that the certificate must have; None on a server.
    """

    context: Context | None = None
    server_name: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for `SSLContext.wrap_socket` and similar functions."""
        return {"server_side": self.server_name is None, "server_hostname": self.server_name}

    def current(self) -> ssl.SSLContext:
        """Return the context for one handshake.

        Raises:
            OSError: there is none.
        """
        if self.context is None:
            raise OSError("TLS needs a context, found None: set tls_context")
        return self.context() if callable(self.context) else self.context


NO_HANDSHAKE = HandshakeSettings()


def prepare(sock: socket.socket) -> None:
    """Prepare a connected socket for a conversation: non-blocking, without Nagle's algorithm.

    Nagle's algorithm is of no use, because a conversation writes each group in one piece.
    """
    sock.setblocking(False)
    # A Unix socket has no such option.  Trying takes a tenth of the time of checking the family.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Channel:
    """A connected stream socket, with or without TLS; it is made non-blocking.

    Arguments:
        sock: a connected socket.
        handshake: how to begin TLS.
        most: seconds that no wait may exceed; None: only the conversation's own bounds.

    Attributes:
        sock: the socket, for the adapter to wait for.
        handshake: how to begin TLS.
        unsent: octets that the peer has not accepted yet.  While there are any, wait until the
            socket is writable and call `push`.
    """

    __slots__ = ("_incoming", "_most", "_outgoing", "_tls", "handshake", "sock", "unsent")

    def __init__(
        self,
        sock: socket.socket,
        handshake: HandshakeSettings,
        most: float | None = None,
    ) -> None:
        prepare(sock)
        self.sock = sock
        self._most = most
        self.handshake = handshake
        self.unsent: bytes | memoryview = b""
        self._tls: ssl.SSLObject | None = None
        self._incoming: Any = None
        self._outgoing: Any = None

    @property
    def secure(self) -> bool:
        """Whether TLS has begun."""
        return self._tls is not None

    def _limit(self, timeout: float) -> float:
        """Return the seconds that a wait may take."""
        return timeout if self._most is None else min(timeout, self._most)

    # --- writing ------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Queue octets behind the unsent ones; `push` sends them."""
        if self._tls is None:
            self.unsent = bytes(self.unsent) + data if self.unsent else data
        elif data:
            self._tls.write(data)
            self._append(self._outgoing.read())

    def push(self) -> bool:
        """Send what the peer accepts at once; return whether it accepted any octets.

        Raises:
            OSError: the link broke.
        """
        if not self.unsent:
            return False
        try:
            sent = self.sock.send(self.unsent)
        except BlockingIOError:
            return False
        self.unsent = memoryview(self.unsent)[sent:] if sent < len(self.unsent) else b""
        return True

    def _append(self, data: bytes) -> None:
        if data:
            self.unsent = bytes(self.unsent) + data if self.unsent else data

    # --- reading ------------------------------------------------------------------------------

    def read(self, most: int) -> bytes | None:
        """Return octets that arrived; `b""` at the end, None if there are none yet.

        Call it before waiting: octets that TLS has already decrypted do not make the socket
        readable.

        Arguments:
            most: the most octets to return.

        Raises:
            OSError: the link broke.
        """
        if self._tls is None:
            return self._take(most)
        octets = self._decrypted(most)
        if octets is None and self._fetch():
            # Read once only, so that a peer with many empty records does not delay other sessions.
            octets = self._decrypted(most)
        return octets

    def has_input(self) -> bool:
        """Return whether unread octets have arrived, in plain text or as TLS records."""
        if self.holds_octets():
            return True
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:
            # Nothing has arrived, or the link broke; the next read raises the error.
            return False

    def holds_octets(self) -> bool:
        """Return whether TLS holds octets of the peer; these do not make the socket readable."""
        return self._tls is not None and bool(self._tls.pending() or self._incoming.pending)

    def _decrypted(self, most: int) -> bytes | None:
        import ssl  # noqa: PLC0415  sessions without TLS do not need it

        assert self._tls is not None
        try:
            return self._tls.read(most)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLEOFError:
            # The peer closed without closing TLS; SMTP itself shows whether data is complete.
            return b""
        finally:
            # TLS may have to send something itself, such as a new key.
            self._append(self._outgoing.read())

    def _fetch(self) -> bool:
        """Read records from the socket; return whether there were any, or the end."""
        octets = self._take(RECORDS)
        if octets is None:
            return False
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()
        return True

    def _take(self, most: int) -> bytes | None:
        """Read from the socket; None if nothing has arrived."""
        try:
            return self.sock.recv(most)
        except BlockingIOError:
            return None

    # --- TLS ----------------------------------------------------------------------------------

    def shake_hands(self) -> TLSFacts | None:
        """Begin or continue the TLS handshake; return None if the peer has to send something first.

        Before a wait, send the unsent octets too.

        Raises:
            OSError: the handshake failed, or the link broke.
        """
        import ssl  # noqa: PLC0415  sessions without TLS do not need it

        from .tls_contexts import facts  # noqa: PLC0415

        if self._tls is None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context, arguments = self.handshake.current(), self.handshake.arguments
            self._tls = context.wrap_bio(self._incoming, self._outgoing, **arguments)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._speak()
                if not self._fetch():
                    return None
            except OSError:
                # Send the alert, which tells the peer the reason; the caller gets the error.
                with contextlib.suppress(OSError):
                    self._speak()
                raise
            else:
                self._speak()
                return facts(self._tls)

    def _speak(self) -> None:
        self._append(self._outgoing.read())
        self.push()

    # --- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Close, and close TLS first, without waiting for the peer's close."""
        try:
            self.say_goodbye()
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.sock.close()

    def cut(self) -> None:
        """Shut the socket down; this ends waits for it, also in other threads."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def say_goodbye(self) -> None:
        """Close TLS, if no octets are unsent and the peer accepts the close at once.

        Unsent octets must not follow.  They may be the end of content whose delivery was reported
        as failed.
        """
        if self._tls is not None and not self.unsent:
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._speak()
