"""How an authentication exchange fails (RFC 4422 section 3.6; codes of RFC 4954 section 6).

No text here or in the mechanisms quotes what a peer or a user said: it may be a secret.
"""

from __future__ import annotations

from ..errors import LocalProtocolError

__all__ = ["SASLError", "SASLRefused"]


class SASLError(LocalProtocolError):
    """A challenge or a response is not what the mechanism allows, or a credential cannot be used.

    Arguments:
        message: what was expected, what was found, and the RFC section; never a secret.
        code: the reply code a server answers with.
        enhanced: the enhanced status code that goes with it.
    """

    def __init__(self, message: str, *, code: int = 501, enhanced: str = "5.5.2") -> None:
        super().__init__(message, code=code, enhanced=enhanced)


class SASLRefused(SASLError):
    """The exchange was in order, but its credentials do not admit the client.

    The text is for a log.  A server tells its client nothing beyond the codes, so that an unknown
    user looks like a wrong password.
    """

    def __init__(self, message: str = "the credentials are not valid (RFC 4954 section 6)") -> None:
        super().__init__(message, code=535, enhanced="5.7.8")
