"""The errors of conversations, for people who submit mail.

    SMTPError
    ├── ConnectionLost            the link broke, or a time limit ran out
    ├── TransientError            4xx: trying again later may help
    ├── PermanentError            5xx: trying the same again will not help
    │   └── AuthenticationError   5xx to AUTH, or no mechanism in common
    └── TLSError                  TLS was required and cannot be had

Each has `reply` and `command` if there are any.  Its text says what it means and what to check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..vocabulary.command_base import Command
    from ..vocabulary.replies import Reply

__all__ = [
    "AuthenticationError",
    "ConnectionLost",
    "PermanentError",
    "SMTPError",
    "TLSError",
    "TransientError",
    "error_for",
]


class SMTPError(Exception):
    """A conversation failed; see the subclasses.

    Arguments:
        message: what happened.
        reply: the reply that caused it, if there is one.
        command: the command that the reply answers.
    """

    def __init__(
        self, message: str, *, reply: Reply | None = None, command: Command | None = None
    ) -> None:
        super().__init__(message)
        self.reply = reply
        self.command = command if command is not None or reply is None else reply.command


class ConnectionLost(SMTPError, ConnectionError):
    """The link broke or a time limit ran out before the conversation was over."""


class TransientError(SMTPError):
    """The server refused with 4xx."""


class PermanentError(SMTPError):
    """The server refused with 5xx."""


class AuthenticationError(PermanentError):
    """The server refused the credentials, or the client cannot send them."""


class TLSError(SMTPError):
    """TLS was required but is not available, or the server's certificate is not trusted."""


def error_for(reply: Reply) -> SMTPError:
    """Return the error for a negative reply, with its explanation."""
    kind = PermanentError if reply.permanent else TransientError
    what = f"{reply.command.verb}: " if reply.command is not None else ""
    return kind(f"{what}{reply}\n{reply.explain()}", reply=reply)
