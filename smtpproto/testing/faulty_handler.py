"""What handlers with faults share: at which step which rules are asked, with which subjects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..vocabulary.replies import Reply
from ..vocabulary.session_facts import Protocol
from .inbox import bare

if TYPE_CHECKING:
    from ..conversations import Envelope
    from ..vocabulary.commands import Hello, Mail, Rcpt
    from ..vocabulary.session_facts import Session
    from .faults import Action, FaultRules

__all__ = ["ContentVerdict", "FaultyHandler"]


class ContentVerdict(NamedTuple):
    """What the rules say about a whole message.

    Arguments:
        taken: the envelope without the recipients that are refused; None if all are.
        seconds: how long the server waits before it replies.
        actions: one for the message; on LMTP one for each recipient.
    """

    taken: Envelope | None
    seconds: float
    actions: list[Action | None]


class FaultyHandler:
    """Asks the rules at each step; a subclass says what it makes of them, and takes messages.

    Arguments:
        rules: what goes wrong.
    """

    def __init__(self, rules: FaultRules) -> None:
        self._rules = rules

    def _answer(self, step: str, *subjects: str, party: object = None) -> Any:
        """Return the answer at a step, or an awaitable of it."""
        raise NotImplementedError

    def connect(self, session: Session) -> Any:
        """Greet."""
        return self._answer("connect", session.peer)

    def ehlo(self, session: Session, hello: Hello) -> Any:
        """EHLO, HELO and LHLO."""
        return self._answer("helo" if hello.verb == "HELO" else "ehlo", str(hello.name))

    def mail(self, session: Session, mail: Mail) -> Any:
        """MAIL."""
        return self._answer("mail", bare(mail.reverse_path))

    def rcpt(self, session: Session, rcpt: Rcpt) -> Any:
        """RCPT."""
        assert session.transaction is not None
        recipient, sender = bare(rcpt.forward_path), bare(session.transaction.mail.reverse_path)
        return self._answer("rcpt", recipient, party=(session.peer, sender, recipient))

    def data(self, session: Session, envelope: Envelope) -> Any:
        """DATA, or the first chunk."""
        return self._answer("data", *map(bare, envelope.forward_paths))

    def _at_content(self, session: Session, envelope: Envelope) -> ContentVerdict:
        """Return what the rules say about a whole message."""
        recipients = list(map(bare, envelope.forward_paths))
        each = session.protocol is Protocol.LMTP
        # One reply for each recipient, or one for all of them.
        asked = [[recipient] for recipient in recipients] if each else [recipients]
        verdicts = [self._rules.at("content", *subjects) for subjects in asked]
        refused = [isinstance(verdict.action, Reply) for verdict in verdicts]
        taken: Envelope | None = None if all(refused) else envelope
        if taken is not None and each:
            accepted = zip(envelope.recipients, refused, strict=True)
            taken = replace(envelope, recipients=tuple(r for r, no in accepted if not no))
        seconds = sum(verdict.seconds for verdict in verdicts)
        return ContentVerdict(taken, seconds, [verdict.action for verdict in verdicts])
