"""The server's half of AUTH: RFC 4954, with the mechanisms of `smtpproto.sasl`.

A mechanism yields challenges, which go to the client, and questions, which go to the credential
store.  The client gets only the reply codes, so an unknown user looks like a wrong password; the
handler learns why an exchange failed.  A store that wants to say more (a locked account, an expired
password) returns a `Reply`, which the server sends unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import LocalProtocolError
from ...extensions import Auth
from ...grammar.encodings import encode_base64
from ...sasl import CHANNEL_BINDINGS, Challenge, Context, Mechanism, Question, ServerExchange
from ...sasl.mechanism_choice import MECHANISMS, available, known_mechanisms
from ...vocabulary.events import AuthResponse, Rejected
from ...vocabulary.replies import Reply
from ...vocabulary.session_facts import Session
from ..io_requests import Call, Flow, Report
from .handler_checks import check_store

if TYPE_CHECKING:
    from ...engine.server import Server
    from ...extensions import AuthCommand
    from ...vocabulary.events import ServerEvent
    from .settings import ServerSettings

__all__ = ["Authenticator", "Logins"]

ATTEMPTS = 5
_FAILED = Reply(454, "4.7.0", "Temporary authentication failure")
_TOO_MANY = Reply(421, "4.7.0", "too many attempts to authenticate failed")
_TEXTS = {535: "Authentication credentials invalid"}


class _StoreFailed(Exception):
    """The credential store raised an exception."""


class _StoreRefused(Exception):
    """The credential store refused with its own reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the credential store refused: {reply}")
        self.reply = reply


class Logins:
    """What the sessions of one server need to authenticate clients.

    Arguments:
        settings: the settings of the server, with `users`.
        hostname: the server's name.
        given: AUTH from the settings, which may limit the mechanisms.
        waits: whether the adapter can await, see `Hooks.of`.

    Attributes:
        auth: AUTH with the mechanisms that the store can serve, for each session.

    Raises:
        ValueError: there is no `nonce`, a mechanism is not known, or `users` can serve none.
        TypeError: `users` is not a store.
    """

    def __init__(
        self, settings: ServerSettings, hostname: str, given: Auth, *, waits: bool | None
    ) -> None:
        self._settings = settings
        self._hostname = hostname
        asked = settings.mechanisms
        self._mechanisms = known_mechanisms(asked)
        # A mechanism that is chosen by name may be one that is not offered by default.
        check_store(settings.users, mechanisms=self._mechanisms.values(), waits=waits)
        if settings.nonce is None:
            raise ValueError("`users` needs `nonce`: set both")
        self._nonce = settings.nonce
        self.auth = self._complete(
            given, None if asked is None or isinstance(asked, Mapping) else asked
        )

    def _complete(self, given: Auth, asked: Collection[str] | None) -> Auth:
        users, names = self._settings.users, given.mechanisms or asked
        allowed, mechanisms = given.allow_plaintext, self._mechanisms
        unknown = sorted({*given.mechanisms, *allowed} - mechanisms.keys())
        if unknown:
            raise ValueError(f"Auth: {', '.join(unknown)} is not among the mechanisms")

        def in_session(session: Session) -> tuple[str, ...]:
            context = self._context(session)
            return available(context, users, names=names, allowed=allowed, mechanisms=mechanisms)

        # All mechanisms that any session inside TLS could have, with any channel binding.
        best = replace(
            self._context(Session(secure=True)),
            channel_bindings=dict.fromkeys(CHANNEL_BINDINGS, b"?"),
            external=() if self._settings.external is None else ("?",),
        )
        known = available(best, users, names=names, mechanisms=mechanisms)
        if not known and given.in_session is None:
            text = f" of {', '.join(names)}" if names else ""
            raise ValueError(
                f"users: a {type(users).__name__} can serve no mechanism{text}: "
                "expected Users, or an object with a method such as check_password"
            )
        return replace(given, mechanisms=known, in_session=given.in_session or in_session)

    def _context(self, session: Session) -> Context:
        offered = session.offered.get(Auth)
        return Context.of(
            session,
            self._nonce,
            host=self._hostname,
            offered=offered.mechanisms if offered is not None else (),
            external=self._settings.external,
        )

    def authenticator(self) -> Authenticator:
        """Return what authenticates the client of one session."""
        return Authenticator(self._settings.users, self._context, mechanisms=self._mechanisms)


class Authenticator:
    """Authenticates the client of one session.

    Arguments:
        users: a credential store, see `sasl.CredentialStore`.
        context: a function that returns what a mechanism may know of a session.
        mechanisms: the mechanisms that can be offered.
        attempts: the number of failures after which the session ends.
    """

    def __init__(
        self,
        users: object,
        context: Callable[[Session], Context],
        *,
        mechanisms: Mapping[str, Mechanism] = MECHANISMS,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._users = users
        self._context = context
        self._mechanisms = mechanisms
        self._left = attempts

    def examine(
        self,
        server: Server,
        command: AuthCommand,
        next_event: Callable[[], Flow[ServerEvent]],
    ) -> Flow[ServerEvent | None]:
        """Answer AUTH, after the challenges of the mechanism.

        Returns:
            The event that came instead of a response, for the caller; or the refusal; None if the
            client has authenticated, or the store failed.
        """
        try:
            context = self._context(server.session)
            mechanism = self._mechanisms[command.mechanism]
            # The mechanism and the source of nonces may be the user's own code.
            exchange = yield Call(ServerExchange, (mechanism, context, command.initial))
            while (request := exchange.request) is not None:
                if isinstance(request, Challenge):
                    server.send(Reply(334, "", encode_base64(request.octets)))
                    event = yield from next_event()
                    if not isinstance(event, AuthResponse):
                        return event
                    answer = event.octets
                else:
                    answer = yield from self._ask(request)
                yield Call(exchange.answer, (answer,))
        except LocalProtocolError as error:
            text = _TEXTS.get(error.code, "Authentication exchange failed")
            return self._refuse(server, Reply(error.code, error.enhanced, text), str(error))
        except _StoreRefused as refused:
            return self._refuse(server, refused.reply, str(refused))
        except (_StoreFailed, KeyError, TypeError, ValueError) as error:
            yield Report(error.__cause__ or error)
            server.send(_FAILED)
            return None
        assert exchange.identity is not None
        server.authenticated(exchange.identity.authorization)
        server.accept()
        return None

    def _ask(self, question: Question) -> Flow[Any]:
        method = question.asked_of(self._users)
        if method is None:
            return None
        try:
            answer = yield Call(method, question.arguments())
            if isinstance(answer, Reply) and not answer.negative:
                raise TypeError(
                    f"{question.method}: expected a negative Reply, found {answer!r:.80}"
                )
        except Exception as error:
            raise _StoreFailed from error
        if isinstance(answer, Reply):
            raise _StoreRefused(answer)
        return answer

    def _refuse(self, server: Server, reply: Reply, reason: str) -> Rejected:
        """Refuse the client with the reply's codes only; close after too many attempts."""
        self._left -= 1
        if self._left <= 0:
            reply = _TOO_MANY
        server.send(reply)
        return Rejected(reply, reason)
