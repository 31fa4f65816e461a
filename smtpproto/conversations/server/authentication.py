"""The server's half of AUTH: RFC 4954, with the mechanisms of `smtpproto.sasl`.

A mechanism yields challenges, which go to the client, and questions, which go to the credential
store.  The client gets only the reply codes, so an unknown user looks like a wrong password; the
handler learns why an exchange failed.  A store that wants to say more (a locked account, an expired
password) returns a `Reply`, which the server sends unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import LocalProtocolError
from ...grammar.encodings import encode_base64
from ...sasl import Challenge, Context, Mechanism, Question, ServerExchange
from ...sasl.mechanism_choice import MECHANISMS
from ...vocabulary.events import AuthResponse, Rejected
from ...vocabulary.replies import Reply
from ..io_requests import Call, Flow, Report

if TYPE_CHECKING:
    from ...engine.server import Server
    from ...extensions import AuthCommand
    from ...vocabulary.events import ServerEvent
    from ...vocabulary.session_facts import Session

__all__ = ["Authenticator"]

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
