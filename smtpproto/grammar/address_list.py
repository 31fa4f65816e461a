"""Reading the address lists of a message's header: RFC 5322 sections 3.4 and 4.4.

All of the text is a list of addresses, or the reader refuses it.  The reader accepts obsolete forms
that are in use: empty elements between commas, dots in display names, comments and white space
within an address, a route before it.  Encoded-words are atoms and stay as they are (RFC 2047
section 5).  All characters outside ASCII count as atext (RFC 6532 section 3.2).

`vocabulary/addresses.py` decides whether SMTP can carry such an address.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import LocalProtocolError
from .lazy_pattern import lazy_pattern

__all__ = ["AddressList", "Found", "Span", "read_address_list"]

# RFC 5322 section 3.2.3 and RFC 6532 section 3.2
#   atom            = [CFWS] 1*atext [CFWS]
# with the dots of dot-atom, and those that obs-phrase allows.  All but controls, the space and
# specials is atext.
_ATOMS = lazy_pattern(r'[^\x00-\x20"(),:;<>@\[\\\]\x7f]+')
_ATEXT = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f]'
_DOT_ATOM = lazy_pattern(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
# Section 3.2.4
#   quoted-string   = DQUOTE *([FWS] qcontent) [FWS] DQUOTE
_QTEXT = r"[^\x00-\x08\x0a-\x1f\x7f\"\\]*"
_QUOTED_STRING = lazy_pattern(rf'"({_QTEXT}(?:\\[^\x00-\x08\x0a-\x1f\x7f]{_QTEXT})*)"')
_QUOTED_PAIR = lazy_pattern(r"\\(.)")
# Section 3.4.1
#   domain-literal  = "[" *([FWS] dtext) [FWS] "]"
_LITERAL = lazy_pattern(r"\[[ \t!-Z^-~]*\]")
# Section 4.4
#   obs-local-part  = word *("." word)
# once each word is a `w`.
_LOCAL_PART = lazy_pattern(r"w(?:\.w)*")
_NO_DOTS = lazy_pattern(r"[^.]+")
_WHITE_SPACE = lazy_pattern(r"[ \t]*")
# Section 3.2.2: the characters of a comment between parentheses and quoted-pairs.
_COMMENT_TEXT = lazy_pattern(r"[^\x00-\x08\x0a-\x1f\x7f()\\]*")
# An error shows at most this many characters of the text that could not be read.
_SHOWN = 100


class Span(NamedTuple):
    """A display name, the name of a group, or a comment with its parentheses.

    Arguments:
        start: the offset of its first character.
        end: the offset behind its last one.
        text: the text without quotes, parentheses and backslashes.
    """

    start: int
    end: int
    text: str


class Found(NamedTuple):
    """An address (addr-spec, section 3.4.1).

    Arguments:
        start: the offset of its first character.
        end: the offset behind its last one.
        local_part: without quotes and backslashes.
        domain: a domain, or an address literal with its brackets.
    """

    start: int
    end: int
    local_part: str
    domain: str


class AddressList(NamedTuple):
    """The contents of an address list, each in the order of the text.

    Arguments:
        addresses: all addresses, those within groups included.
        names: display names, and names of groups.
        comments: all comments, except those inside another comment.
    """

    addresses: tuple[Found, ...]
    names: tuple[Span, ...]
    comments: tuple[Span, ...]


def read_address_list(text: str, what: str) -> AddressList:
    """Read the addresses of a field: `address *("," address)`, groups included.

    Arguments:
        text: the body of the field, unfolded.
        what: the name of the field; each error message begins with it.

    Raises:
        LocalProtocolError: part of the text is no address list; the message quotes it.
    """
    reader = _Reader(text, what)
    reader.read_list()
    return AddressList(tuple(reader.addresses), tuple(reader.names), tuple(reader.comments))


class _Word(NamedTuple):
    start: int
    end: int
    text: str
    quoted: bool


class _Reader:
    """Reads from left to right; `at` is the offset of the next character."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.what = what
        self.at = 0
        # The offset at which the current address begins.
        self.begin = 0
        self.addresses: list[Found] = []
        self.names: list[Span] = []
        self.comments: list[Span] = []

    def read_list(self) -> None:
        """Read the whole text."""
        while True:
            self.skip()
            self.begin = self.at
            if self.at == len(self.text):
                return
            if self.takes(","):
                continue
            self.read_address()
            self.skip()
            if self.at < len(self.text) and not self.takes(","):
                raise self.expected("',' or the end")

    def read_address(self, *, in_group: bool = False) -> None:
        """Read a mailbox, with or without a display name; outside of groups also a group."""
        words = self.read_words()
        following = self.next()
        if following == "@" and words:
            self.read_addr_spec(words)
        elif following == "<":
            self.add_name(words)
            self.read_in_brackets()
        elif following == ":" and words and not in_group:
            self.add_name(words)
            self.read_group()
        else:
            raise self.expected("'@', '<' or ':' after a word" if words else "an address")

    def read_group(self) -> None:
        """Read what follows the name of a group: `":" [group-list] ";"`."""
        self.at += 1
        while True:
            self.skip()
            self.begin = self.at
            if self.takes(";"):
                return
            if self.takes(","):
                continue
            self.read_address(in_group=True)
            self.skip()
            if self.next() not in (",", ";"):
                raise self.expected("',' or ';' in a group")

    def read_in_brackets(self) -> None:
        """Read `"<" [obs-route] addr-spec ">"`."""
        self.at += 1
        self.skip()
        if self.next() == "@":
            self.skip_route()
        self.read_addr_spec(self.read_words())
        self.skip()
        if not self.takes(">"):
            raise self.expected("'>'")

    def skip_route(self) -> None:
        """Skip `obs-domain-list ":"`: SMTP ignores such routes (RFC 5321 appendix C)."""
        while not self.takes(":"):
            if self.takes("@"):
                self.read_domain()
            elif not self.takes(","):
                raise self.expected("':' after a route")
            self.skip()
        self.skip()

    def read_addr_spec(self, words: list[_Word]) -> None:
        """Read what follows the words of a local-part: `"@" domain`."""
        shape = "".join(["w" if word.quoted else _NO_DOTS.sub("w", word.text) for word in words])
        if self.next() != "@" or _LOCAL_PART.fullmatch(shape) is None:
            # A local-part has white space around its dots only.
            raise self.expected("a local-part and '@'" if self.next() != "@" else "'<' or ','")
        self.at += 1
        domain, end = self.read_domain()
        local_part = "".join([word.text for word in words])
        self.addresses.append(Found(words[0].start, end, local_part, domain))

    def read_domain(self) -> tuple[str, int]:
        """Read a domain or an address literal; return it and the offset behind it."""
        self.skip()
        literal = _LITERAL.match(self.text, self.at)
        if literal is not None:
            self.at = literal.end()
            return literal[0].replace(" ", "").replace("\t", ""), self.at
        labels: list[str] = []
        while True:
            atom = _DOT_ATOM.match(self.text, self.at)
            if atom is None:
                raise self.expected("a domain")
            labels.append(atom[0])
            end = self.at = atom.end()
            self.skip()
            if not self.takes("."):
                return ".".join(labels), end
            self.skip()

    def read_words(self) -> list[_Word]:
        """Read atoms, dots and quoted strings as long as there are any."""
        words: list[_Word] = []
        while True:
            self.skip()
            atoms = _ATOMS.match(self.text, self.at)
            quoted = None if atoms else _QUOTED_STRING.match(self.text, self.at)
            if atoms is not None:
                words.append(_Word(self.at, atoms.end(), atoms[0], quoted=False))
            elif quoted is not None:
                said = _QUOTED_PAIR.sub(r"\1", quoted[1])
                words.append(_Word(self.at, quoted.end(), said, quoted=True))
            else:
                return words
            self.at = words[-1].end

    def add_name(self, words: list[_Word]) -> None:
        """Add words that form a name."""
        if words:
            said = " ".join([word.text for word in words])
            self.names.append(Span(words[0].start, words[-1].end, said))

    def skip(self) -> None:
        """Skip comments and white space."""
        while True:
            space = _WHITE_SPACE.match(self.text, self.at)
            assert space is not None
            self.at = space.end()
            if self.next() != "(":
                return
            self.read_comment()

    def read_comment(self) -> None:
        """Read a comment, and the comments within it."""
        start, depth = self.at, 0
        while True:
            following = self.next()
            if following == "(":
                depth += 1
            elif following == ")":
                depth -= 1
            elif following == "\\" and self.at + 1 < len(self.text):
                self.at += 1
            else:
                raise self.expected("')'")
            self.at += 1
            if not depth:
                break
            text = _COMMENT_TEXT.match(self.text, self.at)
            assert text is not None
            self.at = text.end()
        said = _QUOTED_PAIR.sub(r"\1", self.text[start + 1 : self.at - 1])
        self.comments.append(Span(start, self.at, said))

    def next(self) -> str:
        """Return the next character; "" at the end."""
        return self.text[self.at : self.at + 1]

    def takes(self, character: str) -> bool:
        """If this character comes next, skip it and return True."""
        found = self.next() == character
        self.at += found
        return found

    def expected(self, wanted: str) -> LocalProtocolError:
        """Return the error for the text at this offset; it shows the address."""
        found = self.next()
        begin = self.begin if self.at - self.begin < _SHOWN // 2 else self.at
        return LocalProtocolError(
            f"{self.what}: expected {wanted}, found {ascii(found) if found else 'the end'} in "
            f"{self.text[begin : begin + _SHOWN]!a} (RFC 5322 section 3.4)",
            enhanced="5.1.3",
        )
