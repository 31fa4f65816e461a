"""A set of service extensions, compiled: verbs, parameters and rows of the table.

RFC 5321 section 2.2.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import LocalProtocolError
from ..extensions.enhanced_status_codes import EnhancedStatusCodes
from ..extensions.extension import EHLO_KEYWORD, Extension, UnknownExtension, split_line
from ..extensions.known import VERBS
from ..field_types import check_type
from ..limits import Limits
from ..vocabulary.command_base import Command, Grammar, Syntax
from ..vocabulary.commands import BASE_COMMANDS, Ehlo, Helo, Lhlo
from ..vocabulary.session_facts import Offered, Protocol
from .command_allowed import InForce, keeps_facts, longest_line
from .transition_table import compile_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..vocabulary.parameters import Parameter


__all__ = ["Catalogue", "ServerExtensions", "all_of", "catalogue", "read_offers"]

T = TypeVar("T")
K = TypeVar("K")
E = TypeVar("E")

# How many sets of offered extensions to keep compiled.
_MOST_COMPILED = 64
_ALL_VERBS = VERBS.union(command.verb for command in BASE_COMMANDS)


class ServerExtensions:
    """The extensions that a server offers, in the order of their EHLO lines.

    Arguments:
        offered: all of them.

    Attributes:
        offered: as above.
        plain: those that are in use before EHLO and after HELO too.
        demanding: those that may demand that the client does something first.
        watchers: those that limit the size of content.
        enhanced: whether replies have enhanced status codes.
    """

    __slots__ = ("demanding", "enhanced", "offered", "plain", "watchers")

    def __init__(self, offered: tuple[Extension, ...]) -> None:
        self.offered = offered
        self.plain = [e for e in offered if e.plain]
        self.demanding = [e for e in offered if type(e).demand is not Extension.demand]
        self.watchers = [e for e in offered if type(e).check_content is not Extension.check_content]
        self.enhanced = any(isinstance(e, EnhancedStatusCodes) for e in offered)


class Catalogue:
    """A set of extensions, compiled (RFC 5321 section 2.2).

    Arguments:
        kinds: the classes of the extensions in use.
        protocol: SMTP or LMTP; decides between EHLO, HELO and LHLO.
        limits: for the grammar.
        syntax: for the grammar.

    Attributes:
        kinds: the extensions, by keyword.
        grammar: for command lines, as long as no extension with `utf8` is in force.
        utf8_grammar: the same, once one is.
        rows: the table of states.
        concerned: the extensions that keep facts of a session, see `Extension.after`.
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
            _define(self.kinds, kind.keyword, kind)
        self.limits = limits
        verbs = _verbs(self.kinds, protocol)
        self.rows = compile_table(kind.transitions for kind in self.kinds.values())
        self.grammar = Grammar(
            verbs=verbs,
            known=_ALL_VERBS - {"EHLO", "HELO", "LHLO"},
            parameters=_parameters(self.kinds),
            limits=limits,
            syntax=syntax,
        )
        self.utf8_grammar = replace(self.grammar, utf8=True)
        self.concerned = tuple(kind for kind in self.kinds.values() if keeps_facts(kind))
        self._in_force: dict[tuple[type, ...], InForce] = {}
        self._offered: dict[tuple[int, ...], Offered] = {}
        self._of_server: dict[tuple[int, ...], ServerExtensions] = {}
        longer = (longest_line(limits, command, self.kinds.values()) for command in verbs.values())
        self.longest = max(limits.command_line, *longer)

    def offered(self, extensions: Sequence[Extension]) -> Offered:
        """Return the set of these extensions.

        Idle sessions of a server share one set; a set for each took 0.6 KiB of their memory.
        """
        return _shared(self._offered, _ids(extensions), lambda _: Offered(extensions))

    def of_server(self, extensions: tuple[Extension, ...]) -> ServerExtensions:
        """Return the extensions that a server offers, sorted; its sessions share the value."""
        return _shared(self._of_server, _ids(extensions), lambda _: ServerExtensions(extensions))

    def in_force(self, offered: Offered) -> InForce:
        """Return the rules for commands while these extensions are in use."""
        return _shared(self._in_force, offered.kinds, self._compile)

    def _compile(self, kinds: tuple[type, ...]) -> InForce:
        utf8 = any(issubclass(kind, Extension) and kind.utf8 for kind in kinds)
        grammar = self.utf8_grammar if utf8 else self.grammar
        return InForce(kinds, tuple(self.kinds.values()), grammar, self.limits)


def _define(table: dict[str, T], name: str, value: T, what: str = "") -> None:
    if name in table:
        raise ValueError(f"{what or name} is defined twice")
    table[name] = value


def _verbs(kinds: dict[str, type[Extension]], protocol: Protocol) -> dict[str, type[Command]]:
    """Return the commands, by verb."""
    greetings = (Lhlo,) if protocol is Protocol.LMTP else (Ehlo, Helo)
    base = [command for command in BASE_COMMANDS if command not in (Ehlo, Helo)]
    verbs = {command.verb: command for command in (*base, *greetings)}
    for kind in kinds.values():
        for keyword in kind.requires:
            if keyword not in kinds:
                raise ValueError(f"{kind.keyword} requires {keyword}")
        for command in kind.commands:
            _define(verbs, command.verb, command)
    return verbs


def _parameters(
    kinds: dict[str, type[Extension]],
) -> dict[type[Command], dict[str, type[Parameter]]]:
    """Return the parameters of each command, by keyword; two extensions may share one."""
    found: dict[type[Command], dict[str, type[Parameter]]] = {}
    for kind in kinds.values():
        for command, added in kind.parameters.items():
            known = found.setdefault(command, {})
            for parameter in added:
                keyword = parameter.keyword
                if known.get(keyword) is not parameter:
                    _define(known, keyword, parameter, f"{command.verb} {keyword}")
    return found


def _ids(extensions: Iterable[Extension]) -> tuple[int, ...]:
    """Return a key for a value that keeps these extensions: no other object gets their `id`."""
    return tuple(map(id, extensions))


def _shared(made: dict[K, T], key: K, make: Callable[[K], T]) -> T:
    """Return the value for a key; make it at the first call."""
    found = made.get(key)
    if found is None:
        if len(made) >= _MOST_COMPILED:  # threads share this
            # A client has used very many servers: drop the values and start again.
            made.clear()
        found = made[key] = make(key)
    return found


def all_of(extensions: Iterable[E]) -> tuple[E, ...]:
    """Return the extensions of a connection.

    Raises:
        TypeError: they are no iterable.
    """
    try:
        return tuple(extensions)
    except TypeError:
        check_type("extensions", extensions, Iterable)
        raise


def catalogue(
    kinds: Iterable[type[Extension]],
    protocol: Protocol,
    limits: Limits,
    syntax: Syntax = Syntax.STRICT,
) -> Catalogue:
    """Return the catalogue of these extensions; sessions with the same extensions share it."""
    return _compiled(all_of(kinds), protocol, limits, syntax)


@functools.lru_cache(maxsize=64)
def _compiled(
    kinds: tuple[type[Extension], ...], protocol: Protocol, limits: Limits, syntax: Syntax
) -> Catalogue:
    # Here they are checked once, not for each connection.
    check_type("protocol", protocol, Protocol)
    check_type("limits", limits, Limits)
    check_type("syntax", syntax, Syntax)
    return Catalogue(kinds, protocol, limits, syntax)


def _check_names(kind: type[Extension]) -> None:
    """Refuse names that are not keywords in upper case; no received name would equal them."""
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


def read_offers(lines: Sequence[str], catalogue: Catalogue) -> Offered:
    """Return the extensions that a reply to EHLO announces in these lines (without the first).

    A malformed line is ignored: RFC 5321 section 4.1.1.1 defines no reply to it, and the server
    works without that extension.
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
        # Only if no line in the usual form has the keyword.
        keyword, equals, arguments = line.partition("=")
        kind = catalogue.kinds.get(keyword.strip(" ").upper())
        if equals and kind is not None and kind.old_form and kind.keyword not in offered:
            with contextlib.suppress(LocalProtocolError):
                offered[kind.keyword] = kind.parse_offer(arguments)
    return Offered(offered.values())
