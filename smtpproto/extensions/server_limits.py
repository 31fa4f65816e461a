"""LIMITS: what a server accepts in one session and one mail transaction, RFC 9422."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.addresses import AddressLiteral, Domain
from ..vocabulary.command_base import Command
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Session, Transaction
from .extension import Answered, Extension, SessionEvent

__all__ = ["ServerLimits", "Usage"]

# RFC 9422 section 3
#   limit-name-value = limit-name ["=" limit-value]
#   limit-name       = 1*(ALPHA / DIGIT / "-" / "_")
#   limit-value      = 1*(%x21-3A / %x3C-7E)
_LIMIT = lazy_pattern(r"([A-Za-z0-9_-]+)(?:=([!-:<-~]+))?")
# Section 4: %x31-39 0*5DIGIT
_NUMBER = lazy_pattern(r"[1-9][0-9]{0,5}")
_MOST = 999_999
_NAMES = ("MAILMAX", "RCPTMAX", "RCPTDOMAINMAX")

# The RFC prescribes no code.  After MAILMAX a client needs a new session, which 421 says.
_MAILS = Reply(421, "4.7.0", "too many mail transactions in this session (RFC 9422 section 4.1)")
_RCPTS = Reply(452, "4.5.3", "too many recipients (RFC 9422 section 4.2)")
_DOMAINS = Reply(452, "4.5.3", "recipients in too many domains (RFC 9422 section 4.3)")


class Usage(NamedTuple):
    """A fact of the session: what was counted for the limits so far.

    Arguments:
        mails: the number of MAIL commands with a reply, positive or not.
        domains: the domains of RCPT commands with a reply; empty if there is no limit for them.
    """

    mails: int = 0
    domains: frozenset[Domain | AddressLiteral] = frozenset()


@dataclass(frozen=True, slots=True)
class ServerLimits(Extension):
    """What a server accepts in a session and a mail transaction (RFC 9422 section 4).

    A server enforces the limits that it offers.  A client uses `batches` to divide its recipients
    and `allows` to decide when it needs a new session.

    Arguments:
        mailmax: mail transactions in one session; refused MAIL commands count as well.
        rcptmax: RCPT commands in one mail transaction.
        rcptdomainmax: different domains of recipients in one session.
        others: further limits by name, as written; None for one without a value.

    Raises:
        LocalProtocolError: a number is not 1 to 999999, or a limit cannot be written.
    """

    keyword = "LIMITS"
    watches = (Mail, Rcpt)
    mailmax: int | None = None
    rcptmax: int | None = None
    rcptdomainmax: int | None = None
    others: tuple[tuple[str, str | None], ...] = ()

    def __post_init__(self) -> None:
        for name, number in self._known():
            if number is not None and not 1 <= number <= _MOST:
                raise LocalProtocolError(
                    f"{name}: expected 1 to {_MOST}, found {number} (RFC 9422 section 4)"
                )
        for name, value in self.others:
            limit = _written(name, value)
            if _LIMIT.fullmatch(limit) is None or name.upper() in _NAMES:
                raise LocalProtocolError(f"{limit[:64]!a} is no further limit (RFC 9422 section 3)")

    def _known(self) -> Iterator[tuple[str, int | None]]:
        yield "MAILMAX", self.mailmax
        yield "RCPTMAX", self.rcptmax
        yield "RCPTDOMAINMAX", self.rcptdomainmax

    def arguments(self) -> str:
        known = [(name, str(number)) for name, number in self._known() if number is not None]
        return " ".join([_written(name, value) for name, value in (*known, *self.others)])

    @classmethod
    def parse_offer(cls, arguments: str) -> ServerLimits:
        """Read the limits; skip malformed ones (section 3)."""
        numbers: dict[str, int] = {}
        others: list[tuple[str, str | None]] = []
        for word in arguments.split():
            match = _LIMIT.fullmatch(word)
            if match is None:
                continue
            name, value = match[1], match[2]
            if name.upper() not in _NAMES:
                others.append((name, value))
            elif value is not None and _NUMBER.fullmatch(value) is not None:
                numbers.setdefault(name.upper(), int(value))
        mailmax, rcptmax, rcptdomainmax = (numbers.get(name) for name in _NAMES)
        return cls(mailmax, rcptmax, rcptdomainmax, tuple(others))

    def check(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Refuse a command beyond a limit."""
        usage = session.get(Usage) or Usage()
        if isinstance(command, Mail):
            return _MAILS if self.mailmax is not None and usage.mails >= self.mailmax else None
        if not isinstance(command, Rcpt) or transaction is None:
            return None
        if self.rcptmax is not None and len(transaction.recipients) >= self.rcptmax:
            return _RCPTS
        return None if self._has_room(usage, (command,)) else _DOMAINS

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        """Count MAIL and RCPT commands, with any reply."""
        if not isinstance(event, Answered):
            return session
        command = event.command
        usage, limits = session.get(Usage) or Usage(), session.offered.get(cls)
        if isinstance(command, Mail):
            return session.with_fact(Usage(usage.mails + 1, usage.domains))
        # Keep no more domains than the limit allows.
        if isinstance(command, Rcpt) and limits is not None and limits.rcptdomainmax is not None:
            domains = usage.domains.union(_domains((command,)))
            if len(domains) > len(usage.domains):
                return session.with_fact(Usage(usage.mails, domains))
        return session

    # --- for clients --------------------------------------------------------------------------

    def batches(self, recipients: Sequence[Rcpt]) -> list[list[int]]:
        """Divide the recipients, by index, so that each batch fits into one mail transaction.

        Batches with the same domains follow each other; the order within a batch is kept.
        """
        by_domain: dict[Domain | AddressLiteral | None, list[int]] = {}
        for index, rcpt in enumerate(recipients):
            domain = None if self.rcptdomainmax is None else next(_domains((rcpt,)), None)
            by_domain.setdefault(domain, []).append(index)
        # Recipients without a domain may join any batch.
        anywhere = by_domain.pop(None, [])
        domains = list(by_domain.values())
        most = self.rcptdomainmax or 1
        groups = [domains[at : at + most] for at in range(0, len(domains), most)] or [[]]
        batches = []
        for group in groups:
            indices = [*anywhere, *(index for one in group for index in one)]
            anywhere = []
            size = self.rcptmax or len(indices) or 1
            batches += [indices[at : at + size] for at in range(0, len(indices), size)]
        return batches

    def allows(self, batch: Iterable[Rcpt], session: Session) -> bool:
        """Return whether the session allows one more mail transaction, with these recipients."""
        usage = session.get(Usage) or Usage()
        if self.mailmax is not None and usage.mails >= self.mailmax:
            return False
        return self._has_room(usage, batch)

    def _has_room(self, usage: Usage, rcpts: Iterable[Rcpt]) -> bool:
        if self.rcptdomainmax is None:
            return True
        new = set(_domains(rcpts)) - usage.domains
        return not new or len(usage.domains) + len(new) <= self.rcptdomainmax


def _written(name: str, value: str | None) -> str:
    return name if value is None else f"{name}={value}"


def _domains(rcpts: Iterable[Rcpt]) -> Iterator[Domain | AddressLiteral]:
    for rcpt in rcpts:
        if rcpt.forward_path.mailbox is not None:
            yield rcpt.forward_path.mailbox.domain
