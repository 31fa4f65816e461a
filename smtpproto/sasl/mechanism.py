"""What a SASL mechanism is: one object with both halves (RFC 4422 section 5).

A half is a generator without I/O.  The client's yields responses and is resumed with challenges;
None instead of a challenge means that the server reported success, and a half that cannot believe
it raises.  The server's yields requests (`Challenge`, or a `Question` to the credential store), is
resumed with the answers, and returns an `Identity` or raises.

A mechanism of one's own is written the same way and put beside the others:

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

from .errors import SASLError, SASLRefused
from .questions import Authorize, Question, Request, decided
from .saslprep import prepare
from .text import decode, presented
from .values import Context, Credentials, Identity

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
    """A SASL mechanism; what a subclass does not set stays as here.

    Attributes:
        name: as registered, in upper case.
        strength: for choosing: the stronger one is tried first.
        plaintext: whether it sends a secret that could be used again, so that it needs a channel
            that keeps secrets.
        client_first: whether the client speaks first.  If so, the first value of the client's half
            is the initial response, and the first request of the server's is an empty `Challenge`;
            if not, that first value is not sent.
        takes_initial: whether a server accepts an initial response; the answer to its first
            challenge.
        default: whether a server offers it without being told to, see `offered_unasked`.
        asks: the questions that the credential store has to answer.
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
        """Why a client cannot use it with these credentials in this context; None if it can."""
        return None

    def offered_in(self, context: Context) -> bool:
        """Whether a server can offer it in this context."""
        return True

    def offered_unasked(self, context: Context) -> bool:
        """Whether a server that was not told what to offer should offer it in this context."""
        return self.default

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        """The client's half.

        Raises:
            SASLError: a challenge is not what the mechanism allows, or the credentials cannot be
                used; the exchange is to be cancelled.
        """
        raise NotImplementedError

    def server(self, context: Context) -> ServerHalf:
        """The server's half.

        Raises:
            SASLError: a response is malformed.
            SASLRefused: the credentials do not admit the client.
            TypeError: the store's answer is not of the kind that the question asks for.
        """
        raise NotImplementedError


def password_obstacle(credentials: Credentials, *, delegation: bool = True) -> str | None:
    """What a mechanism with user name and password lacks.

    Arguments:
        credentials: what there is.
        delegation: whether the mechanism can carry an authorization identity.
    """
    if not credentials.username or not credentials.password:
        return "a user name and a password are needed"
    if not delegation and credentials.authorization not in {"", credentials.username}:
        return "it cannot carry an authorization identity"
    return None


def preparation_obstacle(credentials: Credentials, *, stored: bool) -> str | None:
    """What keeps a mechanism that hashes the password from doing so.

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
    """The challenge that has to come next.

    Raises:
        SASLError: the server reported success instead.
    """
    if challenge is None:
        raise SASLError(
            f"{mechanism.name}: expected a challenge, found success before it was complete"
        )
    return challenge


def expect_success(mechanism: Mechanism, challenge: bytes | None) -> None:
    """Accept that the exchange is over.

    Raises:
        SASLError: another challenge came.
    """
    if challenge is not None:
        raise SASLError(
            f"{mechanism.name}: expected the outcome, found a challenge of {len(challenge)} octets"
        )


def authorized(authentication: str, authorization: str, *, always: bool = False) -> ServerHalf:
    """The last step of a server's half: may the client act as it wants to (RFC 4422 section 3.4.1)?

    Arguments:
        authentication: who the client is by now.
        authorization: what it asked for, not prepared; empty for the same.
        always: whether to ask even if both are the same.

    Raises:
        SASLRefused: no.
    """
    wanted = presented(authorization) if authorization else authentication
    if always or wanted != authentication:
        question = Authorize(authentication, wanted)
        if not decided(question, (yield question)):
            raise SASLRefused("the client may not act as this identity (RFC 4422 section 3.4.1)")
    return Identity(authentication, wanted)
