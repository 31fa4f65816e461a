"""What makes the reply to EHLO, HELO and LHLO: RFC 5321 section 4.1.1.1."""

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
    """The session as it is once the client has named itself.

    Arguments:
        command: how it does so.
        session: the session before that.
        extensions: what the server offers in reply to EHLO.
        plain: what is in force after HELO as well.
    """
    session = changed(
        session, name=command.name, extended=not isinstance(command, Helo), offered=Offered()
    )
    return changed(session, offered=offers(extensions if session.extended else plain, session))


def offers(extensions: Iterable[Extension], session: Session) -> Offered:
    """What these extensions offer in a session."""
    found = [extension.offer(session) for extension in extensions]
    return Offered([offer for offer in found if offer is not None])


def with_offers(reply: Reply, session: Session) -> Reply:
    """The reply to EHLO with the lines of what is offered."""
    if not session.extended:
        return reply
    lines = [each.line() for each in session.offered if isinstance(each, Extension)]
    return replace(reply, text="\n".join([reply.text, *lines]))
