"""ETRN: a host asks the server to send its queued mail, RFC 1985.

The server opens another connection and sends the mail there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command, Grammar
from ..vocabulary.replies import Reply
from ..vocabulary.states import State, Transition
from .extension import Extension

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Etrn", "EtrnCommand", "node_refused", "pending_messages", "queue_failed"]

# ETRN [option-character] node-name (section 5)
# After "@" a node is a domain name; the server defines what may follow "#".
NODE = lazy_pattern(r"@?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|#[!-~]+")


@dataclass(frozen=True, slots=True)
class EtrnCommand(Command):
    """ETRN: start to send the mail that is queued for a host (section 5).

    Arguments:
        node: a domain name; "@" and a domain name to include all hosts below it; or "#" and the
            name of a queue (section 5.3).
    """

    verb = "ETRN"
    accepted = (250, "2.0.0", "OK, queuing for node started")
    node: str

    def __post_init__(self) -> None:
        if NODE.fullmatch(self.node) is None:
            raise LocalProtocolError(
                "ETRN: expected a fully qualified domain name, perhaps behind '@', or '#' and the "
                f"name of a queue, found {self.node[:64]!a} (RFC 1985 section 5)"
            )

    def arguments(self) -> str:
        return self.node

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        return cls(arguments)


class Etrn(Extension):
    """A host asks the server to send its queued mail (RFC 1985)."""

    __slots__ = ()
    keyword = "ETRN"
    commands = (EtrnCommand,)
    transitions = {State.READY: {"ETRN": Transition()}}
    plain = True


def pending_messages(node: str, count: int | None = None) -> Reply:
    """Return the positive reply that says how many messages are queued (section 5.1).

    Arguments:
        node: the node of the command.
        count: how many messages; None: an unknown number.
    """
    if count is None:
        return Reply(252, "2.0.0", f"OK, pending messages for node {node} started")
    if count:
        return Reply(253, "2.0.0", f"OK, {count} pending messages for node {node} started")
    return Reply(251, "2.0.0", f"OK, no messages waiting for node {node}")


def queue_failed(node: str) -> Reply:
    """Return the reply of a server that cannot start the queue now (section 5.1)."""
    return Reply(458, "4.3.0", f"Unable to queue messages for node {node}")


def node_refused(node: str, reason: str) -> Reply:
    """Return the reply of a server that refuses this client (section 5.1)."""
    return Reply(459, "4.7.0", f"Node {node} not allowed: {reason}")
