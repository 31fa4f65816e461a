"""What EHLO, HELO and LHLO change, and what the server offers: RFC 5321 section 4.1.1.1."""

from __future__ import annotations

from collections.abc import Iterable

from ..extensions import Extension
from ..vocabulary.commands import Hello, Helo
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import NOTHING_OFFERED, Offered, Session, changed
from .compiled_extensions import Catalogue, ServerExtensions

__all__ = ["named", "offers", "with_offers"]


def named(
    command: Hello,
    session: Session,
    extensions: ServerExtensions,
    catalogue: Catalogue,
) -> Session:
    """Return the session after the client has given its name.

    Arguments:
        command: the client's EHLO, HELO or LHLO.
        session: the session before.
        extensions: the extensions that the server offers.
        catalogue: of the server.
    """
    session = changed(
        session, name=command.name, extended=not isinstance(command, Helo), offered=NOTHING_OFFERED
    )
    found = extensions.offered if session.extended else extensions.plain
    return changed(session, offered=offers(found, session, catalogue))


def offers(extensions: Iterable[Extension], session: Session, catalogue: Catalogue) -> Offered:
    """Return what these extensions offer in a session."""
    found = [extension.offer(session) for extension in extensions]
    return catalogue.offered([offer for offer in found if offer is not None])


def with_offers(reply: Reply, session: Session) -> Reply:
    """Return the reply to EHLO with the lines of the offered extensions."""
    if not session.extended:
        return reply
    lines = [each.line() for each in session.offered]
    return Reply(reply.code, reply.enhanced, "\n".join([reply.text, *lines]))
