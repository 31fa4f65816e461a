"""What EHLO, HELO and LHLO change, and what the server offers: RFC 5321 section 4.1.1.1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..extensions import Extension
from ..vocabulary.commands import Hello, Helo
from ..vocabulary.replies import Reply
from ..vocabulary.session import Offered, Session, changed

__all__ = ["named", "offers", "with_offers"]


def named(
    command: Hello, session: Session, extensions: Iterable[Extension], plain: Iterable[Extension]
) -> Session:
    """Return the session after the client has given its name.

    Arguments:
        command: the client's EHLO, HELO or LHLO.
        session: the session before.
        extensions: the extensions that the server offers in reply to EHLO.
        plain: the extensions that are in use after HELO too.
    """
    session = changed(
        session, name=command.name, extended=not isinstance(command, Helo), offered=Offered()
    )
    return changed(session, offered=offers(extensions if session.extended else plain, session))


def offers(extensions: Iterable[Extension], session: Session) -> Offered:
    """Return what these extensions offer in a session."""
    found = [extension.offer(session) for extension in extensions]
    return Offered([offer for offer in found if offer is not None])


def with_offers(reply: Reply, session: Session) -> Reply:
    """Return the reply to EHLO with the lines of the offered extensions."""
    if not session.extended:
        return reply
    lines = [each.line() for each in session.offered if isinstance(each, Extension)]
    return replace(reply, text="\n".join([reply.text, *lines]))
