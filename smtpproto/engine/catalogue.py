"""A set of service extensions, compiled: verbs, parameters, rows of the table, and who is asked.

RFC 5321 section 2.2.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import LocalProtocolError
from ..extensions.base import (
    EHLO_KEYWORD,
    Extension,
    UnknownExtension,
    split_line,
)
from ..extensions.known import KNOWN
from ..vocabulary.command_base import Command, Grammar, Syntax
from ..vocabulary.commands import BASE_COMMANDS, Ehlo, Helo, Lhlo
from ..vocabulary.replies import Reply
from ..vocabulary.session import Offered, Protocol, Session, Transaction
from ..vocabulary.states import State
from .table import compile_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..limits import Limits
    from ..vocabulary.parameters import Parameter


__all__ = ["Catalogue", "catalogue", "read_offers"]

_ALL_VERBS = frozenset(
    [command.verb for command in BASE_COMMANDS]
    + [command.verb for kind in KNOWN for command in kind.commands]
)


class Catalogue:
    """A set of extensions, compiled (RFC 5321 section 2.2).

    Arguments:
        kinds: the classes of the extensions in use.
        protocol: SMTP or LMTP; decides between EHLO, HELO and LHLO.
        limits: for the grammar.
        syntax: for the grammar.

    Attributes:
        grammar: for `commands.parse`, as long as no extension with `utf8` is in force.
        utf8_grammar: for `commands.parse`, once one is.
        rows: the table of states.
        watchers: the extensions to ask about a command, by its class.
        concerned: the extensions that keep facts of a session, see `Extension.after`.
        told: those of them to tell of the reply to a command, by its class, where there are any.
        longest: octets of the longest command line, CRLF included.

    Raises:
        ValueError: two extensions with the same keyword, verb or row, or the same parameter keyword
            on the same command; an extension without one that it requires; a name that is no
            keyword in upper case.
        TypeError: one of the classes is no class of a service extension.
    """

    def __init__(
        self,
        kinds: Iterable[type[Extension]],
        protocol: Protocol,
        limits: Limits,
        syntax: Syntax = Syntax.STRICT,
    ) -> None:
        self.kinds: dict[str, type[Extension]] = {}
        for kind in kinds:
            _check_names(kind)
            if kind.keyword in self.kinds:
                raise ValueError(f"{kind.keyword} is defined twice")
            self.kinds[kind.keyword] = kind
        self.limits = limits
        greetings = (Lhlo,) if protocol is Protocol.LMTP else (Ehlo, Helo)
        verbs: dict[str, type[Command]] = {
            command.verb: command for command in BASE_COMMANDS if command not in (Ehlo, Helo)
        }
        verbs.update({command.verb: command for command in greetings})
        self._owners: dict[type[Command], type[Extension]] = {}
        self._parameter_owners: dict[tuple[type[Command], type[Parameter]], list[type[Extension]]]
        self._parameter_owners = {}
        self._extra: dict[type[Command], list[tuple[type[Extension], int]]] = {}
        parameters: dict[type[Command], dict[str, type[Parameter]]] = {}
        for kind in self.kinds.values():
            for keyword in kind.requires:
                if keyword not in self.kinds:
                    raise ValueError(f"{kind.keyword} requires {keyword}")
            for command in kind.commands:
                if command.verb in verbs:
                    raise ValueError(f"{command.verb} is defined twice")
                verbs[command.verb] = command
                self._owners[command] = kind
            for command, added in kind.parameters.items():
                known = parameters.setdefault(command, {})
                for parameter in added:
                    if known.setdefault(parameter.keyword, parameter) is not parameter:
                        raise ValueError(f"{command.verb} {parameter.keyword} is defined twice")
                    self._parameter_owners.setdefault((command, parameter), []).append(kind)
            for command, octets in kind.extra_length.items():
                self._extra.setdefault(command, []).append((kind, octets))
        self.rows = compile_table(kind.transitions for kind in self.kinds.values())
        self.grammar = Grammar(
            verbs=verbs,
            known=_ALL_VERBS - {"EHLO", "HELO", "LHLO"},
            parameters=parameters,
            limits=limits,
            syntax=syntax,
        )
        self.utf8_grammar = replace(self.grammar, utf8=True)
        self.watchers = {
            command: tuple(kind for kind in self.kinds.values() if _watches(kind, command))
            for command in verbs.values()
        }
        self.concerned = tuple(
            kind
            for kind in self.kinds.values()
            if kind.after.__func__ is not Extension.after.__func__  # type: ignore[attr-defined]
        )
        self.told = {
            command: told
            for command in verbs.values()
            if (
                told := tuple(
                    kind
                    for kind in self.concerned
                    if command in kind.commands or command in kind.watches
                )
            )
        }
        self.longest = limits.command_line + max(
            (sum(octets for _, octets in extra) for extra in self._extra.values()), default=0
        )

    def owner(self, command: type[Command]) -> type[Extension] | None:
        """The extension that adds this command, None for those of RFC 5321."""
        return self._owners.get(command)

    def longest_line(self, command: type[Command], offered: Offered) -> int:
        """Octets of the longest line of a command with its CRLF (RFC 5321 section 4.5.3.1.4)."""
        extra = self._extra.get(command)
        if extra is None:
            return self.limits.command_line
        return self.limits.command_line + sum(octets for kind, octets in extra if kind in offered)

    def owner_refusal(self, command: Command, offered: Offered) -> Reply | None:
        """The reply that refuses a command whose extension is not in force, or None: 502."""
        owner = self._owners.get(type(command))
        if owner is None or owner in offered:
            return None
        text = f"{command.verb} is not offered in this session"
        return owner.not_offered or Reply(502, "5.5.1", text)

    def parameters_refusal(self, command: Command, offered: Offered) -> Reply | None:
        """The reply that refuses a command for one of its parameters, or None: 555."""
        for parameter in command.parameters:
            owners = self._parameter_owners.get((type(command), type(parameter)), ())
            present = [extension for owner in owners if (extension := offered.get(owner))]
            if not any(extension.covers(parameter) for extension in present):
                # Only where another value would do does the value matter.
                name = str(parameter) if present else str(parameter).partition("=")[0]
                return Reply(555, "5.5.4", f"{command.verb}: {name[:64]} is not offered here")
        return None

    def refusal(
        self, command: Command, state: State, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """The reply that refuses a command here and now, or None; the same for both roles.

        503: it is not possible in this state; else see `extensions_refusal`.
        """
        step = self.rows[state].get(command.row)
        if step is None or step.in_flight:
            where = f"{state.value} (RFC 5321 section 4.1.4)"
            return Reply(503, "5.5.1", f"{command.verb} is not possible here: {where}")
        return self.extensions_refusal(command, session, transaction)

    def extensions_refusal(
        self, command: Command, session: Session, transaction: Transaction | None
    ) -> Reply | None:
        """The reply by which the extensions refuse a command, wherever it stands, or None.

        502: its extension is not in force; 555: a parameter's extension is not; else what the
        extensions in force say.
        """
        kind, offered = type(command), session.offered
        if command.needs_offer and kind in self._owners:
            reply = self.owner_refusal(command, offered)
            if reply is not None:
                return reply
        if command.parameters:
            reply = self.parameters_refusal(command, offered)
            if reply is not None:
                return reply
        for watcher in self.watchers.get(kind, ()):
            extension = offered.get(watcher)
            if extension is not None:
                reply = extension.check(command, session, transaction)
                if reply is not None:
                    return reply
        return None


def catalogue(
    kinds: Iterable[type[Extension]],
    protocol: Protocol,
    limits: Limits,
    syntax: Syntax = Syntax.STRICT,
) -> Catalogue:
    """The catalogue of these extensions, compiled once for all sessions that use the same."""
    return _compiled(tuple(kinds), protocol, limits, syntax)


@functools.lru_cache(maxsize=64)
def _compiled(
    kinds: tuple[type[Extension], ...], protocol: Protocol, limits: Limits, syntax: Syntax
) -> Catalogue:
    return Catalogue(kinds, protocol, limits, syntax)


def _check_names(kind: type[Extension]) -> None:
    """Refuse names that nobody could write, or that no received name would be equal to."""
    given: object = kind
    if not (isinstance(given, type) and issubclass(given, Extension)):
        raise TypeError(
            "expected service extensions, of which a Client takes classes, such as Size, and a "
            f"Server takes instances, such as Size(10_000_000); found {kind!r}"
        )
    added = [parameter for each in kind.parameters.values() for parameter in each]
    verbs = [command.verb for command in kind.commands]
    for name in (kind.keyword, *verbs, *(parameter.keyword for parameter in added)):
        if EHLO_KEYWORD.fullmatch(name) is None or name != name.upper():
            raise ValueError(f"{kind.__name__}: {name!a} is no keyword in upper case")


def _watches(kind: type[Extension], command: type[Command]) -> bool:
    if kind.check is Extension.check:
        return False
    return command in kind.parameters or command in kind.commands or command in kind.watches


def read_offers(lines: Sequence[str], catalogue: Catalogue) -> Offered:
    """The extensions that the lines of a reply to EHLO announce, its first line left out.

    A line that cannot be read counts as not there: RFC 5321 section 4.1.1.1 leaves no reply to it,
    and the server works without it.
    """
    offered: dict[str, Extension] = {}
    old_lines = []
    for line in lines:
        try:
            keyword, arguments = split_line(line)
        except LocalProtocolError:
            old_lines.append(line)
            continue
        kind = catalogue.kinds.get(keyword.upper())
        extension: Extension = UnknownExtension(keyword, arguments)
        if kind is not None:
            with contextlib.suppress(LocalProtocolError):
                extension = kind.parse_offer(arguments)
        offered.setdefault(keyword.upper(), extension)
    for line in old_lines:
        # Only what no line of the usual form says.
        keyword, equals, arguments = line.partition("=")
        kind = catalogue.kinds.get(keyword.strip(" ").upper())
        if equals and kind is not None and kind.old_form and kind.keyword not in offered:
            with contextlib.suppress(LocalProtocolError):
                offered[kind.keyword] = kind.parse_offer(arguments)
    return Offered(offered.values())
