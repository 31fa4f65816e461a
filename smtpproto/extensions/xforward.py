"""XFORWARD: a filter names the client whose message it passes on, for logs (Postfix).

See Postfix's XFORWARD_README.  It changes nothing but a fact of the session, for programs that
write logs.  The session forgets that fact after the next mail transaction.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from ..vocabulary.states import State, Transition
from ..vocabulary.xclient_attributes import AttributeCommand, Attributes, merged, speaker
from .extension import Answered, Extension, SessionEvent, TransactionOver
from .xclient import check_names

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ForwardedClient", "XForward", "XForwardCommand"]

NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")
NOT_TRUSTED = Reply(550, "5.7.0", "XFORWARD: insufficient authorization")


@dataclass(frozen=True, slots=True)
class XForwardCommand(AttributeCommand):
    """XFORWARD: the next message came from this client.

    Arguments:
        attributes: NAME, ADDR, PORT, PROTO, HELO, IDENT, SOURCE (LOCAL or REMOTE); the values need
            not be IP addresses or domains.
    """

    verb = "XFORWARD"

    @classmethod
    def check_value(cls, name: str, text: str) -> None:
        if name == "SOURCE" and text.upper() not in ("LOCAL", "REMOTE"):
            raise cls.wrong("SOURCE=LOCAL or SOURCE=REMOTE", text)
        if name == "PROTO" and len(text) > 64:
            raise cls.wrong("up to 64 characters for PROTO", text)


@dataclass(frozen=True, slots=True)
class ForwardedClient:
    """A fact of a session: the client that the next message came from; see `Session.get`.

    Arguments:
        attributes: pairs of name in upper case and value; later commands replace earlier ones.
    """

    attributes: Attributes

    def get(self, name: str) -> str | None:
        """Return the value of an attribute; None if it is unknown."""
        value = dict(self.attributes).get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class XForward(Extension):
    """A filter names the client whose message it passes on (Postfix).

    Arguments:
        trusted: the peers that may, such as `TrustedNetworks(["127.0.0.0/8"])`; none by default.
        names: the attributes that the server accepts.
    """

    keyword = "XFORWARD"
    commands = (XForwardCommand,)
    transitions = {State.READY: {"XFORWARD": Transition()}}
    trusted: Container[str] = field(default=(), compare=False)
    names: tuple[str, ...] = NAMES

    def arguments(self) -> str:
        return " ".join(self.names)

    @classmethod
    def parse_offer(cls, arguments: str) -> Self:
        return cls(names=tuple(arguments.upper().split()))

    def offer(self, session: Session) -> Self | None:
        """Offer it to trusted peers only."""
        return self if speaker(session) in self.trusted else None

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """Refuse peers that are not trusted, even if it was offered."""
        refused = isinstance(command, XForwardCommand) and speaker(session) not in self.trusted
        return NOT_TRUSTED if refused else None

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse attributes that are not offered."""
        return check_names(command, self.names)

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Keep the attributes, together with earlier ones, until the next message is over."""
        if isinstance(event, TransactionOver):
            return session.without_fact(ForwardedClient)
        if not (isinstance(event, Answered) and event.positive):
            return session
        assert isinstance(event.command, XForwardCommand)
        before = session.get(ForwardedClient)
        attributes = merged(() if before is None else before.attributes, event.command.attributes)
        return session.with_fact(ForwardedClient(attributes))
