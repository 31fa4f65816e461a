"""ATRN: authenticated clients fetch their mail over a connection that turns round, RFC 2645.

After the positive reply the customer, who was the client, is the server and greets: the connections
are in `State.TURNED`, say `Need.TURN`, and `turn` makes the other role of them:

    customer: server = client.turn(Server("customer.example", extensions))
    provider: client = server.turn(Client())
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..addresses import Domain
from ..commands import Command, Grammar
from ..errors import LocalProtocolError
from ..replies import Reply
from ..states import Forget, Go, State
from .base import Extension

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..session import Session

__all__ = ["ACCESS_UNKNOWN", "NO_MAIL", "TURN_REFUSED", "Atrn", "OnDemandRelay", "Turned"]

NOT_AUTHENTICATED = Reply(530, "5.7.0", "ATRN needs authentication (RFC 2645 section 5.2.1)")

TURN_REFUSED = Reply(450, "4.7.0", "ATRN request refused")
"""The reply where the client has no access to a domain, or asks too often (section 5.2.1)."""

ACCESS_UNKNOWN = Reply(451, "4.3.0", "Unable to process ATRN request now")
"""The reply where it cannot be found out now what the client has access to."""

NO_MAIL = Reply(453, "4.2.0", "You have no mail")
"""The reply where nothing waits for the client."""


@dataclass(frozen=True, slots=True)
class Atrn(Command):
    """ATRN: turn the connection round and send what waits for these domains (section 5.2.1).

    Arguments:
        domains: of two or more labels each; none for all that the client has access to.
    """

    verb = "ATRN"
    # Section 5.2.1 asks for ten minutes at least.
    timeout = 600.0
    accepted = (250, "2.0.0", "OK now reversing the connection")
    domains: tuple[Domain, ...] = ()

    def __post_init__(self) -> None:
        for domain in self.domains:
            if "." not in domain.name or not domain.ascii:
                raise LocalProtocolError(
                    f"ATRN: expected a domain of two or more labels, found {domain.name[:64]!a} "
                    "(RFC 2645 section 5.2.1)"
                )

    # atrn = "ATRN" [SP domain *("," domain)]
    def arguments(self) -> str:
        """The domains."""
        return ",".join(map(str, self.domains))

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the domains."""
        names = arguments.split(",") if arguments else []
        return cls(tuple(Domain.parse(name, limits=grammar.limits) for name in names))


@dataclass(frozen=True, slots=True)
class Turned:
    """A fact of a session that ATRN turned round; see `Session.get`.

    Arguments:
        domains: those of the command.
        identity: who the customer authenticated as, where that is known.
    """

    domains: tuple[Domain, ...]
    identity: str | None


@dataclass(frozen=True, slots=True)
class OnDemandRelay(Extension):
    """Fetching mail over a connection that turns round (RFC 2645)."""

    keyword = "ATRN"
    commands = (Atrn,)
    transitions = {State.READY: {"ATRN": Go(ok=State.TURNED, forget=Forget.SESSION)}}

    def demand(self, command: Command, session: Session) -> Reply | None:
        """Refuse clients that did not authenticate (section 5.2.1)."""
        refused = isinstance(command, Atrn) and session.identity is None
        return NOT_AUTHENTICATED if refused else None

    @classmethod
    def succeeded(cls, command: Command, session: Session) -> Session:
        """Keep what was asked for, and by whom."""
        assert isinstance(command, Atrn)
        return session.with_fact(Turned(command.domains, session.identity))
