"""The base class of SASL mechanisms: one object with both halves (RFC 4422 section 5).

Each half is a generator without I/O.  The client's half yields responses and receives challenges.
It receives None when the server reports success, and raises an error if that is too early.  The
server's half yields requests (a `Challenge`, or a `Question` to the credential store), receives the
answers, and returns an `Identity` or raises an error.

Your own mechanism is written the same way and added to the others:

    >>> from smtpproto.sasl import Challenge, CheckToken, SASLRefused
    >>> class Ticket(Mechanism):
    ...     name = "X-TICKET"
    ...     strength = 50
    ...     plaintext = True
    ...     asks = (CheckToken,)
    ...     def obstacle(self, credentials, context):
    ...         return None if credentials.token else "a ticket is needed as token"
    ...     def client(self, credentials, context):
    ...         expect_success(self, (yield credentials.token.encode()))
    ...     def server(self, context):
    ...         ticket = yield Challenge(b"")
    ...         identity = yield CheckToken("", decode(ticket, "ticket"))
    ...         if not isinstance(identity, str):
    ...             raise SASLRefused
    ...         return Identity(identity, identity)
    >>> from smtpproto.sasl import MECHANISMS
    >>> mechanisms = {**MECHANISMS, Ticket.name: Ticket()}
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

from .credentials import Context, Credentials, Identity
from .errors import SASLError, SASLRefused
from .message_text import decode, presented
from .questions import Authorize, Question, Request, decided
from .saslprep import prepare

__all__ = [
    "ClientHalf",
    "Mechanism",
    "ServerHalf",
    "authorized",
    "decode",
    "expect_challenge",
    "expect_success",
]

ClientHalf = Generator[bytes, bytes | None, None]
ServerHalf = Generator[Request, Any, Identity]


class Mechanism:
    """A SASL mechanism; a subclass overrides what differs from the defaults here.

    Attributes:
        name: the registered name, in upper case.
        strength: a client tries mechanisms with a higher number first.
        plaintext: whether it sends a reusable secret, so that it needs a confidential channel.
        client_first: whether the client sends first.  If so, the first value of the client's half
            is the initial response, and the first request of the server's is an empty `Challenge`.
            If not, that first value is not sent.
        takes_initial: whether a server accepts an initial response, as the response to its first
            challenge.
        default: whether a server offers it by default, see `offered_unasked`.
        asks: the questions that the credential store must answer.
    """

    __slots__ = ()
    name: ClassVar[str]
    strength: ClassVar[int] = 0
    plaintext: ClassVar[bool] = False
    client_first: ClassVar[bool] = True
    takes_initial: ClassVar[bool] = True
    default: ClassVar[bool] = True
    asks: ClassVar[tuple[type[Question], ...]] = ()

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        """Return why a client cannot use it with these credentials here; None if it can."""
        return None

    def offered_in(self, context: Context) -> bool:
        """Return whether a server can offer it in this context."""
        return True

    def offered_unasked(self, context: Context) -> bool:
        """Whether a server offers it in this context if the user did not choose mechanisms."""
        return self.default

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        """Return the client's half.

        Raises:
            SASLError: a challenge is malformed, or the credentials cannot be used; cancel the
                exchange.
        """
        raise NotImplementedError

    def server(self, context: Context) -> ServerHalf:
        """Return the server's half.

        Raises:
            SASLError: a response is malformed.
            SASLRefused: the server refuses the credentials.
            TypeError: the store's answer has the wrong type for the question.
        """
        raise NotImplementedError


def password_obstacle(credentials: Credentials, *, delegation: bool = True) -> str | None:
    """Return what a mechanism with user name and password lacks; None if nothing.

    Arguments:
        credentials: the client's credentials.
        delegation: whether the mechanism can carry an authorization identity.
    """
    if not credentials.username or not credentials.password:
        return "a user name and a password are needed"
    if not delegation and credentials.authorization not in {"", credentials.username}:
        return "it cannot carry an authorization identity"
    return None


def preparation_obstacle(credentials: Credentials, *, stored: bool) -> str | None:
    """Return why SASLprep refuses the user name or password; None if it does not.

    Arguments:
        credentials: with a user name and a password.
        stored: whether the password is prepared as a stored string (RFC 3454 section 7).
    """
    try:
        prepare(credentials.username)
        prepare(credentials.password or "", stored=stored)
    except SASLError:
        return "SASLprep prohibits a character of the user name or password (RFC 4013)"
    return None


def expect_challenge(mechanism: Mechanism, challenge: bytes | None) -> bytes:
    """Return the challenge, which must come next.

    Raises:
        SASLError: the server reported success instead.
    """
    if challenge is None:
        raise SASLError(
            f"{mechanism.name}: expected a challenge, found success before it was complete"
        )
    return challenge


def expect_success(mechanism: Mechanism, challenge: bytes | None) -> None:
    """Check that the exchange is over.

    Raises:
        SASLError: the server sent another challenge.
    """
    if challenge is not None:
        raise SASLError(
            f"{mechanism.name}: expected the outcome, found a challenge of {len(challenge)} octets"
        )


def authorized(authentication: str, authorization: str, *, always: bool = False) -> ServerHalf:
    """End a server's half: check that the client may act as the identity (RFC 4422 section 3.4.1).

    Arguments:
        authentication: the identity that the client has proved.
        authorization: the identity that it asked for, before SASLprep; empty for the same.
        always: whether to ask the store even if both are the same.

    Raises:
        SASLRefused: it may not.
    """
    wanted = presented(authorization) if authorization else authentication
    if always or wanted != authentication:
        question = Authorize(authentication, wanted)
        if not decided(question, (yield question)):
            raise SASLRefused("the client may not act as this identity (RFC 4422 section 3.4.1)")
    return Identity(authentication, wanted)
