"""Whether a command is allowed in the current state and session; the same for both roles.

Three things decide: the table of states (RFC 5321 section 4.1.4), whether the extensions of the
command and its parameters are in use (section 2.2), and the checks of these extensions.  The part
that does not depend on arguments is compiled once for each set of extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..extensions.extension import Extension
from ..extensions.pipelining import Pipelining
from ..vocabulary.replies import Reply

if TYPE_CHECKING:
    from ..limits import Limits
    from ..vocabulary.command_base import Command, Grammar
    from ..vocabulary.parameters import Parameter
    from ..vocabulary.session_facts import Session, Transaction
    from ..vocabulary.states import State

__all__ = ["CommandRules", "InForce", "keeps_facts", "longest_line", "not_offered", "not_possible"]


@dataclass(frozen=True, slots=True, eq=False)
class CommandRules:
    """The rules for a class of command while certain extensions are in use.

    Arguments:
        not_offered: the reply that refuses it because its extension is not in use, or None.
        longest: octets of the longest line with its CRLF (RFC 5321 section 4.5.3.1.4).
        asked: the extensions in use whose `check` is called.
        told: the extensions whose `after` is called with the reply.
        owners: the extensions that have a parameter, for each parameter of the command.
    """

    not_offered: Reply | None
    longest: int
    asked: tuple[type[Extension], ...]
    told: tuple[type[Extension], ...]
    owners: Mapping[type[Parameter], Sequence[type[Extension]]]

    def refusal(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """Return the reply by which the extensions refuse a command in any state, or None.

        This is 502 if the command's extension is not in use, 555 if a parameter's is not, else the
        reply of an extension in use.
        """
        if self.not_offered is not None:
            return self.not_offered
        if command.parameters:
            refusal = self._parameters_refusal(command, session)
            if refusal is not None:
                return refusal
        for kind in self.asked:
            extension = session.offered.get(kind)
            assert extension is not None
            refusal = extension.check(command, session, transaction)
            if refusal is not None:
                return refusal
        return None

    def _parameters_refusal(self, command: Command, session: Session) -> Reply | None:
        """Return the reply that refuses a command for one of its parameters, or None: 555."""
        for parameter in command.parameters:
            owners = map(session.offered.get, self.owners.get(type(parameter), ()))
            present = [extension for extension in owners if extension is not None]
            if not any(extension.covers(parameter) for extension in present):
                # Show the value only if another value would be accepted.
                name = str(parameter) if present else str(parameter).partition("=")[0]
                return Reply(555, "5.5.4", f"{command.verb}: {name[:64]} is not offered here")
        return None


class _Rules(dict["type[Command]", CommandRules]):
    """The rules for each class of command, compiled at their first use."""

    def __init__(self, compile_rules: Callable[[type[Command]], CommandRules]) -> None:
        self._compile = compile_rules

    def __missing__(self, kind: type[Command]) -> CommandRules:
        rules = self[kind] = self._compile(kind)
        return rules


class InForce:
    """The rules for commands while a set of extensions is in use.

    Arguments:
        kinds: the classes of the extensions in use.
        known: the classes of all extensions that the connection understands.
        grammar: for command lines.
        limits: for the length of lines.

    Attributes:
        utf8: whether commands and replies may hold UTF-8 (RFC 6531).
        pipelining: whether PIPELINING is among them (RFC 2920).
        grammar: as above.
        rules: the rules for each class of command.
    """

    __slots__ = ("_kinds", "_known", "_limits", "grammar", "pipelining", "rules", "utf8")

    def __init__(
        self,
        kinds: tuple[type, ...],
        known: Sequence[type[Extension]],
        grammar: Grammar,
        limits: Limits,
    ) -> None:
        self._kinds = kinds
        self._known = known
        self._limits = limits
        self.rules = _Rules(self._compile)
        self.grammar = grammar
        self.utf8 = grammar.utf8
        self.pipelining = Pipelining in kinds

    def _compile(self, kind: type[Command]) -> CommandRules:
        in_use = [each for each in self._known if each in self._kinds]
        return CommandRules(
            self._not_offered(kind),
            longest_line(self._limits, kind, in_use),
            tuple(each for each in in_use if _asks(each, kind)),
            tuple(each for each in self._known if _is_told(each, kind, self._kinds)),
            {
                parameter: [each for each in self._known if parameter in _parameters(each, kind)]
                for extension in self._known
                for parameter in _parameters(extension, kind)
            },
        )

    def _not_offered(self, kind: type[Command]) -> Reply | None:
        """Return the reply that refuses a command whose extension is not in use, or None: 502."""
        owner = next((each for each in self._known if kind in each.commands), None)
        if owner is None or owner in self._kinds or not kind.needs_offer:
            return None
        return owner.not_offered or not_offered(kind)


def not_offered(kind: type[Command]) -> Reply:
    """Return the reply to a command whose extension is not in use: 502."""
    return Reply(502, "5.5.1", f"{kind.verb} is not offered in this session")


def not_possible(command: Command, state: State) -> Reply:
    """Return the reply to a command that has no row in this state: 503."""
    where = f"{state.value} (RFC 5321 section 4.1.4)"
    return Reply(503, "5.5.1", f"{command.verb} is not possible here: {where}")


def longest_line(
    limits: Limits, command: type[Command], extensions: Iterable[type[Extension]]
) -> int:
    """Return the octets of a command's longest line with its CRLF (RFC 5321 section 4.5.3.1.4).

    Arguments:
        limits: for a command without extensions.
        command: the class of the command.
        extensions: the classes of the extensions in use.
    """
    return limits.command_line + sum(each.extra_length.get(command, 0) for each in extensions)


def _parameters(extension: type[Extension], command: type[Command]) -> Sequence[type[Parameter]]:
    return extension.parameters.get(command, ())


def _asks(extension: type[Extension], command: type[Command]) -> bool:
    if extension.check is Extension.check:
        return False
    concerned = (*extension.parameters, *extension.commands, *extension.watches)
    return command in concerned


def _is_told(
    extension: type[Extension], command: type[Command], in_force: tuple[type, ...]
) -> bool:
    if not keeps_facts(extension):
        return False
    return command in extension.commands or (command in extension.watches and extension in in_force)


def keeps_facts(extension: type[Extension]) -> bool:
    """Return whether an extension keeps facts of a session, see `Extension.after`."""
    return extension.after.__func__ is not Extension.after.__func__  # type: ignore[attr-defined]
