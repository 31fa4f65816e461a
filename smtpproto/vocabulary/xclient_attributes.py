"""What XCLIENT and XFORWARD have in common: a proxy tells the attributes of its client.

Postfix defines both (XCLIENT_README and XFORWARD_README in its documentation); no RFC does.  Both
change what a server believes about a client, so the server accepts them from trusted peers only.
Trust depends on the peer of the connection itself, never on the client that it names.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError
from ..grammar.encodings import decode_xtext, encode_xtext
from ..grammar.lazy_pattern import lazy_pattern
from .command_base import Command, Grammar

if TYPE_CHECKING:
    from typing_extensions import Self

    from .session_facts import Session

__all__ = ["AttributeCommand", "Attributes", "Unavailable", "Value", "ip_address", "speaker"]

# attribute-name "=" xtext.  Postfix has a fixed list of names, other programs have more.
NAME = lazy_pattern(r"[A-Za-z][A-Za-z0-9-]*")
# The decoded value: 1 to 255 printable ASCII characters without white space.
TEXT = lazy_pattern(r"[!-~]{1,255}")
PORT = lazy_pattern(r"[0-9]{1,5}")
HIGHEST_PORT = 65535


class Unavailable(enum.Enum):
    """Why an attribute has no value."""

    PERMANENT = "[UNAVAILABLE]"
    TEMPORARY = "[TEMPUNAVAIL]"


Value = str | Unavailable
Attributes = tuple[tuple[str, Value], ...]


def ip_address(text: str) -> str | None:
    """Return the IP address in an ADDR attribute, or None for another kind of address."""
    ipv6 = text[:5].upper() == "IPV6:"
    try:
        address = ipaddress.ip_address(text[5:] if ipv6 else text)
    except ValueError:
        return None
    # Only IPv6 addresses have the prefix; a zone means nothing on another host.
    return str(address) if (address.version == 6) is ipv6 and "%" not in text else None


@dataclass(frozen=True, slots=True)
class Speaker:
    """A fact of a session: the peer of the connection itself, once it has named its client."""

    peer: str
    port: int = 0


def speaker(session: Session) -> str:
    """Return the peer of the connection itself, not the client that it names."""
    fact = session.get(Speaker)
    return session.peer if fact is None else fact.peer


@dataclass(frozen=True, slots=True)
class AttributeCommand(Command):
    """A command that describes another client.

    Arguments:
        attributes: pairs of name (in upper case) and value; each name once.

    Raises:
        LocalProtocolError: 501: there are no attributes, or one cannot be written.
    """

    # The attributes that can be temporarily unavailable.
    temporary: ClassVar[frozenset[str]] = frozenset()
    attributes: Attributes

    def __post_init__(self) -> None:
        names = [name for name, _ in self.attributes]
        if not names or len(set(names)) < len(names):
            raise self.wrong("one or more attributes, each of them once", " ".join(names))
        for name, value in self.attributes:
            if NAME.fullmatch(name) is None or not name.isupper():
                raise self.wrong("the name of an attribute", name)
            if isinstance(value, str):
                self._check_text(name, value)
                self.check_value(name, value)
            elif value is Unavailable.TEMPORARY and name not in self.temporary:
                raise self.wrong(f"a value of {name} or {Unavailable.PERMANENT.value}", value.value)

    @classmethod
    def wrong(cls, expected: str, found: str) -> LocalProtocolError:
        return LocalProtocolError(f"{cls.verb}: expected {expected}, found {found[:64]!a}")

    @classmethod
    def _check_text(cls, name: str, text: str) -> None:
        if TEXT.fullmatch(text) is None or text.upper() in _UNAVAILABLE:
            raise cls.wrong(f"up to 255 visible ASCII characters for {name}", text)
        if name.endswith("PORT") and (PORT.fullmatch(text) is None or int(text) > HIGHEST_PORT):
            raise cls.wrong(f"0 to {HIGHEST_PORT} for {name}", text)

    @classmethod
    def check_value(cls, name: str, text: str) -> None:
        """Refuse a value that this attribute cannot have; a subclass may add checks."""

    def arguments(self) -> str:
        return " ".join(
            f"{name}={value.value if isinstance(value, Unavailable) else encode_xtext(value)}"
            for name, value in self.attributes
        )

    @classmethod
    def parse(cls, arguments: str, grammar: Grammar) -> Self:
        """Read the attributes; their names may have any letter case."""
        attributes = []
        for item in filter(None, arguments.split(" ")):
            name, equals, text = item.partition("=")
            if not equals:
                raise cls.wrong("name=value", item)
            if not item.isascii():
                # `upper` maps some other characters to ASCII, such as the dotless i.
                raise cls.wrong("ASCII", item)
            value: Value | None = _UNAVAILABLE.get(text.upper())
            attributes.append((name.upper(), decode_xtext(text) if value is None else value))
        return cls(tuple(attributes))


_UNAVAILABLE = {value.value: value for value in Unavailable}


def merged(before: Attributes, after: Iterable[tuple[str, Value]]) -> Attributes:
    """Return the attributes; those of the later command replace earlier ones of the same name."""
    return tuple({**dict(before), **dict(after)}.items())
