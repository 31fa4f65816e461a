"""The settings of a server: what it offers, whom it admits, what it writes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...vocabulary.command_base import Syntax
from ...vocabulary.session import Protocol
from ...wire import LineEndings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping
    from datetime import datetime

    from ...engine.connection import Observer
    from ...extensions import Extension
    from ...limits import Limits
    from ...sasl import Mechanism
    from ...vocabulary.session import NameKind, Session

__all__ = ["Admission", "ServerSettings", "ServerTLS"]


class ServerTLS(enum.Enum):
    """When a server begins TLS."""

    NONE = "never"
    STARTTLS = "when the client says STARTTLS (RFC 3207)"
    IMPLICIT = "before all else (RFC 8314 section 3.3)"


@dataclass(frozen=True, slots=True)
class Admission:
    """How many sessions a server has at once.

    Arguments:
        most: in all.
        each: from one client address; None: no bound of its own.
    """

    most: int = 1000
    each: int | None = None


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of a server's sessions.

    Arguments:
        hostname: the server's own domain; None: "localhost", and with `serve` the host's name if it
            is a domain.
        tls: when TLS begins; with STARTTLS the extension is added, unless it is there already.
            None: never, or after STARTTLS where there is a `tls_context`.
        extensions: the service extensions to offer; None for `extensions.known.standard()`.
        users: a credential store (`sasl.CredentialStore`); with one, AUTH is offered.
        mechanisms: the SASL mechanisms to offer, as far as `users` can serve them: names, or a
            mapping by name that may hold private ones (`docs/howto/sasl.md`); None for those of
            `sasl.MECHANISMS` that suit all clients.
        external: of which kind the names in a client's verified certificate are identities, such as
            `NameKind.EMAIL`; None: of none, and EXTERNAL is not offered.
        limits: bounds on what a client can make the server hold or do; None for `Limits()`.
        admission: how many sessions at once, in all and from one address.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in content.
        syntax: whether command lines that real clients get wrong are read (`docs/lenient.md`).
        proxy: the networks whose PROXY header is read and believed, such as `TrustedNetworks`;
            every client there has to send one.
        observer: called for each session; gives the observer of its transcript, or None.  Both are
            called as handlers are; what they raise is logged.
        received: whether each message gets a Received field on top, as every server owes it (RFC
            5321 section 4.4).  False is right where a server behind the handler writes the field,
            or where what arrived is compared with what was sent.
        refuse_early_talkers: whether a client that speaks before it is greeted gets 554 in place of
            a greeting; otherwise the session has the fact `EarlyTalk`.
        clock: gives the time, with its zone; needed with `received`.  All sessions wait for it.
            None: there is none, and with `serve` the host's.
        nonce: gives something that was never there before, see `sasl.Context`; needed with `users`
            and `received`.  Where it makes the id of a Received field, all sessions wait for it.
            None: there is none, and with `serve` the host's randomness.

    Raises:
        TypeError: `tls` is no `ServerTLS`.
    """

    hostname: str | None = None
    tls: ServerTLS | None = None
    extensions: Iterable[Extension] | None = None
    users: object | None = None
    mechanisms: Mapping[str, Mechanism] | Collection[str] | None = None
    external: NameKind | None = None
    limits: Limits | None = None
    admission: Admission = Admission()
    protocol: Protocol = Protocol.SMTP
    line_endings: LineEndings = LineEndings.REFUSE
    syntax: Syntax = Syntax.STRICT
    proxy: Container[str] | None = None
    observer: Callable[[Session], Observer | None] | None = None
    received: bool = False
    refuse_early_talkers: bool = False
    clock: Callable[[], datetime] | None = field(default=None, repr=False)
    nonce: Callable[[], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # Anything else would be taken for none of the modes, and so for no TLS.
        if not isinstance(self.tls, (ServerTLS, type(None))):
            raise TypeError(f"tls: expected a ServerTLS, found {self.tls!r}")
