"""A client's login: the client's half of AUTH, RFC 4954.

It tries the strongest mechanism of both sides first.  If the server refuses the mechanism, it tries
the next one.  If the server refuses the credentials, it makes one more try with a mechanism of
another kind, because a server may have stored only what that one needs.

A mechanism that sends a reusable secret is used inside TLS only, unless the user allows it by name.
After a refusal it is used only if the server's identity is verified.  Otherwise an attacker between
the two could refuse the safe mechanism to be sent the secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import LocalProtocolError
from ...extensions import Auth, AuthCommand
from ...grammar.encodings import decode_base64
from ...sasl import UNEXPLAINED, ClientExchange, Context, SASLError, SASLRefused
from ...sasl.mechanism_choice import choose, known_mechanisms, obstacles
from ...vocabulary.events import AuthResponse
from ..errors import AuthenticationError, error_for
from ..io_requests import Flow
from .command_and_reply import ask, next_reply

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...sasl import Mechanism
    from ...vocabulary.replies import Reply
    from .settings import ClientSettings

__all__ = ["log_in"]

# RFC 4954 section 6: the user has to log in once with a password in plain text.
_TRANSITION = 432
# Octets of a command line (RFC 5321 section 4.5.3.1.4); AUTH does not raise this for clients.
_LINE = 512
_CREDENTIALS = 535


def log_in(client: Client, settings: ClientSettings) -> Flow[Reply]:
    """Authenticate with the credentials of the settings.

    Returns:
        The positive reply to AUTH.

    Raises:
        AuthenticationError: no mechanism can be used, or the server refuses.
        TransientError: the server refused for now.
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
    """One login.

    Attributes:
        refusals: the reply to each mechanism that was tried, and the server's explanation within
            the exchange.
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
        """Return the mechanisms to try, the strongest first.

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
        """Return why no mechanism can be used: the reason, and for each mechanism its obstacle."""
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
        """Return whether to skip a mechanism after a refusal: it would fail, or is unsafe."""
        return any(
            tried.plaintext is mechanism.plaintext or not self.is_certain_of_server(tried)
            for tried, reply, _ in self.refusals
            if reply.code == _CREDENTIALS
        )

    def is_certain_of_server(self, tried: Mechanism) -> bool:
        """Return whether no attacker can have refused a mechanism in the server's name.

        It is False after a mechanism that binds to the channel: with the right credentials it fails
        only if the channel ends elsewhere (RFC 5802 section 6).
        """
        session = self.client.session
        verified = session.tls is None or bool(session.tls.peer_names)
        return session.secure and verified and not tried.name.endswith("-PLUS")

    def attempt(self, mechanism: Mechanism) -> Flow[Reply]:
        """Try one mechanism; return the final reply to it."""
        try:
            exchange = ClientExchange(mechanism, self.credentials, self.context)
        except SASLError as error:
            raise AuthenticationError(f"{mechanism.name}: {error}") from None
        command = AuthCommand(mechanism.name, exchange.initial)
        # An initial response too long for the command follows the first challenge (RFC 4954 section
        # 4).
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
                # `from None`: the original error may hold a secret.
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
        """Return the error that lists all failed tries."""
        decisive = [reply for _, reply, _ in self.refusals if reply.code == _CREDENTIALS]
        reply = decisive[0] if decisive else self.refusals[-1][1]
        tried = [f"{mechanism.name}: {reply}{why}" for mechanism, reply, why in self.refusals]
        lines = "\n- ".join(["the server refused the login", *tried])
        return AuthenticationError(f"{lines}\n{reply.explain()}", reply=reply)


def explanation(refused: SASLRefused) -> str:
    """Return the server's explanation within the exchange, as for bearer tokens (RFC 7628)."""
    return "" if str(refused) == UNEXPLAINED else f"; {refused}"
