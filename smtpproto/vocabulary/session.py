"""The facts of a session, and its mail transaction.

A `Session` is immutable and replaced as a whole: when the client names itself, when TLS begins,
when the client authenticates.  A handler may keep the one it got.  What changes within one are its
transaction, which grows with each recipient, and its `state`, which is the handler's own.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .addresses import AddressLiteral, Domain
from .commands import Mail, Rcpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "EarlyTalk",
    "NameKind",
    "Offered",
    "PeerName",
    "Protocol",
    "Session",
    "TLSFacts",
    "Transaction",
]

T = TypeVar("T")
B = TypeVar("B")
F = TypeVar("F")


class Protocol(enum.Enum):
    """What is spoken."""

    SMTP = "SMTP (RFC 5321)"
    LMTP = "LMTP (RFC 2033): LHLO, and a reply for each recipient after the content"


class Offered(Generic[B]):
    """The service extensions that are in force, looked up by their class.

    `offered.get(Size)` is a `Size` or None; `Size in offered`; iteration gives the extensions in
    the order of their EHLO lines.
    """

    __slots__ = ("_all", "_by_class")

    def __init__(self, extensions: Iterable[B] = ()) -> None:
        self._all = tuple(extensions)
        self._by_class: dict[type[Any], Any] = {type(each): each for each in self._all}

    def get(self, kind: type[T]) -> T | None:
        """The extension of this class, or None if it was not offered.

        Raises:
            TypeError: it is no class.
        """
        found: T | None = self._by_class.get(kind)
        if found is None:
            _expect_class(kind)
        return found

    def __contains__(self, kind: object) -> bool:
        return kind in self._by_class or _expect_class(kind)

    def __iter__(self) -> Iterator[B]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"Offered({self._all!r})"


def _expect_class(kind: object) -> bool:
    # A keyword as text would be found in no session, and nobody would know why.
    if not isinstance(kind, type):
        raise TypeError(f"an extension is looked up by its class, such as Size; found {kind!r}")
    return False


class NameKind(enum.Enum):
    """What a name in a certificate is the name of (RFC 5280 section 4.2.1.6)."""

    DNS = "DNS"
    EMAIL = "email"
    IP = "IP Address"
    URI = "URI"


@dataclass(frozen=True, slots=True)
class PeerName:
    """A name in a certificate; as text, the name alone.

    Arguments:
        kind: of what it is the name: "mx.example.org" may be that of a host or of a person.
        text: the name.
    """

    kind: NameKind
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TLSFacts:
    """What the adapter knows of a TLS connection.

    Arguments:
        version: such as "TLSv1.3".
        cipher: the cipher suite's name.
        server_name: the name that the client asked for (SNI), or None.
        peer_certificate: the peer's certificate in DER, or None if it sent none.
        peer_names: names in that certificate, if it was verified.
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
        """The names of one kind in the peer's verified certificate."""
        return tuple(name.text for name in self.peer_names if name.kind is kind)


@dataclass(frozen=True, slots=True)
class EarlyTalk:
    """A fact of a session: the client spoke before it was greeted (RFC 5321 section 4.3.1).

    Programs that send spam do not wait for what they do not read.  See `Session.get`.
    """


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of a session; the same on both sides.

    Arguments:
        hostname: the server's own name (on a client: what the greeting called it).
        protocol: SMTP or LMTP.
        peer: the peer's IP address or path as text, "" if it is not known.
        peer_port: the peer's port, 0 if it has none or it is not known.
        name: what the client called itself in EHLO, HELO or LHLO; None before that.
        extended: whether that was EHLO or LHLO, so that service extensions are in force.
        offered: the extensions in force.
        secure: whether the channel keeps secrets: TLS, or what the application vouches for.
        tls: facts about TLS, None without.
        identity: who the client authenticated as, None before that (RFC 4954).
        facts: what extensions and adapters know besides, one value of each class; see `get`.
        transaction: on a server, as its handler sees it: the mail transaction so far, or None.
        state: for a server's handler, to keep what it knows of this connection; it is passed on
            whenever the session is replaced.  It stays when TLS begins, so a handler that keeps
            what the client said before forgets it in `ehlo` (RFC 3207 section 4.2).
    """

    hostname: str = ""
    protocol: Protocol = Protocol.SMTP
    peer: str = ""
    name: Domain | AddressLiteral | None = None
    extended: bool = False
    offered: Offered[object] = field(default_factory=Offered, compare=False)
    secure: bool = False
    tls: TLSFacts | None = None
    identity: str | None = None
    facts: tuple[object, ...] = ()
    peer_port: int = 0
    transaction: Transaction | None = field(default=None, repr=False, compare=False)
    state: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def get(self, kind: type[F]) -> F | None:
        """The fact of this class, such as what a proxy said about the client, or None."""
        for fact in self.facts:
            if type(fact) is kind:
                return fact
        return None

    def with_fact(self, fact: object) -> Session:
        """The session with one fact more, in place of an older one of its class."""
        others = tuple(other for other in self.facts if type(other) is not type(fact))
        return replace(self, facts=(*others, fact))

    def without_fact(self, kind: type[object]) -> Session:
        """The session without the fact of this class."""
        if self.get(kind) is None:
            return self
        return replace(self, facts=tuple(fact for fact in self.facts if type(fact) is not kind))


class Transaction:
    """The mail transaction under way: what MAIL and RCPT said so far (RFC 5321 section 3.3).

    Attributes:
        mail: the accepted MAIL command, with the reverse-path.
        recipients: the accepted RCPT commands, in their order; to be read only.
    """

    __slots__ = ("mail", "recipients")

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.recipients: list[Rcpt] = []
