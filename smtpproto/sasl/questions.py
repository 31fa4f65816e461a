"""What the server half of a mechanism asks for: challenges of the client, questions of the store.

A half is free of I/O, so it yields these values and is resumed with the answers: with the client's
response to a `Challenge`, with what the credential store says to a `Question`.  Whoever runs the
half calls `question.method` of the store with `question.arguments()`, and may wait for that as it
likes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from .keys import ScramKeys

if TYPE_CHECKING:
    from ..vocabulary.replies import Reply

__all__ = [
    "AdmitAnonymous",
    "Authorize",
    "Challenge",
    "CheckPassword",
    "CheckToken",
    "CredentialStore",
    "FetchSecret",
    "Question",
    "Request",
    "TokenRefused",
    "decided",
]


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send these octets to the client; resume with its response.

    Arguments:
        octets: not encoded; never shown, since they may echo what the client said.
    """

    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """Ask the credential store; resume with its answer.

    A question of one's own is a frozen dataclass with slots whose fields are the arguments.

    Attributes:
        method: the name of the store's method.
    """

    method: ClassVar[str]

    def arguments(self) -> tuple[Any, ...]:
        """What the method is called with."""
        return tuple(getattr(self, each.name) for each in fields(self))

    @classmethod
    def asked_of(cls, store: object) -> Callable[..., Any] | None:
        """The store's method for this question, None if it has none: the answer is None then."""
        method: Callable[..., Any] | None = getattr(store, cls.method, None)
        # What a store merely inherits from the protocol class is not the user's.
        inherited = getattr(CredentialStore, cls.method, None)
        if inherited is not None and getattr(type(store), cls.method, None) is inherited:
            return None
        return method


@dataclass(frozen=True, slots=True)
class CheckPassword(Question):
    """Is this the user's password?  Answered with True or False.

    Arguments:
        username: prepared by SASLprep.
        password: prepared by SASLprep.
    """

    method = "check_password"
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FetchSecret(Question):
    """What the server holds to verify the user with: see `CredentialStore.fetch_secret`.

    Arguments:
        mechanism: "CRAM-MD5", or the name of a SCRAM mechanism without "-PLUS".
        username: prepared by SASLprep.
    """

    method = "fetch_secret"
    mechanism: str
    username: str


@dataclass(frozen=True, slots=True)
class CheckToken(Question):
    """Whose token is this?  Answered with an identity, None or `TokenRefused`.

    Arguments:
        username: who the client says it acts as, "" if it does not say.
        token: the bearer token.
    """

    method = "check_token"
    username: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorize(Question):
    """May the one act as the other?  Answered with True or False.

    Arguments:
        authentication: who the client is.
        authorization: who it wants to act as; the same only if the identity came from a
            certificate.
    """

    method = "authorize"
    authentication: str
    authorization: str


@dataclass(frozen=True, slots=True)
class AdmitAnonymous(Question):
    """May somebody without a name come in?  Answered with True or False.

    Arguments:
        trace: what the client gave as trace information, unverified.
    """

    method = "admit_anonymous"
    trace: str


Request = Challenge | Question


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Why a token is refused, in words for the client (RFC 7628 section 3.2.2).

    Arguments:
        status: a code of the OAuth extensions error registry.
        scope: a scope that would do.
        configuration: URL of an OpenID provider configuration.
    """

    status: str = "invalid_token"
    scope: str = ""
    configuration: str = ""


Decision: TypeAlias = "bool | Reply"
"""Yes or no, or no in words for the client."""


class CredentialStore(Protocol):
    """What a server's user provides; every method is optional, plain or async.

    Inheriting from this class is not needed.  A method that is not there answers no, and mechanisms
    that need it are not offered.  `Users` is one that is ready to use.

    In place of its answer each method may give a negative `Reply`, which the client gets as it is.
    RFC 4954 section 6 has these: 432 4.7.12 (log in once with a mechanism that sends the password,
    as the server has it in an old form), 454 4.7.0 (the store cannot tell now), 534 5.7.9 (this
    mechanism is too weak for the user), 535 5.7.8 (any other refusal, such as a locked account or
    an expired password).  A text that only users who exist get tells who exists.
    """

    def check_password(self, username: str, password: str) -> Decision | Awaitable[Decision]:
        """Whether this is the user's password; compare in constant time."""
        ...

    def fetch_secret(
        self, mechanism: str, username: str
    ) -> ScramKeys | str | Reply | Awaitable[ScramKeys | str | Reply | None] | None:
        """For SCRAM the user's keys or password, for CRAM-MD5 the password, None if unknown.

        A store that holds keys gives `unknown_user_keys(...)` for an unknown user, because salts
        tell who exists; one that holds passwords may simply say None.
        """
        ...

    def check_token(
        self, username: str, token: str
    ) -> str | TokenRefused | Reply | Awaitable[str | TokenRefused | Reply | None] | None:
        """The identity that the token was issued to, or why not."""
        ...

    def authorize(self, authentication: str, authorization: str) -> Decision | Awaitable[Decision]:
        """Whether the one may act as the other."""
        ...

    def admit_anonymous(self, trace: str) -> Decision | Awaitable[Decision]:
        """Whether to let somebody in without a name."""
        ...


def decided(question: Question, answer: object) -> bool:
    """A yes or no, and nothing that merely looks like one: an un-awaited coroutine is true, too.

    Raises:
        TypeError: the answer is neither True, False nor None.
    """
    if answer is None or isinstance(answer, bool):
        return answer is True
    kind = type(answer).__name__
    raise TypeError(f"{question.method}: expected True or False from the store, found {kind}")
