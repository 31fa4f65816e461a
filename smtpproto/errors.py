"""The errors of the core: this side or the peer broke the protocol.

Parsers and constructors of values raise `LocalProtocolError`: the caller built a value that cannot
be sent.  When a connection reads a value from the peer, it converts the error in one place: to a
reply on a server, to a `RemoteProtocolError` on a client.
"""

from __future__ import annotations

__all__ = ["LocalProtocolError", "ProtocolError", "RemoteProtocolError"]


class ProtocolError(Exception):
    """One side broke a rule of SMTP; always one of the two subclasses.

    Arguments:
        message: what was expected, what was found, where, and the RFC section.
        code: the reply code for a server to send (RFC 5321 section 4.2).
        enhanced: the enhanced status code for it (RFC 3463).  If empty it is "5.5.4" with 501, and
            the general code with any other reply code.
    """

    def __init__(self, message: str, *, code: int = 501, enhanced: str = "") -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise LocalProtocolError or RemoteProtocolError")
        super().__init__(message)
        self.code = code
        self.enhanced = enhanced or ("5.5.4" if code == 501 else "")


class LocalProtocolError(ProtocolError):
    """The caller asked for something that SMTP does not allow; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that SMTP does not allow; close the connection."""
