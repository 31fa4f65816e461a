"""What a mechanism's server half yields: challenges for the client and questions to the store.

The half does no I/O, so it yields these values and receives the answers: the client's response to a
`Challenge`, or the credential store's answer to a `Question`.  The caller of the half calls the
store's method `question.method` with `question.arguments()`, and may await the result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from .scram_keys import ScramKeys

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
    """Send these octets to the client and return its response.

    Arguments:
        octets: plain octets.  Never shown, because they may repeat the client's text.
    """

    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """Ask the credential store and return its answer.

    Your own question is a frozen dataclass with slots whose fields are the arguments.

    Attributes:
        method: the name of the store's method.
    """

    method: ClassVar[str]

    def arguments(self) -> tuple[Any, ...]:
        """The arguments for the method."""
        return tuple(getattr(self, each.name) for each in fields(self))

    @classmethod
    def asked_of(cls, store: object) -> Callable[..., Any] | None:
        """Return the store's method for this question; None if it has none, which means no."""
        method: Callable[..., Any] | None = getattr(store, cls.method, None)
        # A method that the store only inherits from the protocol class does not count.
        inherited = getattr(CredentialStore, cls.method, None)
        if inherited is not None and getattr(type(store), cls.method, None) is inherited:
            return None
        return method


@dataclass(frozen=True, slots=True)
class CheckPassword(Question):
    """Is this the user's password?  The answer is True or False.

    Arguments:
        username: the user name after SASLprep.
        password: the password after SASLprep.
    """

    method = "check_password"
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FetchSecret(Question):
    """The user's stored secret, see `CredentialStore.fetch_secret`.

    Arguments:
        mechanism: "CRAM-MD5", or the name of a SCRAM mechanism without "-PLUS".
        username: the user name after SASLprep.
    """

    method = "fetch_secret"
    mechanism: str
    username: str


@dataclass(frozen=True, slots=True)
class CheckToken(Question):
    """Whose token is this?  The answer is an identity, None or `TokenRefused`.

    Arguments:
        username: the identity that the client wants to act as; "" if it gave none.
        token: the bearer token.
    """

    method = "check_token"
    username: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorize(Question):
    """May one identity act as the other?  The answer is True or False.

    Arguments:
        authentication: the identity that the client has proved.
        authorization: the identity that it wants to act as; the same one only if it came from a
            certificate.
    """

    method = "authorize"
    authentication: str
    authorization: str


@dataclass(frozen=True, slots=True)
class AdmitAnonymous(Question):
    """May a client without an identity log in?  The answer is True or False.

    Arguments:
        trace: the client's trace information, not verified.
    """

    method = "admit_anonymous"
    trace: str


Request = Challenge | Question


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Why a token is refused, to be sent to the client (RFC 7628 section 3.2.2).

    Arguments:
        status: a code of the OAuth extensions error registry.
        scope: a scope that would suffice.
        configuration: URL of an OpenID provider configuration.
    """

    status: str = "invalid_token"
    scope: str = ""
    configuration: str = ""


Decision: TypeAlias = "bool | Reply"
"""Yes, no, or a reply to the client that says why not."""


class CredentialStore(Protocol):
    """The methods of a server's credential store; each is optional, and plain or async.

    A store need not inherit from this class.  A missing method means no, and the server does not
    offer the mechanisms that need it.  `Users` is a ready store.

    Each method may return a negative `Reply` instead, which the client gets unchanged.  RFC 4954
    section 6 has these: 432 4.7.12 (log in once with a mechanism that sends the password, because
    the stored form is old), 454 4.7.0 (temporary failure of the store), 534 5.7.9 (this mechanism
    is too weak for the user), 535 5.7.8 (any other refusal, such as a locked account or an expired
    password).  Do not send a text that only existing users get: it tells which users exist.
    """

    def check_password(self, username: str, password: str) -> Decision | Awaitable[Decision]:
        """Return whether this is the user's password; compare in constant time."""
        ...

    def fetch_secret(
        self, mechanism: str, username: str
    ) -> ScramKeys | str | Reply | Awaitable[ScramKeys | str | Reply | None] | None:
        """Return the user's keys or password for SCRAM, the password for CRAM-MD5; None if unknown.

        A store with keys returns `unknown_user_keys(...)` for an unknown user, because salts tell
        which users exist.  A store with passwords may simply return None.
        """
        ...

    def check_token(
        self, username: str, token: str
    ) -> str | TokenRefused | Reply | Awaitable[str | TokenRefused | Reply | None] | None:
        """Return the identity that owns the token, or why the token is refused."""
        ...

    def authorize(self, authentication: str, authorization: str) -> Decision | Awaitable[Decision]:
        """Return whether one identity may act as the other."""
        ...

    def admit_anonymous(self, trace: str) -> Decision | Awaitable[Decision]:
        """Return whether a client without an identity may log in."""
        ...


def decided(question: Question, answer: object) -> bool:
    """Return the answer as a bool; refuse other types, such as a coroutine, which is true too.

    Raises:
        TypeError: the answer is neither True, False nor None.
    """
    if answer is None or isinstance(answer, bool):
        return answer is True
    kind = type(answer).__name__
    raise TypeError(f"{question.method}: expected True or False from the store, found {kind}")
