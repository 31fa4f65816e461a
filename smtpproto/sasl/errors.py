"""Errors of authentication exchanges (RFC 4422 section 3.6; codes of RFC 4954 section 6).

No error here or in the mechanisms quotes a peer's or a user's text: it may be a secret.
"""

from __future__ import annotations

from ..errors import LocalProtocolError

__all__ = ["SASLError", "SASLRefused"]


class SASLError(LocalProtocolError):
    """A challenge or response is malformed, or a credential cannot be used.

    Arguments:
        message: what was expected, what was found, and the RFC section; never a secret.
        code: the reply code that a server sends.
        enhanced: the enhanced status code for it.
    """

    def __init__(self, message: str, *, code: int = 501, enhanced: str = "5.5.2") -> None:
        super().__init__(message, code=code, enhanced=enhanced)


class SASLRefused(SASLError):
    """The exchange was correct, but the server refuses the credentials.

    The text is for logs.  A server sends its client only the codes, so an unknown user looks like a
    wrong password.
    """

    def __init__(self, message: str = "the credentials are not valid (RFC 4954 section 6)") -> None:
        super().__init__(message, code=535, enhanced="5.7.8")
