"""Reverse-paths and forward-paths: RFC 5321 sections 4.1.1.2, 4.1.1.3 and 4.1.2.

The rules of `addresses.py` for values, errors and bounds hold here as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..errors import LocalProtocolError
from ..grammar.address_parts import Rules, expect, expect_end, skip_source_route
from ..grammar.patterns import FULL_MAILBOX
from ..limits import Limits
from .addresses import Mailbox, read_mailbox, require, trusted_domain, trusted_mailbox

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ForwardPath", "Path", "ReversePath"]

# A path of so few octets is within all bounds: a local-part may always have 64 octets.
_ANY_BOUNDS = 66

_set = object.__setattr__  # the classes are frozen: their own method refuses


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What reverse-paths and forward-paths have in common: a mailbox in angle brackets.

    Arguments:
        mailbox: the mailbox, or None for the special form that each kind of path has.
    """

    what: ClassVar[str]
    enhanced: ClassVar[str]
    bare: ClassVar[str]  # the text in the brackets if there is no mailbox

    # Most sessions need only the written form of a path.  So what `FULL_MAILBOX` has matched
    # becomes a `Mailbox` when that is first asked for, by `__getattr__`.
    mailbox: Mailbox | None
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require(self.mailbox, (Mailbox, type(None)), "a Mailbox or None (`of` takes text)")
        _set(self, "_text", f"<{self.bare if self.mailbox is None else self.mailbox}>")

    if not TYPE_CHECKING:  # pragma: no branch: type checkers shall refuse other names

        def __getattr__(self, name: str) -> Mailbox:
            if name != "mailbox":
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            local_part, _, domain = self._text[1:-1].rpartition("@")
            mailbox = trusted_mailbox(local_part, trusted_domain(domain))
            _set(self, "mailbox", mailbox)
            return mailbox

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._text == other._text or self.mailbox == other.mailbox

    def __hash__(self) -> int:
        return hash((type(self), self.mailbox))

    @classmethod
    def of(cls, address: str, *, limits: Limits = Limits()) -> Self:
        """Return the path to an address; UTF-8 is allowed.

        Arguments:
            address: a mailbox such as "user@example.org"; "" for the null reverse-path, or
                "postmaster" for the forward-path without a mailbox.
            limits: the bounds.

        Raises:
            LocalProtocolError: 501: it is no mailbox, or too long.
        """
        require(address, (str,), "an address as text")
        text = f"<{address}>"
        match = FULL_MAILBOX.fullmatch(text)
        if match is not None and len(text) <= _ANY_BOUNDS:
            return cls._trusted(text)
        if address.lower() == cls.bare:
            return cls(None)
        rules = Rules(cls.what, cls.enhanced, True, limits)
        try:
            mailbox, end = read_mailbox(address, 0, rules)
            expect_end(address, end, rules)
            rules.bound("path", text, limits.path, "4.5.3.1.3")
        except LocalProtocolError as error:
            # The caller may have passed many addresses: name the wrong one.
            raise LocalProtocolError(
                f"{error}, in {address[:64]!a}", code=error.code, enhanced=error.enhanced
            ) from None
        return cls(mailbox)

    @classmethod
    def parse(cls, text: str, *, utf8: bool = False, limits: Limits = Limits()) -> Self:
        """Read a path with its angle brackets; see `parse_prefix`."""
        path, end = cls.parse_prefix(text, utf8=utf8, limits=limits)
        expect_end(text, end, Rules(cls.what, cls.enhanced, utf8, limits))
        return path

    @classmethod
    def parse_prefix(
        cls, text: str, start: int = 0, *, utf8: bool = False, limits: Limits = Limits()
    ) -> tuple[Self, int]:
        """Read the path that begins at an offset.

        It drops a source route (RFC 5321 appendix C).

        Arguments:
            text: a line, or what is left of it.
            start: the offset of the `<`.
            utf8: whether UTF-8 is allowed (RFC 6531 section 3.3).
            limits: `path`, `local_part` and `domain` bound it.

        Returns:
            The path, and the offset behind its `>`.

        Raises:
            LocalProtocolError: 501, 5.1.3 (forward-path) or 5.1.7 (reverse-path): no path; 501,
                5.5.4: too long; 553, 5.6.7: not ASCII.
        """
        # Most paths have this form.
        match = FULL_MAILBOX.match(text, start)
        if match is not None and match.end() - start <= _ANY_BOUNDS:
            return cls._trusted(match[0]), match.end()
        return cls._read(text, start, Rules(cls.what, cls.enhanced, utf8, limits), limits)

    @classmethod
    def _trusted(cls, text: str) -> Self:
        """Return the path that `FULL_MAILBOX` has matched."""
        path = object.__new__(cls)
        _set(path, "_text", text)
        return path

    @classmethod
    def _read(cls, text: str, start: int, rules: Rules, limits: Limits) -> tuple[Self, int]:
        """Read any form of a path, part by part."""
        mailbox: Mailbox | None = None
        at = expect("<", text, start, rules)
        end = at + len(cls.bare)
        if text[end : end + 1] != ">" or text[at:end].lower() != cls.bare:
            at = skip_source_route(text, at, rules)
            mailbox, end = read_mailbox(text, at, rules)
        end = expect(">", text, end, rules)
        rules.bound("path", text[start:end], limits.path, "4.5.3.1.3")
        return cls(mailbox), end

    @property
    def ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8."""
        return self._text.isascii()

    @property
    def address(self) -> str:
        """The address in the form that `of` takes."""
        return self._text[1:-1]

    def __str__(self) -> str:
        return self._text


class ReversePath(Path):
    """The address for reports of failure (RFC 5321 section 4.1.1.2).

    Arguments:
        mailbox: the mailbox; None for the null reverse-path `<>`, which asks for no reports.
    """

    __slots__ = ()
    what = "reverse-path"
    enhanced = "5.1.7"
    bare = ""


class ForwardPath(Path):
    """A recipient (RFC 5321 section 4.1.1.3).

    Arguments:
        mailbox: the mailbox; None for `<postmaster>`, the postmaster of the server itself.
    """

    __slots__ = ()
    what = "forward-path"
    enhanced = "5.1.3"
    bare = "postmaster"
