"""Logging in: the client's half of AUTH, RFC 4954.

The strongest mechanism that both sides have comes first.  Where the server refuses a mechanism, the
next one is tried; where it refuses the credentials, one more try is made with a mechanism that
works differently, since a server may keep what one of them needs and not the other.

A mechanism that sends a reusable secret is used inside TLS only, unless its name is among those
that are allowed without.  It takes the place of one that sends none only where it is certain who
the server is: otherwise somebody in between has only to say no to the one to be given the secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import LocalProtocolError
from ...extensions import Auth, AuthCommand
from ...grammar.encodings import decode_base64
from ...sasl import UNEXPLAINED, ClientExchange, Context, SASLError, SASLRefused
from ...sasl.choice import choose, known_mechanisms, obstacles
from ...vocabulary.events import AuthResponse
from ..errors import AuthenticationError, error_for
from ..requests import Flow
from .command_and_reply import ask, next_reply

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...sasl import Mechanism
    from ...vocabulary.replies import Reply
    from .settings import ClientSettings

__all__ = ["log_in"]

# RFC 4954 section 6: the user has to log in once with a password in plain text.
_TRANSITION = 432
# Octets of a command line (RFC 5321 section 4.5.3.1.4): AUTH makes none longer for clients.
_LINE = 512
_CREDENTIALS = 535


def log_in(client: Client, settings: ClientSettings) -> Flow[Reply]:
    """Authenticate with the credentials of an settings.

    Returns:
        The reply that says so.

    Raises:
        AuthenticationError: it is not possible, or the server refuses.
        TransientError: the server cannot tell now.
        ConnectionLost, RemoteProtocolError: see `next_reply`.
    """
    login = _Login(client, settings)
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
        refusals: what the server said to each mechanism that was tried, and what it explained
            within the exchange.
    """

    def __init__(self, client: Client, settings: ClientSettings) -> None:
        assert settings.credentials is not None
        assert settings.nonce is not None
        self.client = client
        self.settings = settings
        self.credentials = settings.credentials
        self.identity = self.credentials.authorization or self.credentials.username
        tls = client.session.tls
        auth = client.offered.get(Auth)
        self.offered = auth.mechanisms if auth is not None else ()
        self.context = Context.of(
            client.session,
            settings.nonce,
            host=settings.host or (tls.server_name if tls is not None else "") or "",
            port=settings.port,
            offered=self.offered,
        )
        self.known = known_mechanisms(settings.mechanisms)
        self.refusals: list[tuple[Mechanism, Reply, str]] = []

    def candidates(self) -> list[Mechanism]:
        """The mechanisms to try, the strongest first.

        Raises:
            AuthenticationError: there is none.
        """
        chosen = choose(
            self.credentials,
            self.context,
            allowed=self.settings.allow_plaintext,
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
            allowed=self.settings.allow_plaintext,
            mechanisms=self.known,
        )
        lines = [f"{name}: {obstacle}" for name, obstacle in found.items()]
        return ["no mechanism that the server offers can be used", *lines]

    def in_vain(self, mechanism: Mechanism) -> bool:
        """Whether a refusal of the credentials makes it senseless, or unsafe, to try this one."""
        return any(
            tried.plaintext is mechanism.plaintext or not self.is_certain_of_server(tried)
            for tried, reply, _ in self.refusals
            if reply.code == _CREDENTIALS
        )

    def is_certain_of_server(self, tried: Mechanism) -> bool:
        """Whether nobody in between can have refused a mechanism.

        Not after one that binds to the channel: to fail with the right credentials is how it tells
        that the channel ends somewhere else (RFC 5802 section 6).
        """
        session = self.client.session
        verified = session.tls is None or bool(session.tls.peer_names)
        return session.secure and verified and not tried.name.endswith("-PLUS")

    def attempt(self, mechanism: Mechanism) -> Flow[Reply]:
        """Try one mechanism, and give the final reply to it."""
        try:
            exchange = ClientExchange(mechanism, self.credentials, self.context)
        except SASLError as error:
            raise AuthenticationError(f"{mechanism.name}: {error}") from None
        command = AuthCommand(mechanism.name, exchange.initial)
        # What is too long for the command leaves after the first challenge (RFC 4954 section 4).
        later = exchange.initial if len(f"AUTH {command.arguments()}\r\n") > _LINE else None
        if later is not None:
            command = AuthCommand(mechanism.name)
        reply = yield from ask(self.client, command)
        while reply.intermediate:
            try:
                if later is None:
                    response = exchange.respond(decode_base64(reply.text))
                else:
                    response, later = later, None
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
            self.refusals.append((mechanism, reply, explanation(exchange.refused())))
        return reply

    def error(self) -> AuthenticationError:
        """Why all that was tried failed."""
        decisive = [reply for _, reply, _ in self.refusals if reply.code == _CREDENTIALS]
        reply = decisive[0] if decisive else self.refusals[-1][1]
        tried = [f"{mechanism.name}: {reply}{why}" for mechanism, reply, why in self.refusals]
        lines = "\n- ".join(["the server refused the login", *tried])
        return AuthenticationError(f"{lines}\n{reply.explain()}", reply=reply)


def explanation(refused: SASLRefused) -> str:
    """What the server explained within the exchange, as bearers of tokens are told (RFC 7628)."""
    return "" if str(refused) == UNEXPLAINED else f"; {refused}"
