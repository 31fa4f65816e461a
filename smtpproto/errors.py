"""The errors of the core: who broke the protocol, we or the peer.

Parsers and constructors of values raise `LocalProtocolError`: whoever builds a value that cannot be
sent made the mistake.  When the same parser reads what a peer sent, the connection turns the error
into a reply (server) or into a `RemoteProtocolError` (client) at one place.
"""

from __future__ import annotations

__all__ = ["LocalProtocolError", "ProtocolError", "RemoteProtocolError"]


class ProtocolError(Exception):
    """A rule of SMTP was broken; always one of the two subclasses.

    Arguments:
        message: what was expected, what was found, where, and the RFC section.
        code: the reply code a server should answer with (RFC 5321 section 4.2).
        enhanced: the enhanced status code that goes with it (RFC 3463), such as "5.5.4"; if empty,
            that one with 501, and with another code the general one that a reply has by default.
    """

    def __init__(self, message: str, *, code: int = 501, enhanced: str = "") -> None:
        if type(self) is ProtocolError:
            raise TypeError("raise LocalProtocolError or RemoteProtocolError")
        super().__init__(message)
        self.code = code
        self.enhanced = enhanced or ("5.5.4" if code == 501 else "")


class LocalProtocolError(ProtocolError):
    """This side asked for something that SMTP does not allow; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something that SMTP does not allow; the connection cannot go on."""
