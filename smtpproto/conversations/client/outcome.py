"""The outcome of a delivery for each recipient: accepted, refused, failed or unknown.

RFC 5321 section 4.2.5: the reply to the end of the content decides whether the server has taken
responsibility for the message.  RCPT decides for each recipient.  `outcome_of` decides the status.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...vocabulary.paths import ForwardPath

if TYPE_CHECKING:
    from ...vocabulary.replies import Reply

__all__ = ["Delivery", "Outcome", "Status", "outcome_of"]


class Status(enum.Enum):
    """The outcome for one recipient."""

    ACCEPTED = "the server has taken responsibility"
    REFUSED = "the server refused"
    UNKNOWN = "the link was lost after the end of the content: accepted or not is unknown"
    FAILED = "the server was not told all of it: not accepted, safe to try again"


# CPython 3.11 takes three times as long to look up an enum's member than a global name.
_ACCEPTED, _REFUSED = Status.ACCEPTED, Status.REFUSED


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one recipient.

    Arguments:
        forward_path: the recipient.
        status: what happened.
        reply: the reply that decided it; None if there is none.
        reason: for `UNKNOWN` and `FAILED`, the cause.
    """

    forward_path: ForwardPath
    status: Status
    reply: Reply | None = None
    reason: str = ""

    def explain(self) -> str:
        """Return what it means and what to check, for people."""
        if self.reply is not None:
            return str(self.reply.explain())
        return f"{self.status.value} ({self.reason})"


def outcome_of(
    path: ForwardPath,
    reply: Reply | None,
    end_may_have_arrived: bool,  # noqa: FBT001  # positional, as a message may have many recipients
    reason: str,
) -> Outcome:
    """Return the outcome for one recipient.

    Arguments:
        path: the recipient.
        reply: the last reply that is about this recipient; None if there is none.
        end_may_have_arrived: whether the end of the content was written.  Without a reply the
            server may then have accepted the message, and to try again may deliver it twice.
        reason: why there is no reply.
    """
    if reply is None:
        return Outcome(
            path, Status.UNKNOWN if end_may_have_arrived else Status.FAILED, None, reason
        )
    return Outcome(path, _ACCEPTED if reply.code < 300 else _REFUSED, reply)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of a delivery: one outcome for each recipient, in the order of the envelope.

    Arguments:
        outcomes: one for each recipient.
        error: the error that ended the delivery early, such as that of a file that could not be
            read again; None if there was none.
    """

    outcomes: tuple[Outcome, ...]
    error: Exception | None = field(default=None, compare=False)

    @property
    def complete(self) -> bool:
        """Whether every recipient was accepted."""
        return all(outcome.status is _ACCEPTED for outcome in self.outcomes)

    @property
    def accepted(self) -> tuple[ForwardPath, ...]:
        """The recipients for whom the server has taken responsibility."""
        return tuple(o.forward_path for o in self.outcomes if o.status is Status.ACCEPTED)

    @property
    def refused(self) -> dict[ForwardPath, Reply]:
        """The refused recipients, each with the reply that refused it."""
        return {
            o.forward_path: o.reply
            for o in self.outcomes
            if o.status is Status.REFUSED and o.reply is not None
        }

    @property
    def unknown(self) -> tuple[ForwardPath, ...]:
        """The recipients whose outcome is unknown: trying again may deliver twice."""
        return tuple(o.forward_path for o in self.outcomes if o.status is Status.UNKNOWN)

    @property
    def failed(self) -> tuple[ForwardPath, ...]:
        """The recipients that were not reached: trying again is safe."""
        return tuple(o.forward_path for o in self.outcomes if o.status is Status.FAILED)
