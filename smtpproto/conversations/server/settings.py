"""The settings of a server's sessions: TLS, extensions, users, limits, admission."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...engine.connection import Observer
from ...field_types import check_fields, refuse_async, refuse_text
from ...limits import Limits
from ...vocabulary.command_base import Syntax
from ...vocabulary.session_facts import NameKind, Protocol
from ...wire import LineEndings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping
    from datetime import datetime

    from ...extensions import Extension
    from ...sasl import Mechanism
    from ...vocabulary.session_facts import Session

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
        most: the most sessions in all.
        each: the most sessions from one client address; None: no bound.
    """

    most: int = 1000
    each: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of a server's sessions.

    Arguments:
        hostname: the server's own domain.  None: "localhost"; with `serve` the host's name if it is
            a domain.
        tls: when TLS begins; STARTTLS adds the extension.  None: after STARTTLS if there is a
            `tls_context`, else never.
        extensions: the service extensions to offer; None for `smtpproto.extensions.standard()`.
        users: a credential store, such as `Users`; with one, the server offers AUTH.
        mechanisms: the SASL mechanisms to offer, if `users` can serve them: names, or a mapping by
            name that may have your own (`docs/howto/sasl.md`).  None for those of
            `sasl.MECHANISMS` that suit all clients.
        external: the kind of names in a client's verified certificate that are identities, such as
            `NameKind.EMAIL`; None: no names are, and the server does not offer EXTERNAL.
        limits: bounds for what a client can make the server store or do; None for `Limits()`.
        admission: how many sessions at once, in all and from one address.
        protocol: SMTP or LMTP.
        line_endings: what happens to a bare CR or LF in content.
        syntax: whether to accept common mistakes in command lines (`docs/lenient.md`).
        proxy: the trusted networks of proxies, such as `TrustedNetworks`; every client there must
            send a PROXY header.
        observer: called for each session; returns the observer of its transcript, or None.  Both
            run like handlers; their exceptions are logged.
        received: whether to add a Received field to each message, as RFC 5321 section 4.4
            requires.  Use False if a server behind the handler writes the field, or to compare
            what arrived with what was sent.
        refuse_early_talkers: whether to reply 554 to a client that sends something before the
            greeting; otherwise its session has the fact `EarlyTalk`.
        clock: a function that returns the time, with its zone; needed with `received`.  All
            sessions wait for it.  None: no clock; with `serve` the host's.
        nonce: a function that returns a unique text, see `sasl.Context`; needed with `users` and
            `received`.  For Received fields all sessions wait for it.  None: no nonces; with
            `serve` random ones of the host.

    Raises:
        TypeError: an argument has another type.
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
        check_fields(self)
        refuse_async(clock=self.clock, nonce=self.nonce)
        refuse_text("addresses, such as TrustedNetworks(...)", proxy=self.proxy)
