"""XCLIENT: a proxy names the client that it speaks for; and what XFORWARD shares with it.

Postfix defines both (XCLIENT_README and XFORWARD_README in its documentation); no RFC does.  Both
change what a server believes about a client, so the server accepts them from trusted peers only.
Trust depends on the peer of the connection itself, never on the client that it names.

After the positive reply to XCLIENT the session returns to the state after the greeting, and the
server treats the client as the attributes say.  This lasts until the session ends or TLS begins, as
an attacker may have sent the command in plain text (RFC 3207 section 4.2).  More attributes may
follow before EHLO.  A client should send the address last: Postfix then checks whether the new
address is authorized.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..errors import LocalProtocolError
from ..field_types import refuse_text
from ..grammar.encodings import decode_xtext, encode_xtext
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.addresses import AddressLiteral, Domain
from ..vocabulary.command_base import Command, Grammar
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Offered, Session, Transaction, changed
from ..vocabulary.states import Effect, State, Transition
from .extension import Answered, Extension, SessionEvent, TLSBegun

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "AttributeCommand",
    "AttributeExtension",
    "Attributes",
    "ClientOverride",
    "NamedClient",
    "Unavailable",
    "Value",
    "XClient",
    "XClientCommand",
]

# attribute-name "=" xtext.  Postfix has a fixed list of names, other programs have more.
NAME = lazy_pattern(r"[A-Za-z][A-Za-z0-9-]*")
# The decoded value: 1 to 255 printable ASCII characters without white space.
TEXT = lazy_pattern(r"[!-~]{1,255}")
PORT = lazy_pattern(r"[0-9]{1,5}")
HIGHEST_PORT = 65535


class Unavailable(enum.Enum):
    """Why an attribute has no value."""

    PERMANENT = "[UNAVAILABLE]"
    TEMPORARY = "[TEMPUNAVAIL]"


_UNAVAILABLE = {value.value: value for value in Unavailable}

Value = str | Unavailable
Attributes = tuple[tuple[str, Value], ...]


# --- what XCLIENT and XFORWARD share --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AttributeCommand(Command):
    """A command that describes another client.

    Arguments:
        attributes: pairs of name (in upper case) and value; each name once.

    Raises:
        LocalProtocolError: 501: there are no attributes, or one cannot be written.
    """

    # The attributes that can be temporarily unavailable.
    temporary: ClassVar[frozenset[str]] = frozenset()
    attributes: Attributes

    def __post_init__(self) -> None:
        names = [name for name, _ in self.attributes]
        if not names or len(set(names)) < len(names):
            raise self.wrong("one or more attributes, each of them once", " ".join(names))
        for name, value in self.attributes:
            if NAME.fullmatch(name) is None or not name.isupper():
                raise self.wrong("the name of an attribute", name)
            if isinstance(value, str):
                self._check_text(name, value)
                self.check_value(name, value)
            elif value is Unavailable.TEMPORARY and name not in self.temporary:
                raise self.wrong(f"a value of {name} or {Unavailable.PERMANENT.value}", value.value)

    @classmethod
    def wrong(cls, expected: str, found: str) -> LocalProtocolError:
        """Return the error for an attribute."""
        return LocalProtocolError(f"{cls.verb}: expected {expected}, found {found[:64]!a}")

    @classmethod
    def _check_text(cls, name: str, text: str) -> None:
        if TEXT.fullmatch(text) is None or text.upper() in _UNAVAILABLE:
            raise cls.wrong(f"up to 255 visible ASCII characters for {name}", text)
        if name.endswith("PORT") and (PORT.fullmatch(text) is None or int(text) > HIGHEST_PORT):
            raise cls.wrong(f"0 to {HIGHEST_PORT} for {name}", text)

    @classmethod
    def check_value(cls, name: str, text: str) -> None:
        """Refuse a value that this attribute cannot have."""

    def arguments(self) -> str:
        return " ".join(
            f"{name}={value.value if isinstance(value, Unavailable) else encode_xtext(value)}"
            for name, value in self.attributes
        )

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the attributes; their names may have any letter case."""
        attributes = []
        for item in filter(None, arguments.split(" ")):
            name, equals, text = item.partition("=")
            if not equals:
                raise cls.wrong("name=value", item)
            if not item.isascii():
                # `upper` maps some other characters to ASCII, such as the dotless i.
                raise cls.wrong("ASCII", item)
            value: Value | None = _UNAVAILABLE.get(text.upper())
            attributes.append((name.upper(), decode_xtext(text) if value is None else value))
        return cls(tuple(attributes))


@dataclass(frozen=True, slots=True)
class NamedClient:
    """A fact of a session: what a trusted peer said about a client; see `Session.get`.

    Arguments:
        attributes: pairs of name in upper case and value; later commands replace earlier ones.
    """

    attributes: Attributes

    def get(self, name: str) -> str | None:
        """Return the value of an attribute; None if it is unknown."""
        value = dict(self.attributes).get(name)
        return value if isinstance(value, str) else None

    @classmethod
    def added(cls, session: Session, command: AttributeCommand) -> Self:
        """Return the fact with the attributes of one more command."""
        before = session.get(cls)
        known = {} if before is None else dict(before.attributes)
        return cls(tuple({**known, **dict(command.attributes)}.items()))


class Speaker(NamedTuple):
    """A fact of a session: the peer of the connection itself, once it has named its client."""

    peer: str
    port: int = 0

    @classmethod
    def of(cls, session: Session) -> Speaker:
        """Return the peer of the connection itself, not the client that it names."""
        return session.get(cls) or cls(session.peer, session.peer_port)


@dataclass(frozen=True, slots=True)
class AttributeExtension(Extension):
    """An extension by which a trusted peer names another client.

    Arguments:
        trusted: the peers that may, such as `TrustedNetworks(["127.0.0.0/8"])`; none by default.
        names: the attributes that the server accepts.
    """

    trusted: Container[str] = field(default=(), compare=False)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        refuse_text("addresses, such as TrustedNetworks(...)", trusted=self.trusted)
        refuse_text("a tuple of names", names=self.names)

    def arguments(self) -> str:
        return " ".join(self.names)

    @classmethod
    def parse_offer(cls, arguments: str) -> Self:
        return cls(names=tuple(arguments.upper().split()))

    def offer(self, session: Session) -> Self | None:
        """Offer it to trusted peers only."""
        return self if Speaker.of(session).peer in self.trusted else None

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        """Refuse peers that are not trusted, even if it was offered."""
        if not isinstance(command, self.commands) or self.offer(session) is not None:
            return None
        return Reply(550, "5.7.0", f"{command.verb}: insufficient authorization")

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse attributes that are not offered."""
        assert isinstance(command, AttributeCommand)
        for name, _ in command.attributes:
            if name not in self.names:
                return Reply(501, "5.5.4", f"{command.verb}: {name[:64]} is not offered here")
        return None


# --- XCLIENT --------------------------------------------------------------------------------------

_NAMES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")


class XClientCommand(AttributeCommand):
    """XCLIENT: treat this client as the peer.

    Arguments:
        attributes: NAME, ADDR (an IP address, IPv6 with "IPV6:" before it), PORT, PROTO (SMTP or
            ESMTP), HELO, LOGIN, DESTADDR, DESTPORT.
    """

    __slots__ = ()
    verb = "XCLIENT"
    accepted = (220, "2.0.0", "ESMTP")
    temporary = frozenset({"NAME"})

    @classmethod
    def check_value(cls, name: str, text: str) -> None:
        if name.endswith("ADDR") and ip_address(text) is None:
            raise cls.wrong(f"an IP address for {name}, IPv6 with 'IPV6:' before it", text)
        if name == "PROTO" and text.upper() not in ("SMTP", "ESMTP"):
            raise cls.wrong("PROTO=SMTP or PROTO=ESMTP", text)


class ClientOverride(NamedClient):
    """A fact of a session: what XCLIENT said about the client; see `Session.get`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class XClient(AttributeExtension):
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
    names: tuple[str, ...] = _NAMES

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Return to the state after the greeting; a server replaces the client by the proxy's.

        TLS discards what XCLIENT said, because an attacker may have sent it before.
        """
        if isinstance(event, TLSBegun):
            itself = Speaker.of(session)
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
    fact = ClientOverride.added(session, command)
    address, helo = dict(fact.attributes).get("ADDR"), fact.get("HELO")
    peer = session.peer
    if address is not None:
        peer = (ip_address(address) or "") if isinstance(address, str) else ""
    return changed(
        session.with_fact(Speaker.of(session)).with_fact(fact),
        peer=peer,
        # Facts of the client that the command does not name are unknown.
        peer_port=int(fact.get("PORT") or 0),
        identity=fact.get("LOGIN"),
        name=None if helo is None else _name(helo),
    )


def _name(helo: str) -> Domain | AddressLiteral | None:
    try:
        return AddressLiteral.parse(helo) if helo.startswith("[") else Domain.parse(helo)
    except LocalProtocolError:
        # Many clients give a name that is no domain; the fact keeps it as it is.
        return None


def ip_address(text: str) -> str | None:
    """Return the IP address in an ADDR attribute, or None for another kind of address."""
    ipv6 = text[:5].upper() == "IPV6:"
    try:
        address = ipaddress.ip_address(text[5:] if ipv6 else text)
    except ValueError:
        return None
    # Only IPv6 addresses have the prefix; a zone means nothing on another host.
    return str(address) if (address.version == 6) is ipv6 and "%" not in text else None
