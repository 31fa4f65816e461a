"""The beginning of a client's session: PROXY header, greeting, EHLO, TLS, authentication.

RFC 5321 sections 3.1 and 3.2, RFC 3207, RFC 4954.  After the handshake the client says EHLO again,
because an attacker may have sent everything before it (RFC 3207 section 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...extensions import StartTls
from ...extensions.starttls import StartTlsCommand as StartTLSCommand
from ..errors import ConnectionLost, TLSError, error_for
from ..requests import Flow, Send
from .authentication import log_in
from .command_and_reply import ask, end, next_reply
from .ehlo_or_helo import say_hello
from .settings import ClientSettings, TLSMode
from .tls import handshake

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.addresses import AddressLiteral, Domain
    from ...vocabulary.replies import Reply

__all__ = ["begin"]

# Seconds to wait for the reply to QUIT if the session cannot begin.
_PATIENCE = 5.0


def begin(
    client: Client, settings: ClientSettings, name: Domain | AddressLiteral | None = None
) -> Flow[Reply]:
    """From a new connection to a session in which mail transactions can begin.

    Arguments:
        client: a new connection.
        settings: what the session is to be like.
        name: the argument for EHLO; None: that of the settings, or "localhost" without one.

    Returns:
        The last reply to EHLO, HELO or LHLO.

    Raises:
        SMTPError: the server does not want this client, or TLS or authentication cannot be had as
            `settings` ask.
        RemoteProtocolError: the server broke the protocol.

    Before it raises, it says QUIT if the session still allows that (section 4.1.1.10).
    """
    try:
        name = settings.ehlo_name("localhost", None) if name is None else name
        return (yield from _begin(client, settings, name))
    except Exception:
        if client.pending == 0:
            yield from end(client, _PATIENCE)
        raise


def _begin(client: Client, settings: ClientSettings, name: Domain | AddressLiteral) -> Flow[Reply]:
    if settings.proxy is not None:
        try:
            yield Send(settings.proxy.to_bytes(), client.timeout)
        except OSError as error:
            raise ConnectionLost(f"the link broke: {error}") from error
    if settings.tls_mode is TLSMode.IMPLICIT:
        yield from handshake(client, settings)
    greeting = yield from _greeting(client, settings)
    if greeting.negative:
        raise error_for(greeting)
    reply = yield from say_hello(client, name)
    wanted = settings.tls_mode in (TLSMode.OPPORTUNISTIC, TLSMode.STARTTLS)
    if wanted and (yield from _start_tls(client, settings)):
        reply = yield from say_hello(client, name)
    if settings.credentials is not None:
        yield from log_in(client, settings)
    return reply


def _greeting(client: Client, settings: ClientSettings) -> Flow[Reply]:
    try:
        return (yield from next_reply(client))
    except ConnectionLost as error:
        if settings.tls_mode is TLSMode.IMPLICIT:
            raise
        raise ConnectionLost(
            f"{error}\n- Before the greeting: a server that expects TLS from the start, as on port "
            "465, keeps silent like that (TLSMode.IMPLICIT)."
        ) from error


def _start_tls(client: Client, settings: ClientSettings) -> Flow[bool]:
    """Begin TLS if that is wanted and possible; whether it has begun."""
    if client.session.secure and settings.policy is None:
        # A channel that keeps secrets by itself, such as a Unix socket.
        return False
    if StartTls not in client.offered:
        if settings.requires_tls:
            raise _not_offered(client, settings)
        return False
    reply = yield from ask(client, StartTLSCommand())
    if reply.positive:
        # Raises an error if plain text follows the reply, before any handshake.
        client.next_event()
        yield from handshake(client, settings)
        return True
    if reply.code == 421:
        raise error_for(reply)
    if settings.requires_tls:
        raise TLSError(
            f"{settings.host or 'the server'} offers STARTTLS and refuses it: {reply}\n"
            f"{reply.explain()}",
            reply=reply,
        )
    return False


def _not_offered(client: Client, settings: ClientSettings) -> TLSError:
    """The error for a missing STARTTLS."""
    names = [getattr(each, "name", "") or each.keyword for each in client.offered]
    return TLSError(
        f"{settings.host or 'the server'} does not offer STARTTLS; it offers "
        f"{', '.join(names) or 'no service extension'} (RFC 3207 section 4)\n"
        "- The port may be another one: 587 for STARTTLS, 465 for TLS from the start "
        "(TLSMode.IMPLICIT).\n"
        "- Something in between may have removed it: a firewall that inspects SMTP, or an attacker "
        "(RFC 3207 section 6). Try from another network.\n"
        "- Only where nobody can listen: TLSMode.OPPORTUNISTIC does without."
    )
