"""The beginning of a client's session: PROXY header, greeting, EHLO, TLS, authentication.

RFC 5321 sections 3.1 and 3.2, RFC 3207, RFC 4954.  After the handshake the client says EHLO again,
because an attacker may have sent everything before it (RFC 3207 section 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...extensions import StartTls
from ...extensions.starttls import StartTlsCommand as StartTLSCommand
from ..errors import ConnectionLost, TLSError, error_for
from ..io_requests import Flow, Send
from .command_and_reply import ask, end, next_reply
from .ehlo_or_helo import say_hello
from .settings import ClientSettings, TLSMode
from .tls_handshake import handshake

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.addresses import AddressLiteral, Domain
    from ...vocabulary.replies import Reply

__all__ = ["begin"]


def begin(
    client: Client, settings: ClientSettings, name: Domain | AddressLiteral | None = None
) -> Flow[Reply]:
    """Begin a session on a new connection, up to the state in which MAIL is possible.

    Arguments:
        client: a new connection.
        settings: the settings of the session.
        name: the argument for EHLO; None: that of the settings, or "localhost" without one.

    Returns:
        The last reply to EHLO, HELO or LHLO.

    Raises:
        SMTPError: the server refuses this client, or TLS or authentication is not possible as
            `settings` require.
        RemoteProtocolError: the server broke the protocol.

    Before it raises, it says QUIT if the session still allows that (section 4.1.1.10).
    """
    try:
        name = settings.ehlo_name("localhost", None) if name is None else name
        return (yield from _begin(client, settings, name))
    except Exception:
        if client.pending == 0:
            yield from end(client)
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
        from .authentication import log_in  # noqa: PLC0415  loads all mechanisms

        yield from log_in(client, settings)
    return reply


def _greeting(client: Client, settings: ClientSettings) -> Flow[Reply]:
    try:
        return (yield from next_reply(client))
    except ConnectionLost as error:
        if settings.tls_mode is TLSMode.IMPLICIT:
            raise
        raise ConnectionLost(
            f"{error}\n- No greeting came: a server that expects TLS from the start, as on port "
            "465, sends none (TLSMode.IMPLICIT)."
        ) from error


def _start_tls(client: Client, settings: ClientSettings) -> Flow[bool]:
    """Begin TLS if it is wanted and possible; return whether it has begun."""
    if client.session.secure and settings.policy is None:
        # The channel itself is confidential, such as a Unix socket.
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
    """Return the error for a missing STARTTLS."""
    names = [getattr(each, "name", "") or each.keyword for each in client.offered]
    return TLSError(
        f"{settings.host or 'the server'} does not offer STARTTLS; it offers "
        f"{', '.join(names) or 'no service extension'} (RFC 3207 section 4)\n"
        "- The port may be another one: 587 for STARTTLS, 465 for TLS from the start "
        "(TLSMode.IMPLICIT).\n"
        "- Something in between may have removed it: a firewall that inspects SMTP, or an attacker "
        "(RFC 3207 section 6). Try from another network.\n"
        "- Only in a trusted network: TLSMode.OPPORTUNISTIC goes on without TLS."
    )
