"""ETRN: a host asks the server to send its queued mail, RFC 1985.

The server opens another connection and sends the mail there.  Section 5.1 defines its replies: 250
to 253 if it starts to send, 458 if it cannot, 459 if it refuses this client.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.command_base import Command, Grammar
from ..vocabulary.states import State, Transition
from .extension import Extension

__all__ = ["Etrn", "EtrnCommand"]

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
    def parse(cls, arguments: str, grammar: Grammar) -> EtrnCommand:
        return cls(arguments)


class Etrn(Extension):
    """A host asks the server to send its queued mail (RFC 1985)."""

    __slots__ = ()
    keyword = "ETRN"
    commands = (EtrnCommand,)
    transitions = {State.READY: {"ETRN": Transition()}}
    plain = True
