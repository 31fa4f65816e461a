"""Logging in: the client's half of AUTH, RFC 4954.

The strongest mechanism that both sides have comes first.  Where the server refuses a mechanism, the next one is
tried; where it refuses the credentials, one more try is made with a mechanism that works differently, since a
server may keep what one of them needs and not the other.  A mechanism that sends a reusable secret is used inside
TLS only, unless its name is among those that are allowed without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..events import AuthResponse
from ..extensions import Auth, Authenticate
from ..sasl import MECHANISMS, ClientExchange, Context, SASLError, choose, obstacles
from ..syntax import decode_base64
from .asking import ask, next_reply
from .errors import AuthenticationError, error_for
from .requests import Flow

if TYPE_CHECKING:
    from ..client import Client
    from ..replies import Reply
    from ..sasl import Mechanism
    from .opening import Opening

__all__ = ["log_in"]

# RFC 4954 section 6: the user has to log in once with a password in plain text.
_TRANSITION = 432
_CREDENTIALS = 535


def log_in(client: Client, opening: Opening) -> Flow[Reply]:
    """Authenticate with the credentials of an opening.

    Returns:
        The reply that says so.

    Raises:
        AuthenticationError: it is not possible, or the server refuses.
        TransientError: the server cannot tell now.
        ConnectionLost, RemoteProtocolError: see `next_reply`.
    """
    login = _Login(client, opening)
    for mechanism in login.candidates():
        if login.in_vain(mechanism):
            continue
        reply = yield from login.attempt(mechanism)
        if reply.positive:
            client.authenticated(login.identity)
            return reply
        if reply.code == 421 or (reply.transient and reply.code != _TRANSITION):
            raise error_for(reply)
    raise login.error()


class _Login:
    """One login under way.

    Attributes:
        refusals: what the server said to each mechanism that was tried.
    """

    def __init__(self, client: Client, opening: Opening) -> None:
        assert opening.credentials is not None
        assert opening.nonce is not None
        self.client = client
        self.opening = opening
        self.credentials = opening.credentials
        self.identity = self.credentials.authorization or self.credentials.username
        tls = client.session.tls
        auth = client.offered.get(Auth)
        self.offered = auth.mechanisms if auth is not None else ()
        self.context = Context.of(
            client.session,
            opening.nonce,
            host=opening.host or (tls.server_name if tls is not None else "") or "",
            port=opening.port,
            offered=self.offered,
        )
        wanted = opening.mechanisms
        self.known = {
            name: each for name, each in MECHANISMS.items() if wanted is None or name in wanted
        }
        self.refusals: list[tuple[Mechanism, Reply]] = []

    def candidates(self) -> list[Mechanism]:
        """The mechanisms to try, the strongest first.

        Raises:
            AuthenticationError: there is none.
        """
        chosen = choose(
            self.credentials,
            self.context,
            allowed=self.opening.allow_plaintext,
            mechanisms=self.known,
        )
        if not chosen:
            raise AuthenticationError("\n- ".join(self.why_not()))
        return list(chosen)

    def why_not(self) -> list[str]:
        """Why there is nothing to log in with: what it is, and for each mechanism the obstacle."""
        session = self.client.session
        if not self.offered:
            first = "the server offers no authentication"
            hints = []
            if not session.secure:
                hints.append("Many servers offer AUTH inside TLS only: use STARTTLS or port 465.")
            if not session.extended:
                hints.append("The server does not know EHLO, and AUTH needs it.")
            return [first, *hints, "Port 25 is for relaying; submission is on 587 or 465."]
        found = obstacles(
            self.credentials,
            self.context,
            allowed=self.opening.allow_plaintext,
            mechanisms=self.known,
        )
        lines = [f"{name}: {obstacle}" for name, obstacle in found.items()]
        return ["no mechanism that the server offers can be used", *lines]

    def in_vain(self, mechanism: Mechanism) -> bool:
        """Whether a refusal of the credentials says that this one will be refused as well."""
        return any(
            reply.code == _CREDENTIALS and tried.plaintext is mechanism.plaintext
            for tried, reply in self.refusals
        )

    def attempt(self, mechanism: Mechanism) -> Flow[Reply]:
        """Try one mechanism, and give the final reply to it."""
        try:
            exchange = ClientExchange(mechanism, self.credentials, self.context)
        except SASLError as error:
            raise AuthenticationError(f"{mechanism.name}: {error}") from None
        reply = yield from ask(self.client, Authenticate(mechanism.name, exchange.initial))
        while reply.intermediate:
            try:
                response = exchange.respond(decode_base64(reply.text))
                self.client.send(AuthResponse(response))
            except LocalProtocolError as error:
                # `from None`: what it came from may hold what is secret.
                problem = AuthenticationError(f"{mechanism.name}: {error}")
            else:
                reply = yield from next_reply(self.client)
                continue
            self.client.send(AuthResponse(None))
            yield from next_reply(self.client)
            raise problem
        if reply.positive:
            try:
                exchange.succeeded()
            except SASLError as error:
                raise AuthenticationError(f"{mechanism.name}: {error}", reply=reply) from None
        else:
            exchange.refused()
            self.refusals.append((mechanism, reply))
        return reply

    def error(self) -> AuthenticationError:
        """Why all that was tried failed."""
        decisive = [reply for _, reply in self.refusals if reply.code == _CREDENTIALS]
        reply = decisive[0] if decisive else self.refusals[-1][1]
        tried = [f"{mechanism.name}: {reply}" for mechanism, reply in self.refusals]
        lines = "\n- ".join(["the server refused the login", *tried])
        return AuthenticationError(f"{lines}\n{reply.explain()}", reply=reply)
