"""The transmission channel of both adapters: a connected socket that never waits.

TLS stands between two buffers in memory and not around the socket, so the socket stays the same
one for as long as the session lasts: it is waited for, shut down and closed as what it is, and the
octets that the peer has taken are counted alike with and without TLS.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from ..vocabulary.session import TLSFacts
from . import sockets, tls

__all__ = ["Channel"]

# Octets of TLS records to take from the socket at once: one record of the greatest size, and more.
_RECORDS = 32768


class Channel:
    """A connected stream socket, with or without TLS; it is made non-blocking.

    Attributes:
        sock: the socket itself, to be waited for.
        handshake: how TLS begins.
        unsent: octets that the peer has not taken yet; while there are some, wait for the socket to
            be writable and call `push`.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "handshake", "sock", "unsent")

    def __init__(self, sock: socket.socket, handshake: tls.Handshake) -> None:
        sockets.prepare(sock)
        self.sock = sock
        self.handshake = handshake
        self.unsent: bytes | memoryview = b""
        self._tls: ssl.SSLObject | None = None
        self._incoming: Any = None
        self._outgoing: Any = None

    @property
    def secure(self) -> bool:
        """Whether TLS has begun."""
        return self._tls is not None

    # --- out ----------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Take octets that are to be sent after those that are unsent; `push` sends them."""
        if self._tls is None:
            self.unsent = bytes(self.unsent) + data if self.unsent else data
        elif data:
            self._tls.write(data)
            self._append(self._outgoing.read())

    def push(self) -> bool:
        """Send what the peer takes at once; whether it took any.

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

    # --- in -----------------------------------------------------------------------------------

    def read(self, most: int) -> bytes | None:
        """What has come; `b""` at the end, None if nothing has come yet.

        To be called before any wait: octets that were decrypted make no socket readable.

        Arguments:
            most: octets to take at most.

        Raises:
            OSError: the link broke.
        """
        if self._tls is None:
            try:
                return self.sock.recv(most)
            except BlockingIOError:
                return None
        octets = self._decrypted(most)
        if octets is None and self._fetch():
            # Once only: records without content, however many come, hold no other session up.
            octets = self._decrypted(most)
        return octets

    def has_input(self) -> bool:
        """Whether octets have come that were not read, in plain text or in records of TLS."""
        if self._tls is not None and (self._tls.pending() or self._incoming.pending):
            return True
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:
            # Nothing is there, or the link broke, which the next read finds out.
            return False

    def _decrypted(self, most: int) -> bytes | None:
        assert self._tls is not None
        try:
            return self._tls.read(most)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLEOFError:
            # Closed without a word within TLS: SMTP itself tells what is complete.
            return b""
        finally:
            # TLS may have something to say by itself, such as a new key.
            self._append(self._outgoing.read())

    def _fetch(self) -> bool:
        """Take records from the socket; whether there were some, or the end."""
        octets = self._take(_RECORDS)
        if octets is None:
            return False
        if octets:
            self._incoming.write(octets)
        else:
            self._incoming.write_eof()
        return True

    def _take(self, most: int) -> bytes | None:
        try:
            return self.sock.recv(most)
        except BlockingIOError:
            return None

    # --- TLS ----------------------------------------------------------------------------------

    def shake_hands(self) -> TLSFacts | None:
        """Begin the TLS handshake, or go on with it; None: the peer has to send something first.

        What is unsent then has to leave as well.

        Raises:
            OSError: it failed, or the link broke.
        """
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
                # The alert that says why is for the peer, and what went wrong is for the caller.
                with contextlib.suppress(OSError):
                    self._speak()
                raise
            else:
                self._speak()
                return tls.facts(self._tls)

    def _speak(self) -> None:
        self._append(self._outgoing.read())
        self.push()

    # --- the end ------------------------------------------------------------------------------

    def cut(self) -> None:
        """End what waits for the channel elsewhere, such as in another thread."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def say_goodbye(self) -> None:
        """Say within TLS that nothing follows, if the peer takes that at once.

        Where octets are unsent it would let these leave, such as the end of content that was told
        to have failed.
        """
        if self._tls is not None and not self.unsent:
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._speak()
