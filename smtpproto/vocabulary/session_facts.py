"""What is known of a session (`Session`), its TLS, its peer's names, and its mail transaction.

A `Session` is immutable.  The connection replaces it when the client gives its name, when TLS
begins and when the client authenticates, so a handler may keep one.  Two of its values change in
place: the transaction, which gains recipients, and `state`, which belongs to the handler.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from typing import Protocol as TypingProtocol

from .addresses import AddressLiteral, Domain
from .commands import Mail, Rcpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "NOTHING_OFFERED",
    "EarlyTalk",
    "NameKind",
    "Offered",
    "OfferedExtension",
    "PeerName",
    "Protocol",
    "Session",
    "TLSFacts",
    "Transaction",
    "changed",
]

T = TypeVar("T")
F = TypeVar("F")


class Protocol(enum.Enum):
    """The protocol of the session."""

    SMTP = "SMTP (RFC 5321)"
    LMTP = "LMTP (RFC 2033): LHLO, and a reply for each recipient after the content"


class OfferedExtension(TypingProtocol):
    """What iteration over `Offered` gives: an `Extension`, of which these can be read.

    Attributes:
        keyword: the EHLO keyword, in upper case; empty for one that this side does not know.
    """

    keyword: ClassVar[str]

    def arguments(self) -> str:
        """What follows the keyword in the EHLO line; empty if nothing does."""

    def line(self) -> str:
        """The EHLO line without its reply code."""


class Offered:
    """The service extensions in use, looked up by their class.

    `offered.get(Size)` is a `Size` or None; `Size in offered`; iteration gives the extensions in
    the order of their EHLO lines.
    """

    __slots__ = ("_all", "_by_class")

    def __init__(self, extensions: Iterable[OfferedExtension] = ()) -> None:
        self._all = tuple(extensions)
        self._by_class: dict[type[Any], Any] = {type(each): each for each in self._all}

    @property
    def kinds(self) -> tuple[type, ...]:
        """The classes of the extensions, in the same order."""
        return tuple(self._by_class)

    def get(self, kind: type[T]) -> T | None:
        """Return the extension of this class, or None if it was not offered.

        Raises:
            TypeError: `kind` is not a class.
        """
        found: T | None = self._by_class.get(kind)
        if found is None and not isinstance(kind, type):
            # A keyword as text would never be found; this error says why.
            raise TypeError(f"an extension is looked up by its class, such as Size; found {kind!r}")
        return found

    def __contains__(self, kind: Any) -> bool:
        return kind in self._by_class or self.get(kind) is not None

    def __iter__(self) -> Iterator[OfferedExtension]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"Offered({self._all!r})"


NOTHING_OFFERED = Offered()
"""What is in use before EHLO, and after HELO."""


class NameKind(enum.Enum):
    """What a name in a certificate is the name of (RFC 5280 section 4.2.1.6)."""

    DNS = "DNS"
    EMAIL = "email"
    IP = "IP Address"
    URI = "URI"


@dataclass(frozen=True, slots=True)
class PeerName:
    """A name in a certificate; `str` gives the text alone.

    Arguments:
        kind: what it names: "mx.example.org" may be the name of a host or of a person.
        text: the name.
    """

    kind: NameKind
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TLSFacts:
    """What an adapter knows about a TLS connection.

    Arguments:
        version: such as "TLSv1.3".
        cipher: the cipher suite's name.
        server_name: the name that the client asked for (SNI), or None.
        peer_certificate: the peer's certificate in DER, or None if it sent none.
        peer_names: the names in that certificate, if TLS verified it.
        channel_bindings: data for SASL channel binding by type, such as "tls-exporter"
            (RFC 9266) or "tls-server-end-point" (RFC 5929).

        >>> name = PeerName(NameKind.DNS, "client.example")
        >>> TLSFacts("TLSv1.3", peer_names=(name,)).names(NameKind.DNS)
        ('client.example',)
    """

    version: str
    cipher: str = ""
    server_name: str | None = None
    peer_certificate: bytes | None = field(default=None, repr=False)
    peer_names: tuple[PeerName, ...] = ()
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def names(self, kind: NameKind) -> tuple[str, ...]:
        """Return the names of one kind in the peer's verified certificate."""
        return tuple(name.text for name in self.peer_names if name.kind is kind)


@dataclass(frozen=True, slots=True)
class EarlyTalk:
    """A fact of a session: the client sent something before the greeting (RFC 5321 section 4.3.1).

    Programs that send spam often do so, because they do not read replies.  See `Session.get`.
    """


@dataclass(frozen=True)  # without slots: `changed` copies all fields at once
class Session:
    """What is known about a session; the same on both sides.

    Arguments:
        hostname: the server's own name (on a client: the name in the greeting).
        protocol: SMTP or LMTP.
        peer: the peer's IP address or path as text, "" if it is not known.
        peer_port: the peer's port, 0 if it has none or it is not known.
        name: the client's name in EHLO, HELO or LHLO; None before that.
        extended: whether the client sent EHLO or LHLO, so that service extensions are in use.
        offered: the extensions in use.
        secure: whether the channel is confidential: TLS, or because the application says so.
        tls: facts about TLS; None without TLS.
        identity: the identity that the client authenticated as; None before that (RFC 4954).
        facts: further facts of extensions and adapters, one value of each class; see `get`.
        transaction: on a server, for its handler: the mail transaction so far, or None.
        state: any value that a server's handler keeps for this connection.  It is kept when the
            session is replaced, also when TLS begins.  So a handler that stores what the client
            said before TLS must delete it in `ehlo` (RFC 3207 section 4.2).
    """

    hostname: str = ""
    protocol: Protocol = Protocol.SMTP
    peer: str = ""
    name: Domain | AddressLiteral | None = None
    extended: bool = False
    offered: Offered = field(default=NOTHING_OFFERED, compare=False)
    secure: bool = False
    tls: TLSFacts | None = None
    identity: str | None = None
    facts: tuple[object, ...] = ()
    peer_port: int = 0
    transaction: Transaction | None = field(default=None, repr=False, compare=False)
    state: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def get(self, kind: type[F]) -> F | None:
        """Return the fact of this class, such as a `ProxyHeader`, or None."""
        for fact in self.facts:
            if type(fact) is kind:
                return fact
        return None

    def with_fact(self, fact: object) -> Session:
        """Return the session with one more fact, which replaces one of the same class."""
        others = tuple(other for other in self.facts if type(other) is not type(fact))
        return changed(self, facts=(*others, fact))

    def without_fact(self, kind: type[object]) -> Session:
        """Return the session without the fact of this class."""
        if self.get(kind) is None:
            return self
        return changed(self, facts=tuple(fact for fact in self.facts if type(fact) is not kind))


def changed(session: Session, **changes: Any) -> Session:
    """The session with other values in some fields.

    A server does this five times for each connection, and `dataclasses.replace` takes several times
    as long.
    """
    new = object.__new__(Session)
    vars(new).update(vars(session), **changes)
    return new


class Transaction:
    """The current mail transaction: what MAIL and RCPT said so far (RFC 5321 section 3.3).

    Attributes:
        mail: the accepted MAIL command, with the reverse-path.
        recipients: the accepted RCPT commands, in order; do not change it.
    """

    __slots__ = ("mail", "recipients")

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.recipients: list[Rcpt] = []
