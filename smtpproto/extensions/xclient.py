"""XCLIENT: a proxy names the client that it speaks for; Postfix's XCLIENT_README.

After the positive reply the session returns to the state after the greeting, and the server treats
the client as the attributes say.  This lasts until the session ends or TLS begins, as an attacker
may have sent the command in plain text (RFC 3207 section 4.2).  More attributes may follow before
EHLO.  Send the address last: Postfix then checks whether the new address is authorized.  This
server always checks the peer of the connection.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..vocabulary.addresses import AddressLiteral, Domain
from ..vocabulary.command_base import Command
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Offered, Session, Transaction, changed
from ..vocabulary.states import Effect, State, Transition
from ..vocabulary.xclient_attributes import (
    AttributeCommand,
    Attributes,
    Speaker,
    ip_address,
    merged,
    speaker,
)
from .extension import Answered, Extension, SessionEvent, TLSBegun

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ClientOverride", "XClient", "XClientCommand"]

NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
NOT_TRUSTED = Reply(550, "5.7.0", "XCLIENT: insufficient authorization")


@dataclass(frozen=True, slots=True)
class XClientCommand(AttributeCommand):
    """XCLIENT: treat this client as the peer.

    Arguments:
        attributes: NAME, ADDR (an IP address, IPv6 with "IPV6:" before it), PORT, PROTO (SMTP or
            ESMTP), HELO, LOGIN, DESTADDR, DESTPORT.
    """

    verb = "XCLIENT"
    accepted = (220, "2.0.0", "ESMTP")
    temporary = frozenset({"NAME"})

    @classmethod
    def check_value(cls, name: str, text: str) -> None:
        if name.endswith("ADDR") and ip_address(text) is None:
            raise cls.wrong(f"an IP address for {name}, IPv6 with 'IPV6:' before it", text)
        if name == "PROTO" and text.upper() not in ("SMTP", "ESMTP"):
            raise cls.wrong("PROTO=SMTP or PROTO=ESMTP", text)


@dataclass(frozen=True, slots=True)
class ClientOverride:
    """A fact of a session: what XCLIENT said about the client; see `Session.get`.

    Arguments:
        attributes: pairs of name in upper case and value; later commands replace earlier ones.
    """

    attributes: Attributes

    def get(self, name: str) -> str | None:
        """Return the value of an attribute; None if it is unknown."""
        value = dict(self.attributes).get(name)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class XClient(Extension):
    """A proxy names the client that it speaks for (Postfix).

    Arguments:
        trusted: the peers that may, such as `TrustedNetworks(["127.0.0.0/8"])`; none by default.
        names: the attributes that the server accepts.
    """

    keyword = "XCLIENT"
    commands = (XClientCommand,)
    transitions = {
        state: {"XCLIENT": Transition(ok=State.GREETED, forget=Effect.TRANSACTION)}
        for state in (State.GREETED, State.READY)
    }
    plain = True
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
        refused = isinstance(command, XClientCommand) and speaker(session) not in self.trusted
        return NOT_TRUSTED if refused else None

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse attributes that are not offered."""
        return check_names(command, self.names)

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Return to the state after the greeting; a server replaces the client by the proxy's.

        TLS discards what XCLIENT said, because an attacker may have sent it before.
        """
        if isinstance(event, TLSBegun):
            itself = session.get(Speaker)
            if itself is not None:
                session = changed(session, peer=itself.peer, peer_port=itself.port)
            return session.without_fact(ClientOverride).without_fact(Speaker)
        if not (isinstance(event, Answered) and event.positive):
            return session
        # The client may send another XCLIENT before EHLO.
        offer = session.offered.get(cls)
        session = changed(
            session,
            name=None,
            extended=False,
            identity=None,
            offered=Offered(() if offer is None else (offer,)),
        )
        assert isinstance(event.command, XClientCommand)
        return _overridden(session, event.command) if event.on_server else session


def _overridden(session: Session, command: XClientCommand) -> Session:
    """Return the session with the proxy's client in place of the proxy."""
    before = session.get(ClientOverride)
    attributes = merged(() if before is None else before.attributes, command.attributes)
    fact = ClientOverride(attributes)
    address, helo = dict(attributes).get("ADDR"), fact.get("HELO")
    peer, port = session.peer, fact.get("PORT")
    if address is not None:
        peer = (ip_address(address) or "") if isinstance(address, str) else ""
    itself = session.get(Speaker) or Speaker(session.peer, session.peer_port)
    return changed(
        session.with_fact(itself).with_fact(fact),
        peer=peer,
        # Facts of the client that the command does not name are unknown.
        peer_port=int(port or 0),
        identity=fact.get("LOGIN"),
        name=None if helo is None else _name(helo),
    )


def _name(helo: str) -> Domain | AddressLiteral | None:
    try:
        return AddressLiteral.parse(helo) if helo.startswith("[") else Domain.parse(helo)
    except LocalProtocolError:
        # Many clients give a name that is no domain; the fact keeps it as it is.
        return None


def check_names(command: Command, names: tuple[str, ...]) -> Reply | None:
    """Return the reply that refuses an attribute which is not among `names`, or None."""
    assert isinstance(command, AttributeCommand)
    for name, _ in command.attributes:
        if name not in names:
            return Reply(501, "5.5.4", f"{command.verb}: {name[:64]} is not offered here")
    return None
