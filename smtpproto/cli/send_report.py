"""What `send` says about its messages: lines for people, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..conversations import SMTPError, Status
from ..errors import LocalProtocolError, RemoteProtocolError
from .common import outcome_line, reason
from .session_options import place
from .terminal import complain, say, say_json

if TYPE_CHECKING:
    import argparse

    from ..conversations import Delivery, Envelope, Outcome

ERRORS = (OSError, SMTPError, ValueError, LocalProtocolError, RemoteProtocolError)
"""What can go wrong with one message."""

# With this many recipients or more, one line stands for all that got the same reply.
MANY = 4


class SendReport:
    """Counts recipients, and prints what became of them.

    Attributes:
        status: the exit status, see `send.STATUS`.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._sent = self._failed = 0
        self._accepted = self._others = 0

    @property
    def status(self) -> int:
        """See the class."""
        if not self._accepted:
            return 2
        return 1 if self._others else 0

    def delivered(self, name: str, envelope: Envelope, delivery: Delivery, rate: str) -> None:
        """Note a message that was offered to a server; `rate` is "" if it took no time."""
        accepted = len(delivery.accepted)
        self._accepted += accepted
        self._others += len(delivery.outcomes) - accepted
        self._sent += bool(accepted)
        self._failed += not accepted
        if self._options.json:
            sender = str(envelope.reverse_path)
            outcomes = [outcome_value(outcome) for outcome in delivery.outcomes]
            say_json({"message": name, "from": sender, "outcomes": outcomes})
            return
        first = f"{name}: " if self._many else ""
        end = f" ({rate})" if rate else ""
        if not self._options.quiet or not delivery.complete:
            self._say_accepted(first, delivery, end)
        for outcome in delivery.outcomes:
            if outcome.status is not Status.ACCEPTED:
                complain(f"{first}{outcome_line(outcome)}", "bad")
                complain(outcome.explain(), "dim")

    def _say_accepted(self, first: str, delivery: Delivery, end: str) -> None:
        found = [each for each in delivery.outcomes if each.status is Status.ACCEPTED]
        same = len({str(each.reply) for each in found}) == 1
        if delivery.complete and same and len(found) >= MANY:
            say(f"{first}accepted  all {len(found)} recipients  {found[0].reply}{end}", "good")
            return
        for outcome in found:
            say(f"{first}{outcome_line(outcome)}{end}", "good")

    @property
    def _many(self) -> bool:
        """Whether there may be several messages."""
        files = self._options.files
        return len(files) > 1 or self._sent + self._failed > 1

    def failed(self, name: str, error: BaseException) -> bool:
        """Note a message that could not be sent; return whether the next one can be tried."""
        # Without a session the next message would only fail as this one did.
        of_session = isinstance(error, (SMTPError, RemoteProtocolError)) or (
            isinstance(error, OSError) and error.filename is None
        )
        self.not_sent("" if of_session else name, reason(error, place(self._options)))
        return not of_session

    def not_sent(self, name: str, text: str) -> None:
        """Note a message, or all that were left, that could not be sent, and why."""
        self._failed += 1
        self._others += 1
        if self._options.json:
            say_json({"message": name or None, "error": text})
        first = f"{name}: " if name and self._many else ""
        complain(f"{first}not sent: {text}", "bad")

    def finish(self) -> None:
        """Sum up, if there were several messages."""
        if self._sent + self._failed > 1 and not self._options.json:
            complain(f"{self._sent} messages sent, {self._failed} not sent")


def outcome_value(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a value for JSON."""
    mailbox = outcome.forward_path.mailbox
    reply = outcome.reply
    return {
        "recipient": "postmaster" if mailbox is None else str(mailbox),
        "status": outcome.status.name.lower(),
        "code": None if reply is None else reply.code,
        "enhanced": None if reply is None else reply.enhanced,
        "text": outcome.reason if reply is None else reply.text,
    }
