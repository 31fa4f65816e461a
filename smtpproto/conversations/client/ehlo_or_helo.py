"""EHLO, and HELO for a server that does not know EHLO: RFC 5321 sections 3.2 and 4.1.1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...vocabulary.commands import Ehlo, Helo, Lhlo
from ...vocabulary.session_facts import Protocol
from ...vocabulary.states import State
from ..errors import error_for
from ..io_requests import Flow
from .command_and_reply import ask

if TYPE_CHECKING:
    from ...engine.client import Client
    from ...vocabulary.addresses import AddressLiteral, Domain
    from ...vocabulary.replies import Reply

__all__ = ["say_hello"]


def say_hello(client: Client, name: Domain | AddressLiteral) -> Flow[Reply]:
    """Send EHLO or LHLO with the name of the client.

    If the server refuses EHLO for good, send HELO.  A refusal of LHLO stands: LMTP has no HELO
    (RFC 2033 section 4.1).

    Returns:
        The reply that begins the session.

    Raises:
        SMTPError: the server refused.
        ConnectionLost, RemoteProtocolError: see `next_reply`.
    """
    if client.session.protocol is Protocol.LMTP:
        reply = yield from ask(client, Lhlo(name))
    else:
        reply = yield from ask(client, Ehlo(name))
        if reply.permanent and client.state is State.GREETED:
            reply = yield from ask(client, Helo(name))
    if reply.negative:
        raise error_for(reply)
    return reply
