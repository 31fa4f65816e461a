"""DSN, delivery status notifications: RFC 3461, with the addresses of RFC 6533 section 3.

A relay passes each value on unchanged (section 5.2.1), with its letter case and optional encoding.
So the parameters keep the written form; properties decode it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..grammar.encodings import decode_xtext, encode_xtext
from ..grammar.lazy_pattern import lazy_pattern
from ..vocabulary.commands import Mail, Rcpt
from ..vocabulary.parameters import Parameter
from .extension import Extension

__all__ = ["Dsn", "Envid", "Notify", "Orcpt", "Ret"]

# Section 5.4 includes the keywords; accept parameters of clients that do not count them.
_ENVID_MOST = 100
_ORCPT_MOST = 500

# Sections 4.2 and 4.4: before encoding, printable characters and white space of ASCII.
_PRINTABLE = lazy_pattern(r"[\t -~]*")
# RFC 5322 section 3.2.3: atom
_ATOM = lazy_pattern(r"[A-Za-z0-9!#$%&'*+\-/?^_`{|}~]+")

# RFC 6533 section 3
#   utf-8-addr-xtext    = 1*(QCHAR / EmbeddedUnicodeChar)
#   utf-8-addr-unitext  = 1*(QUCHAR / EmbeddedUnicodeChar)
#   QCHAR               = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e
#   QUCHAR              = QCHAR / UTF8-2 / UTF8-3 / UTF8-4
#   EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
# HEXPOINT: 20, 2B, 3D, 5C or a character outside ASCII, without leading zeros.  It includes most
# control characters too, but no valid address has any once it is decoded.
_EMBEDDED = lazy_pattern(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_UNITEXT = lazy_pattern(r"(?:[^\x00-\x20+=\\\x7f-\x9f]|\\x\{[0-9A-Fa-f]{2,6}\})*")
_SPECIAL = lazy_pattern(r"[ +=\\]")
_SPECIAL_OR_NOT_ASCII = lazy_pattern(r"[ +=\\]|[^\x00-\x7f]")
_UNFIT = lazy_pattern(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _expected(
    parameter: type[Parameter], wanted: str, found: str, section: str
) -> LocalProtocolError:
    return LocalProtocolError(
        f"{parameter.keyword}: expected {wanted}, found {found[:64]!a} (RFC 3461 section {section})"
    )


@dataclass(frozen=True, slots=True)
class Notify(Parameter):
    """When to notify about a recipient (section 4.1).

    Arguments:
        conditions: "NEVER" alone, or some of "SUCCESS", "FAILURE" and "DELAY", in any letter case.
    """

    keyword = "NOTIFY"
    conditions: tuple[str, ...]

    def __post_init__(self) -> None:
        wanted = self._wanted()
        known = {"NEVER"} if "NEVER" in wanted else {"SUCCESS", "FAILURE", "DELAY"}
        if not wanted or not wanted <= known or len(wanted) < len(self.conditions):
            raise _expected(
                Notify, "NEVER, or SUCCESS, FAILURE and DELAY once each", self.value(), "4.1"
            )

    def _wanted(self) -> set[str]:
        # Not `upper` alone: it maps some other characters to ASCII.
        return {c.upper() if c.isascii() else c for c in self.conditions}

    def on(self, condition: str) -> bool:
        """Whether a notification is wanted on this condition ("SUCCESS", "FAILURE", "DELAY")."""
        return condition.upper() in self._wanted()

    @property
    def never(self) -> bool:
        """Whether no notification is wanted."""
        return self.on("NEVER")

    def value(self) -> str:
        return ",".join(self.conditions)

    @classmethod
    def parse(cls, value: str | None) -> Notify:
        return cls(tuple((value or "").split(",")))


@dataclass(frozen=True, slots=True)
class Orcpt(Parameter):
    """The recipient as the sender wrote it; `of` encodes one (section 4.2).

    Arguments:
        kind: the type of the address: "rfc822", "utf-8", "x400", ...
        encoded: the address as xtext, or in the form of RFC 6533 section 3 if the kind is "utf-8".
    """

    keyword = "ORCPT"
    kind: str
    encoded: str

    def __post_init__(self) -> None:
        if _ATOM.fullmatch(self.kind) is None:
            raise _expected(Orcpt, "the type of an address and ';'", self.value(), "4.2")
        if len(self.value()) > _ORCPT_MOST:
            raise LocalProtocolError(
                f"ORCPT: expected at most {_ORCPT_MOST} characters, found {len(self.value())} "
                "(RFC 3461 section 4.2)"
            )
        if self._is_utf8:
            _decode_utf8(self.encoded)
        elif _PRINTABLE.fullmatch(decode_xtext(self.encoded)) is None:
            raise _expected(Orcpt, "printable ASCII in xtext", self.encoded, "4.2")

    @classmethod
    def of(cls, address: str, kind: str = "", *, smtputf8: bool = False) -> Orcpt:
        """Return the parameter for an address.

        Arguments:
            address: as the sender wrote it, without angle brackets.
            kind: its type; if empty, "rfc822" for ASCII and "utf-8" for other text.
            smtputf8: whether UTF-8 may be written unencoded, as the transaction has SMTPUTF8.

        Raises:
            LocalProtocolError: it is too long, or not printable.
        """
        kind = kind or ("rfc822" if address.isascii() else "utf-8")
        if kind.lower() != "utf-8":
            return cls(kind, encode_xtext(address))
        special = _SPECIAL if smtputf8 else _SPECIAL_OR_NOT_ASCII
        return cls(kind, special.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", address))

    @property
    def address(self) -> str:
        """The address without its encoding."""
        return _decode_utf8(self.encoded) if self._is_utf8 else decode_xtext(self.encoded)

    @property
    def _is_utf8(self) -> bool:
        return self.kind.lower() == "utf-8"

    def value(self) -> str:
        return f"{self.kind};{self.encoded}"

    @classmethod
    def parse(cls, value: str | None) -> Orcpt:
        kind, semicolon, encoded = (value or "").partition(";")
        if not semicolon:
            raise _expected(cls, "the type of an address and ';'", value or "", "4.2")
        return cls(kind, encoded)


@dataclass(frozen=True, slots=True)
class Ret(Parameter):
    """How much of the message a notification of failure returns (section 4.3).

    Arguments:
        kind: "FULL" for the whole message, "HDRS" for its headers, in any letter case.
    """

    keyword = "RET"
    kind: str

    def __post_init__(self) -> None:
        if not self.kind.isascii() or self.kind.upper() not in ("FULL", "HDRS"):
            raise _expected(Ret, "FULL or HDRS", self.kind, "4.3")

    @property
    def full(self) -> bool:
        """Whether the whole message is wanted."""
        return self.kind.upper() == "FULL"

    def value(self) -> str:
        return self.kind

    @classmethod
    def parse(cls, value: str | None) -> Ret:
        return cls(value or "")


@dataclass(frozen=True, slots=True)
class Envid(Parameter):
    """The sender's identifier of the transaction; `of` encodes it (section 4.4).

    Arguments:
        encoded: printable ASCII as xtext, at most 100 characters.
    """

    keyword = "ENVID"
    encoded: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.encoded) <= _ENVID_MOST:
            raise LocalProtocolError(
                f"ENVID: expected 1 to {_ENVID_MOST} characters, found {len(self.encoded)} "
                "(RFC 3461 section 4.4)"
            )
        if _PRINTABLE.fullmatch(self.text) is None:
            raise _expected(Envid, "printable ASCII in xtext", self.encoded, "4.4")

    @classmethod
    def of(cls, text: str) -> Envid:
        """Return the parameter for a text.

        Raises:
            LocalProtocolError: it is empty, too long, or not printable ASCII.
        """
        return cls(encode_xtext(text))

    @property
    def text(self) -> str:
        """The text without its encoding."""
        return decode_xtext(self.encoded)

    def value(self) -> str:
        return self.encoded

    @classmethod
    def parse(cls, value: str | None) -> Envid:
        return cls(value or "")


class Dsn(Extension):
    """Delivery status notifications (RFC 3461)."""

    __slots__ = ()
    keyword = "DSN"
    parameters = {Mail: (Ret, Envid), Rcpt: (Notify, Orcpt)}
    # The lengths of the longest parameters, each with a space before it.
    extra_length = {
        Mail: len(" RET=FULL ENVID=") + _ENVID_MOST,
        Rcpt: len(" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=") + _ORCPT_MOST,
    }


def _decode_utf8(encoded: str) -> str:
    """Decode a utf-8-addr-xtext or utf-8-addr-unitext (RFC 6533 section 3)."""
    if _UNITEXT.fullmatch(encoded) is None:
        raise _malformed(encoded)
    address = _EMBEDDED.sub(_decode_character, encoded)
    if _UNFIT.search(address) is not None:
        raise _malformed(encoded)
    return address


def _decode_character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    plain = number < 0x80 and _SPECIAL.fullmatch(chr(number)) is None
    if plain or number > 0x10FFFF or len(match[1]) != len(f"{number:02X}"):
        raise _malformed(match[0])
    return chr(number)


def _malformed(found: str) -> LocalProtocolError:
    return LocalProtocolError(
        "ORCPT: expected an address whose '+', '=', '\\' and spaces are written as \\x{...}, found "
        f"{found[:64]!a} (RFC 6533 section 3)"
    )
