"""XFORWARD: a filter names the client whose message it passes on, for logs (Postfix).

See Postfix's XFORWARD_README.  It changes nothing but a fact of the session, for programs that
write logs.  The session forgets that fact after the next mail transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..vocabulary.session_facts import Session
from ..vocabulary.states import State, Transition
from .extension import Answered, SessionEvent, TransactionOver
from .xclient import AttributeCommand, AttributeExtension, NamedClient

__all__ = ["ForwardedClient", "XForward", "XForwardCommand"]


class XForwardCommand(AttributeCommand):
    """XFORWARD: the next message came from this client.

    Arguments:
        attributes: NAME, ADDR, PORT, PROTO, HELO, IDENT, SOURCE (LOCAL or REMOTE); the values need
            not be IP addresses or domains.
    """

    __slots__ = ()
    verb = "XFORWARD"

    @classmethod
    def check_value(cls, name: str, text: str) -> None:
        if name == "SOURCE" and text.upper() not in ("LOCAL", "REMOTE"):
            raise cls.wrong("SOURCE=LOCAL or SOURCE=REMOTE", text)
        if name == "PROTO" and len(text) > 64:
            raise cls.wrong("up to 64 characters for PROTO", text)


class ForwardedClient(NamedClient):
    """A fact of a session: the client that the next message came from; see `Session.get`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class XForward(AttributeExtension):
    """A filter names the client whose message it passes on (Postfix).

    Arguments:
        trusted: the peers that may, such as `TrustedNetworks(["127.0.0.0/8"])`; none by default.
        names: the attributes that the server accepts.
    """

    keyword = "XFORWARD"
    commands = (XForwardCommand,)
    transitions = {State.READY: {"XFORWARD": Transition()}}
    names: tuple[str, ...] = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Keep the attributes, together with earlier ones, until the next message is over."""
        if isinstance(event, TransactionOver):
            return session.without_fact(ForwardedClient)
        if not (isinstance(event, Answered) and event.positive):
            return session
        assert isinstance(event.command, XForwardCommand)
        return session.with_fact(ForwardedClient.added(session, event.command))
